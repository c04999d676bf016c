"""The frame of every page, and its title: what is shown before PyTorch is loaded.

PyTorch takes seconds to load, and the first visitor of a server waits for it. This module imports
only Streamlit, so that the visitor sees the title and the names of the pages meanwhile.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from microgpt.ui.history import restore_link

Link = Mapping[str, str | list[str]]
LAYOUT = Path(__file__).parents[2] / "assets" / "layout.css"
# The session's key of the open page's script.
PAGE = "page"
_HEADER = "page header"


def theme_style() -> str:
    """A style sheet with the theme's colours --page and --ink, for assets/layout.css.

    Streamlit itself gives the colours of the theme only to components.
    """
    rules = ""
    for name, option in (("page", "backgroundColor"), ("ink", "textColor")):
        light, dark = (st.get_option(f"theme.{each}.{option}") for each in ("light", "dark"))
        rules += f"--{name}: light-dark({light}, {dark}); "
    return f"<style>:root {{ {rules}}}</style>"


def page_links(pages: Sequence[StreamlitPage]) -> None:
    """Show links to all pages; only on a phone, where the sidebar is closed (assets/layout.css)."""
    with st.container(key="page_links", horizontal=True, gap="xsmall"):
        for page in pages:
            st.page_link(page, icon=None, width="content")


def start_session() -> None:
    """Prepare the run of a page; open the page that was requested before app.py ran, if any."""
    st.session_state["app_started"] = True
    restore_link()
    open_requested_page()


def page_title(title: str) -> None:
    """Show the title of a page, in the container that `header` returns."""
    container = st.container(key="page_header", horizontal=True, vertical_alignment="bottom")
    container.title(title, anchor=False, width="content")
    st.session_state[_HEADER] = container


def header(title: str) -> DeltaGenerator:
    """The container with the title of the page.

    app.py has shown it, unless Streamlit's test runner runs the page alone.
    """
    if _HEADER not in st.session_state:
        page_title(title)
    return cast(DeltaGenerator, st.session_state.pop(_HEADER))


def request_page(page: str, link: Link) -> None:
    """Have the next run of app.py switch to a page, with these parameters in its link."""
    st.session_state["requested_page"] = page, link


def open_requested_page() -> None:
    """Switch to the page that was requested, if any."""
    if requested := st.session_state.pop("requested_page", None):
        page, link = requested
        st.switch_page(page, query_params=link)
