"""The browser's history: each choice is one entry, and Back and Forward open the link of an entry.

history.js, in the served page, makes the entries.
"""

from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def stepped() -> bool:
    """Whether this run is the first one after Back or Forward."""
    return _opened_by_history() is not None


def link() -> dict[str, list[str]]:
    """The parameters of the link, with all values of those that are there more than once."""
    return {key: st.query_params.get_all(key) for key in st.query_params}


def restore_link() -> None:
    """Restore the query parameters that Streamlit removed from the link of a history entry.

    On the way to another page, it removes those that belong to a control of the page that was open,
    even if the other page has a control with the same key, such as the name of the checkpoint.
    """
    opened = _opened_by_history()
    if opened is None:
        return
    kept = set(st.query_params)
    _set_parameters(opened)
    if kept != set(st.query_params):  # the browser's address lacks them too
        st.query_params.from_dict(link())


# Streamlit 1.67 has no public way to do what these two functions do. tests/ui/test_history.py fails
# if another version has changed what they use.


def _opened_by_history() -> str | None:
    """The query string that Back or Forward has opened; None unless this run is the first after."""
    context = get_script_run_ctx()
    return context.query_string if context and context.is_history_navigation else None


def _set_parameters(query_string: str) -> None:
    """Set the query parameters and the values of the controls that are bound to them."""
    context = get_script_run_ctx()
    assert context is not None  # a page is running
    with context.session_state.query_params() as parameters:
        parameters.set_initial_query_params(query_string)
        parameters.populate_from_query_string(query_string)
