"""Take one map home, in numbers or as a figure, or all heads' maps of the text."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from microgpt.analysis.attention import maps_npz
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.charts.map_files import attention_csv, standalone_html

_IMAGES = ["SVG", "PNG"]


def image_format() -> str:
    """What a chart's own menu saves, as image_control says, which comes after it."""
    return st.session_state.get("image", _IMAGES[0]).lower()


def image_control() -> None:
    """What the menus of a tab's charts save; once a tab."""
    st.segmented_control(
        "Image in the chart's menu",
        _IMAGES,
        default=_IMAGES[0],
        required=True,
        key="image",
        persist_state="session",
        help="The camera in the chart's own menu saves the figure in this format.",
    )


def take_home(
    checkpoint: Checkpoint,
    text: str,
    title: str,
    file_name: str,
    named: Mapping[str, object],
    weights: np.ndarray,
    figure: go.Figure,
) -> None:
    """Downloads of a map (T, T) and its figure; what takes time is made when it is asked for.

    named: what the map is of, in each row of its CSV.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label, name, kind, content in (
            (
                "CSV",
                f"{file_name}.csv",
                "text/csv",
                partial(attention_csv, weights, text, named),
            ),
            (
                "HTML",
                f"{file_name}.html",
                "text/html",
                partial(standalone_html, figure, f"{title} · microGPT", file_name),
            ),
            (
                "All heads, NPZ",
                "microgpt-heads.npz",
                "application/octet-stream",
                partial(_all_heads, checkpoint, text),
            ),
        ):
            st.download_button(
                label,
                content,
                name,
                kind,
                icon=":material/download:",
                on_click="ignore",
                key=f"{label} of {file_name}",
            )


def _all_heads(checkpoint: Checkpoint, text: str) -> bytes:
    # Not until it is asked for: a button would keep the maps for as long as its visitor stays.
    maps = cache.attention_maps(checkpoint, text).weights
    return maps_npz(maps, text, checkpoint.weights_sha256)
