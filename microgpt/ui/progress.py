"""Long computations on a page: their progress bar, and their end when the visitor leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from microgpt.analysis.stopping import Turns


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], object]]:
    """Show a progress bar during the block; yield a function that updates it: (done, total)."""
    bar = st.progress(0.0, label)
    try:
        yield lambda done, total: bar.progress(done / total, f"{label} {done:,} of {total:,}")
    finally:
        bar.empty()


def ended_by_streamlit() -> Turns:
    """A block in which a rerun or a closed browser tab ends the script at any PyTorch operation.

    Otherwise Streamlit ends a script only at its next st.* call, and a computation for a visitor
    who has left would still use the cores. The operations of all visitors take turns.
    """
    return Turns(end_if_asked)


def end_if_asked() -> None:
    """End the script here if a rerun or a closed browser tab has asked Streamlit to end it."""
    st.session_state.get("any")  # any st.* call does that
