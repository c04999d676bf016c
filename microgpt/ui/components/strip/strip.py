"""The text itself: what each character attends to, in the browser and without a rerun."""

import base64
from pathlib import Path

import numpy as np
import streamlit as st

from microgpt.ui.charts import style

_COMPONENT = st.components.v2.component(
    "microgpt.strip",
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
)


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
    _COMPONENT(
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
