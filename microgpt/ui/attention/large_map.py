"""One attention map with its table and its downloads: CSV, HTML, and all heads as NPZ."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from microgpt.analysis.attention import combined, maps_npz
from microgpt.checkpoint import Checkpoint
from microgpt.ui.attention.controls import QUERY, row_as_table, tall_chart
from microgpt.ui.cache.attention import attention_maps
from microgpt.ui.charts.attention import attention_map
from microgpt.ui.charts.map_files import attention_csv, standalone_html
from microgpt.ui.controls import Control
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import Choice

MAP_KEY = "tall_map_"  # of the container of a map; those of two maps end with their side


def chosen_map(
    checkpoint: Checkpoint,
    text: str,
    choice: Choice,
    scale: str,
    *,
    about: str,
    side: str = "",
    query: Control = QUERY,
) -> None:
    """Show the map of the chosen head, or the mean of the chosen heads, as large_map does."""
    maps = attention_maps(checkpoint, text).weights
    weights = combined(maps, choice.heads(checkpoint.config), "mean").numpy()
    identity = choice.title, choice.file_name, choice.columns
    large_map(checkpoint, text, weights, scale, *identity, about=about, side=side, query=query)


def large_map(
    checkpoint: Checkpoint,
    text: str,
    weights: np.ndarray,
    scale: str,
    title: str,
    file_name: str,
    columns: Mapping[str, object],
    *,
    about: str,
    side: str = "",
    query: Control = QUERY,
) -> None:
    """Show a map (T, T), one of its rows as a table, and its downloads.

    scale: one of MAP_SCALES. columns: further columns of the CSV that identify the map, with the
    same value in every row. side: `left` or `right` if there are two maps. query: the control of
    the table's row.
    """
    figure = attention_map(weights, text, scale)
    name = f"{file_name}-{side}" if side else file_name
    tall_chart(figure, f"map_{side}", name, f"Attention map: {title}")
    caption(about)
    row_as_table(weights, text, query)
    _downloads(checkpoint, text, title, name, columns, weights, figure)


def _downloads(
    checkpoint: Checkpoint,
    text: str,
    title: str,
    file_name: str,
    columns: Mapping[str, object],
    weights: np.ndarray,
    figure: go.Figure,
) -> None:
    """Show the downloads; each file is made when its button is pressed."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label, name, content in (
            ("CSV", f"{file_name}.csv", partial(attention_csv, weights, text, columns)),
            (
                "HTML",
                f"{file_name}.html",
                partial(standalone_html, figure, f"{title} · microGPT", file_name),
            ),
        ):
            download(label, content, name, key=f"{label} of {file_name}")
        download(
            "All heads, NPZ",
            partial(_all_heads, text),
            "microgpt-heads.npz",
            key=f"All heads, NPZ of {file_name}",
            of=checkpoint,
        )


def _all_heads(text: str, checkpoint: Checkpoint) -> bytes:
    # Computed when the button is pressed; a button that held the maps would keep them in memory.
    maps = attention_maps(checkpoint, text).weights
    assert checkpoint.weights_sha256 is not None  # it was loaded
    return maps_npz(maps, text, checkpoint.weights_sha256)
