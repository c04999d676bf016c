"""The numbers that the scrubber is given; a browser test drives its JavaScript."""

import base64

import numpy as np
import pytest

from tests.ui.pages import component, run_script

PROBS = np.array([[[0.0, 1.0, 0.0], [0.5, 0.3, 0.2]], [[1.0, 0.0, 0.0], [0.1, 0.2, 0.7]]])
MAPS = np.array([[[255, 0], [64, 191]], [[255, 0], [10, 245]]], np.uint8)


def scrubber_page():
    """A script that shows two snapshots of a model with three characters."""
    import numpy as np
    import pandas as pd

    from microgpt.ui.components.scrubber.scrubber import scrubber
    from tests.ui.components.test_scrubber import MAPS, PROBS

    rows = {"step": [0, 10], "val": [1.5, 0.5], "train": [1.4, 0.25], "sample": ["a\n", "a b"]}
    probs = PROBS.astype(np.float16)
    scrubber("scrubber", pd.DataFrame(rows), "a ", "\n a", probs, "Layer 1, head 2", MAPS)


@pytest.fixture(scope="module")
def data():
    return component(run_script(scrubber_page))


def numbers(text):
    return np.frombuffer(base64.b64decode(text), np.uint8)


def test_each_snapshot_has_its_step_losses_and_sample(data):
    assert data["step"] == [0, 10]
    assert (data["val"], data["train"]) == ([1.5, 0.5], [1.4, 0.25])
    assert data["sample"] == ["a\n", "a b"]
    assert data["head"] == "Layer 1, head 2"


def test_spaces_and_line_ends_are_visible(data):
    assert (data["passage"], data["characters"]) == (["a", "␣"], ["⏎", "␣", "a"])


def test_maps_and_probabilities_are_sent_as_bytes(data):
    np.testing.assert_array_equal(numbers(data["maps"]), MAPS.ravel())
    sent = numbers(data["probs"]).reshape(PROBS.shape)
    np.testing.assert_allclose(sent / 255, PROBS, atol=0.5 / 255 + 1e-3)
    assert sent.min() == 0 and sent.max() == 255


def test_every_weight_has_a_colour(data):
    assert len(data["palette"]) == 256 and all(len(colour) == 3 for colour in data["palette"])
