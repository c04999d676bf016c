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
from microgpt.ui.download import download


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
        for label, name, content in (
            ("CSV", f"{file_name}.csv", partial(attention_csv, weights, text, named)),
            (
                "HTML",
                f"{file_name}.html",
                partial(standalone_html, figure, f"{title} · microGPT", file_name),
            ),
            ("All heads, NPZ", "microgpt-heads.npz", partial(_all_heads, checkpoint, text)),
        ):
            download(label, content, name, key=f"{label} of {file_name}")


def _all_heads(checkpoint: Checkpoint, text: str) -> bytes:
    # Not until it is asked for: a button would keep the maps for as long as its visitor stays.
    maps = cache.attention_maps(checkpoint, text).weights
    assert checkpoint.weights_sha256 is not None  # it was loaded
    return maps_npz(maps, text, checkpoint.weights_sha256)
