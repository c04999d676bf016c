"""The attention maps in the data of the strip."""

import base64

import numpy as np

from microgpt.ui.components.strip.strip import packed


def test_maps_are_packed_by_rows_up_to_the_diagonal():
    weights = np.array([[[1.0, 0.0], [0.25, 0.75]], [[1.0, 0.0], [1.0, 0.0]]])
    levels = list(base64.b64decode(packed(weights, "u1")))
    assert levels == [255, 64, 191, 255, 255, 0]
    levels = np.frombuffer(base64.b64decode(packed(weights[0], "<u2")), "<u2").tolist()
    assert levels == [65535, 16384, 49151]
