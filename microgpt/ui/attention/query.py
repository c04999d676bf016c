"""Which character looks, for the tabs that show one row of a map."""

import streamlit as st

from microgpt.ui.widgets import follow_default, keep_within


def query_control(text: str, key: str = "query") -> int:
    """The position that looks, from 0; at first the last one, which decides the next character."""
    last = len(text)
    if last == 1:
        return 0
    follow_default(key, last)
    keep_within(key, last)
    return (
        st.slider(
            "Query position",
            1,
            last,
            last,
            key=key,
            bind="query-params",
            help="Which character looks. The last one is what the model decides the next on.",
        )
        - 1
    )
