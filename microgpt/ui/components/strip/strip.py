"""The browser component that shades a text by attention, without a rerun of the page."""

import base64

import numpy as np

from microgpt.ui.charts import style
from microgpt.ui.components import component

_STRIP = component("strip")


def packed(weights: np.ndarray) -> str:
    """Encode the lower triangles of maps (N, T, T), row by row, as bytes in base64."""
    rows, columns = np.tril_indices(weights.shape[-1])
    levels = np.round(np.clip(weights[:, rows, columns], 0, 1) * 255).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()


def text_strip(
    key: str,
    text: str,
    names: list[str],
    weights: np.ndarray,
    chosen: int,
) -> None:
    """Show a text of T characters, shaded by one of N maps (N, T, T), with stripes for all maps.

    names: of the maps. chosen: the index of the map that shades the text. At first, the shading is
    that of the last character.
    """
    _STRIP(
        key=key,
        data={
            "labels": style.visible(text),
            "lines": [at for at, char in enumerate(text) if char == "\n"],
            "names": names,
            "maps": packed(weights),
            "chosen": chosen,
            "palette": style.palette(),
        },
    )
