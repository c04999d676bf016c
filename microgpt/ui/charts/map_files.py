"""An attention map as CSV, as HTML and as a table; imports neither streamlit nor torch."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from microgpt.ui.charts.style import menu, visible
from microgpt.ui.charts.tables import to_csv


def attention_csv(weights: np.ndarray, text: str, constant: Mapping[str, object]) -> str:
    """Write one map (T, T) as CSV: a row for each query and key, with positions from 1.

    constant: further columns, each with one value for all rows.
    """
    query, key = np.tril_indices(len(weights))
    labels = np.array(visible(text))
    frame = pd.DataFrame(
        {
            **constant,
            "query_position": query + 1,
            "query_character": labels[query],
            "key_position": key + 1,
            "key_character": labels[key],
            "attention": weights[query, key],
        }
    )
    return to_csv(frame, "%.6g")


def map_cells(
    weights: np.ndarray, queries: Sequence[str], keys: Sequence[str], causal: bool
) -> pd.DataFrame:
    """A row for each cell of a map (queries, keys), with positions from 1.

    causal: whether the cells above the diagonal are masked; they are left out then.
    """
    seen = np.ones(weights.shape, dtype=bool)
    query, key = np.nonzero(np.tril(seen) if causal else seen)
    return pd.DataFrame(
        {
            "query_position": query + 1,
            "query_character": np.array(queries)[query],
            "key_position": key + 1,
            "key_character": np.array(keys)[key],
            "attention": weights[query, key],
        }
    )


def map_matrix(
    weights: np.ndarray, queries: Sequence[str], keys: Sequence[str], causal: bool
) -> pd.DataFrame:
    """A map (queries, keys) as a table, with the names of its rows; masked cells are empty."""
    rows, columns = (
        [f"{label} ({at})" for at, label in enumerate(each, start=1)] for each in (queries, keys)
    )
    seen = np.ones(weights.shape, dtype=bool)
    cells = np.where(np.tril(seen) if causal else seen, weights, np.nan)
    frame = pd.DataFrame(cells, columns=columns)
    frame.insert(0, "query", rows)
    return frame


def standalone_html(figure: go.Figure, title: str, file_name: str) -> str:
    """Write a figure and its title as an HTML page of about 5 MB that needs no network.

    The menu of the figure saves it as a PNG with the name file_name.
    """
    titled = go.Figure(figure).update_layout(
        title={"text": escape(title)},
        margin={"t": 100},
        template="plotly_white",  # without it, masked cells are grey-blue
    )
    page = titled.to_html(config=menu(file_name, "png"))
    return page.replace("<head>", f"<head><title>{escape(title)}</title>", 1)


def row_table(weights: np.ndarray, text: str, query: int) -> pd.DataFrame:
    """One row of a map (T, T) as a table, largest weight first; query counts from 0."""
    row = weights[query, : query + 1]  # the causal mask hides later keys
    order = np.argsort(-row, kind="stable")
    labels = visible(text)
    return pd.DataFrame(
        {
            "position": order + 1,
            "character": [labels[at] for at in order],
            "attention (share)": row[order],
        }
    )
