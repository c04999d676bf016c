"""Keep a value that a callback chose, although the browser then sends an older one.

With each message, such as the number that the pointer is on, the browser sends the values of all
widgets. It may do so before it has received a value that a callback set. Streamlit then ends the
run of the callback and takes the old value: a click would be lost. A hidden widget at the end of
the page says which run the browser has received last, and so which values are old. In one case a
new value is taken for an old one: if the visitor sets a control back to its old value while the run
that changed it still computes.
"""

from dataclasses import dataclass

import streamlit as st

from microgpt.ui.allowed import same
from microgpt.ui.history import stepped

_CHOICES = "choices"  # the session's key of the choices that the browser may not have received
_RUN = "number of this run"  # the session's key
_RECEIVED = "number of the received run"  # the key of the hidden widget
_MOST = 2**53 - 1  # the largest integer of JavaScript


@dataclass
class _Choice:
    """A chosen value, the values from before, and the first run that has drawn its widget."""

    value: object
    before: list[object]
    drawn: int | None = None


def choose(key: str, value: object) -> None:
    """Set the value of a widget by its key. For a callback."""
    choices = st.session_state.setdefault(_CHOICES, {})
    earlier = [*choices[key].before, choices[key].value] if key in choices else []
    choices[key] = _Choice(value, [*earlier, st.session_state.get(key)])
    st.session_state[key] = value


def mark_drawn(key: str) -> None:
    """Note that this run draws the widget."""
    choice = st.session_state.get(_CHOICES, {}).get(key)
    if choice is not None and choice.drawn is None:
        choice.drawn = st.session_state.get(_RUN)


def keep_choices() -> None:
    """Choose again what was chosen if the browser sent an older value. Begin each run with it."""
    choices: dict[str, _Choice] = st.session_state.setdefault(_CHOICES, {})
    received = st.session_state.get(_RECEIVED, 0)
    for key, choice in list(choices.items()):
        value = st.session_state.get(key)
        if stepped() or (choice.drawn is not None and choice.drawn <= received):
            del choices[key]
        elif not same(value, choice.value) and any(same(value, each) for each in choice.before):
            st.session_state[key] = choice.value
    st.session_state[_RUN] = st.session_state.get(_RUN, 0) + 1


def end_choices() -> None:
    """Forget what is chosen for widgets that the page does not have. End each run with it."""
    choices: dict[str, _Choice] = st.session_state.get(_CHOICES, {})
    for key in [key for key, choice in choices.items() if choice.drawn is None]:
        del choices[key]
    # The browser receives it after all widgets of the run.
    st.session_state[_RECEIVED] = st.session_state[_RUN]
    with st.container(key="hidden_run_number"):
        st.number_input("The number of the run", 0, _MOST, key=_RECEIVED)
