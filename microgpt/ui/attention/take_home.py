"""Take one map home, in numbers or as a figure, or all heads' maps of the text."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from microgpt.attention import maps_npz
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.attention.choice import Choice
from microgpt.ui.map_files import attention_csv, standalone_html

_IMAGES = ["SVG", "PNG"]


def image_format() -> str:
    """What the chart's own menu saves, as the control in take_home says, which comes after it."""
    return st.session_state.get("image", _IMAGES[0]).lower()


def take_home(
    checkpoint: Checkpoint, text: str, choice: Choice, weights: np.ndarray, figure: go.Figure
) -> None:
    """Downloads of a map (T, T) and its figure; what takes time is made when it is asked for."""
    name = choice.file_name
    maps = cache.attention_maps(checkpoint, text).weights
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label, file_name, kind, content in (
            ("CSV", f"{name}.csv", "text/csv", lambda: attention_csv(weights, text)),
            (
                "HTML",
                f"{name}.html",
                "text/html",
                lambda: standalone_html(figure, f"{choice.title} · microGPT", name),
            ),
            (
                "All heads, NPZ",
                "microgpt-heads.npz",
                "application/octet-stream",
                lambda: maps_npz(maps, text, checkpoint.weights_sha256),
            ),
        ):
            st.download_button(
                label, content, file_name, kind, icon=":material/download:", on_click="ignore"
            )
        st.segmented_control(
            "Image in the chart's menu",
            _IMAGES,
            default=_IMAGES[0],
            required=True,
            key="image",
            persist_state="session",
            help="The camera in the chart's own menu saves the figure in this format.",
        )
