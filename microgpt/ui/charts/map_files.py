"""An attention map as files and as a table; no streamlit and no torch here."""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from microgpt.ui.charts.style import menu, visible


def attention_csv(weights: np.ndarray, text: str, named: Mapping[str, object]) -> str:
    """One (T, T) map as CSV: a row for each pair of positions, query first, from 1.

    named: what the map is of, the same in every row.
    """
    query, key = np.tril_indices(len(weights))
    labels = np.array(visible(text))
    frame = pd.DataFrame(
        {
            **named,
            "query_position": query + 1,
            "query_character": labels[query],
            "key_position": key + 1,
            "key_character": labels[key],
            "attention": weights[query, key],
        }
    )
    return frame.to_csv(index=False, float_format="%.6g")


def standalone_html(figure: go.Figure, title: str, file_name: str) -> str:
    """A figure under its title as a page that needs no network, some 5 MB with what draws it.

    Its own menu saves it as PNG, called file_name.
    """
    titled = go.Figure(figure).update_layout(
        title={"text": escape(title)},
        margin={"t": 100},
        template="plotly_white",  # on which what is masked is blank
    )
    page = titled.to_html(config=menu(file_name, "png"))
    return page.replace("<head>", f"<head><title>{escape(title)}</title>", 1)


def row_table(weights: np.ndarray, text: str, query: int) -> pd.DataFrame:
    """What the query at a position, from 0, attends to in a (T, T) map, the largest share first."""
    row = weights[query, : query + 1]  # a query sees no key after itself
    order = np.argsort(-row, kind="stable")
    labels = visible(text)
    return pd.DataFrame(
        {
            "position": order + 1,
            "character": [labels[at] for at in order],
            "attention (share)": row[order],
        }
    )
