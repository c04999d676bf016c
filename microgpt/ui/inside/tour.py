"""The tour: its tab, and the row on every other view while a tour is on."""

from functools import partial

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import Numbers
from microgpt.ui.attention.controls import attention_text
from microgpt.ui.controls import control
from microgpt.ui.frame import PAGE
from microgpt.ui.glossary import caption, with_definitions
from microgpt.ui.history import stepped
from microgpt.ui.inside.controls import TAB, TOUR
from microgpt.ui.inside.tour_stops import STOPS, tour_text
from microgpt.ui.next_steps import INSIDE, Step

# The number of the step, from 1; 0 while no tour is on.
STEP = control("tour_step")
_ALLOWED = Numbers(0, len(STOPS), 0)
_PAGE = "page of the tour's row"  # the session's key of the page that showed it last
_MOVES = "moves of the tour"  # the session's key of their number
# What the last view showed may be far down. The browser runs a script again if its text is new.
_TO_TOP = """<script>
document.querySelector('[data-testid="stMain"]').scrollTo(0, 0); // move {}
</script>"""


def tour_view(checkpoint: Checkpoint) -> None:
    """Show one step of the tour, with the button that opens its view."""
    number = max(1, STEP.value or 0)
    stop = STOPS[number - 1]
    with st.container(key="tour_steps", horizontal=True, gap="xsmall"):
        for at, each in enumerate(STOPS, start=1):
            st.button(
                str(at),
                key=f"tour step {at}",
                type="primary" if at == number else "secondary",
                help=each.title,
                on_click=go_to,
                args=(at,),
            )
    with st.container(key="tour", width=720):
        st.subheader(f"{number} of {len(STOPS)}: {stop.title}", anchor=False)
        prepared = tour_text(checkpoint)
        st.markdown(with_definitions(stop.about(checkpoint, prepared)), unsafe_allow_html=True)
        own = number == len(STOPS)
        text = attention_text(checkpoint, "Your own text") if own else prepared
        if text:
            step = stop.action(checkpoint, text)
            st.button(
                step.label,
                type="primary",
                icon=":material/arrow_forward:",
                on_click=partial(_take, step, number),
            )
        with st.container(horizontal=True):
            st.button("Back", disabled=number == 1, on_click=go_to, args=(number - 1,))
            st.button("Next", disabled=number == len(STOPS), on_click=go_to, args=(number + 1,))
            if STEP.value:
                st.button("End the tour", type="tertiary", on_click=go_to, args=(0,))
    caption(
        "Each step opens a view of this app in the right state. A row above the view brings you "
        "back, and the page’s address is a link to the step."
    )


def go_to(number: int) -> None:
    """Go to a step of the tour, or end it with 0. For a callback."""
    STEP.choose(number)
    st.session_state[_MOVES] = st.session_state.get(_MOVES, 0) + 1


def _take(step: Step, number: int) -> None:
    """Open the view of a step. For a callback."""
    go_to(number)
    step.take()


def tour_row(tab_key: str, tab: str) -> None:
    """Show the row of the tour, if one is on, unless the open tab is the tour itself.

    Its buttons lead back to the step, to the next one, and end the tour.
    """
    page = st.session_state[PAGE]
    if STEP.key in st.session_state and st.session_state.get(_PAGE) != page and not stepped():
        # In the first run of a page, Streamlit gives its widgets their defaults.
        st.session_state[STEP.key] = STEP.value
    st.session_state[_PAGE] = page
    with st.container(key="hidden_tour"):  # it keeps the step in the link
        number = st.number_input("Step of the tour", 0, len(STOPS), 0, **STEP.args(_ALLOWED))
        if moves := st.session_state.get(_MOVES):
            st.html(_TO_TOP.format(moves), unsafe_allow_javascript=True)
    if not number or (tab_key, tab) == (TAB.key, TOUR):
        # The tabs below keep their place. Where it changes, the browser builds them one by one,
        # and may stay at the tab that was open.
        st.empty()
        return
    stop = STOPS[number - 1]
    with st.container(key="tour_row", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"**Tour, step {number} of {len(STOPS)}: {stop.title}** · {stop.look}", width="stretch"
        )
        st.button("Back", key="tour back", on_click=partial(_open, number))
        if number < len(STOPS):
            st.button("Next", key="tour next", type="primary", on_click=partial(_open, number + 1))
        st.button("End", key="tour end", on_click=go_to, args=(0,))


def _open(number: int) -> None:
    """Open a step of the tour from any page. For a callback."""
    go_to(number)
    Step("", INSIDE, TAB, TOUR).take()
