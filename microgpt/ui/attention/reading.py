"""How a map is read: its colours, and one of its rows as a table."""

import numpy as np
import streamlit as st

from microgpt.ui.attention.query import query_control
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.charts.map_files import row_table
from microgpt.ui.text import plain

# From so many characters on, most shares are too small to be seen on the linear scale.
_LONG = 64


def scale_control(text: str) -> str:
    """Which of attention_charts.MAP_SCALES the maps over a text are drawn with."""
    scale = st.segmented_control(
        "Colours",
        list(attention_charts.MAP_SCALES),
        default="linear",
        required=True,
        key="scale",
        bind="query-params",
        help="linear compares heads; log brings out what is faint; row shows each row at its "
        "full strength.",
    )
    if scale == "linear" and len(text) >= _LONG:
        st.caption("Over many characters each share is small: log or row shows more.")
    return scale


def row_as_table(weights: np.ndarray, text: str, key: str = "query") -> None:
    """One row of a map in numbers, for those who cannot see it."""
    with st.expander("One row as a table"):
        query = query_control(text, key)
        # The table's own menu, which is there after a tap, would lie on the slider; so short a
        # sentence leaves it room.
        named = plain(style.positions(text)[query])
        st.caption(f"What {named} looks at, most first.")
        table = row_table(weights, text, query)
        share = st.column_config.NumberColumn(format="%.3g")
        st.dataframe(table, hide_index=True, column_config={"attention (share)": share})
