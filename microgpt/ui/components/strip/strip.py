"""The browser component that shades a text by attention, without a rerun of the page."""

import numpy as np

from microgpt.ui.charts import style
from microgpt.ui.charts.attention import MAP_SCALES, scale_ends, shades
from microgpt.ui.components import component, in_base64

_STRIP = component("strip")


def packed(maps: np.ndarray, dtype: str) -> str:
    """Encode the lower triangles of arrays (…, T, T) in base64, row by row.

    The values, from 0 to 1, become unsigned integers of this type.
    """
    rows, columns = np.tril_indices(maps.shape[-1])
    most = np.iinfo(dtype).max
    return in_base64(np.round(np.clip(maps[..., rows, columns], 0, 1) * most), dtype)


def text_strip(
    key: str,
    text: str,
    names: list[str],
    weights: np.ndarray,
    chosen: int,
    scale: str,
) -> None:
    """Show a text of T characters, shaded by one of N maps (N, T, T), with stripes for all maps.

    names: of the maps. chosen: the index of the map that shades the text. scale: one of MAP_SCALES.
    At first, the shading is that of the last character.
    """
    _STRIP(
        key=key,
        data={
            "labels": style.visible(text),
            "lines": [at for at, char in enumerate(text) if char == "\n"],
            "names": names,
            "shades": packed(shades(weights, scale), "u1"),
            "weights": packed(weights[chosen], "<u2"),
            "scale": [MAP_SCALES[scale], *scale_ends(scale)],
            "chosen": chosen,
            "palette": style.palette(),
        },
    )
