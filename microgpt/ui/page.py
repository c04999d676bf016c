"""The frame of every page: its title, the checkpoint picker and its tabs."""

from collections.abc import Callable, Mapping

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.errors import MicroGPTError
from microgpt.ui.allowed import OneOf
from microgpt.ui.checkpoints import checkpoint_picker
from microgpt.ui.controls import Control
from microgpt.ui.progress import ended_by_streamlit
from microgpt.ui.text import escaped


def start_session() -> None:
    """Record that app.py has run; open the page that was requested before that, if any."""
    st.session_state["app_started"] = True
    if page := st.session_state.pop("requested_page", None):
        st.switch_page(page, query_params=st.query_params.to_dict())


def page_header(page: str, title: str, caption: str) -> Checkpoint:
    """Show the title and the checkpoint picker of a page, and return the checkpoint.

    page: the path of its script. If the first visit to a server is a link to a page, Streamlit runs
    that page without app.py. This function then switches to app.py, which switches back.
    """
    if not st.session_state.get("app_started"):
        st.session_state["requested_page"] = page
        st.switch_page("app.py", query_params=st.query_params.to_dict())
    st.set_page_config(page_title=f"{title} · microGPT")
    st.title(title, anchor=False)
    st.caption(caption)
    return checkpoint_picker(st.container())


def show_views(
    checkpoint: Checkpoint, views: Mapping[str, Callable[[Checkpoint], None]], tab: Control
) -> None:
    """Show a page's views in tabs; only the open tab runs. The value of `tab` is its name.

    An error that a view raises takes the place of what it would show next.
    """
    names = list(views)
    tabs = st.tabs(names, **tab.args(OneOf(names, names[0])))
    for each, view in zip(tabs, views.values(), strict=True):
        if each.open:
            with each:
                try:
                    with ended_by_streamlit():
                        view(checkpoint)
                except MicroGPTError as error:
                    st.error(escaped(f"{error.for_visitors}."))
