"""The text itself: what each character attends to, in the browser and without a rerun."""

import base64

import numpy as np

from microgpt.ui.charts import style
from microgpt.ui.components import component

_STRIP = component("strip")


def packed(weights: np.ndarray) -> str:
    """Maps (N, T, T) as base64 of their lower triangles, 8 bits a weight, row after row."""
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
    """Show a text of T characters under N maps (N, T, T), of which one is in the foreground.

    names: what each map is called. Until a character is pointed at it is the last one's row.
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
