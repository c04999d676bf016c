"""The row of buttons below a view: what to look at next, on this page or another one."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import streamlit as st
from streamlit.errors import StreamlitAPIException

from microgpt.ui.controls import Control
from microgpt.ui.frame import PAGE, Link, request_page
from microgpt.ui.text_input import fits_link

GENERATE, ATTENTION, INSIDE, LOSS_RECORD = (
    f"pages/{name}.py" for name in ("generate", "attention", "inside", "loss_record")
)


@dataclass(frozen=True)
class Step:
    """A button that opens a view.

    page: the path of its script. tab: the control of the page's tabs. view: the name of the view.
    prepare: called first, sets other controls. about: a longer label. link: the parameters of these
    controls, because Streamlit does not write the value of a control that was never drawn. A text
    that is too long for a link is left out.
    """

    label: str
    page: str
    tab: Control
    view: str
    prepare: Callable[[], None] | None = None
    about: str = ""
    link: Link = field(default_factory=dict)

    def take(self) -> None:
        """Open the view. For a callback."""
        if self.prepare is not None:
            self.prepare()
        self.tab.choose(self.view)
        fitting = {key: each for key, each in self.link.items() if fits_link("".join(each))}
        link = {self.tab.key: self.view, **fitting}
        if self.page != st.session_state[PAGE]:
            request_page(self.page, link)
            return
        for key, value in link.items():
            with contextlib.suppress(StreamlitAPIException):  # bound, so Streamlit writes it
                st.query_params[key] = value


def next_steps(*steps: Step) -> None:
    """Show a button for each step, in a row."""
    with st.container(key="next_steps", horizontal=True):
        for step in steps:
            icon = ":material/arrow_forward:"
            st.button(step.label, type="tertiary", icon=icon, on_click=step.take)
