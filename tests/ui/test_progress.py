"""Long computations show their progress and end when their visitor leaves."""

import threading

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.pages import run_script

GIVEN_UP = threading.Event()  # ends the computation if nothing else does


def endless_page():
    """A script that computes until it is stopped."""
    import torch

    from microgpt.ui.progress import ended_by_streamlit
    from tests.ui.test_progress import GIVEN_UP

    x = torch.zeros(1)
    with ended_by_streamlit():
        while not GIVEN_UP.is_set():
            x = x + 1


def progress_page(fails):
    """A script whose computation fails, or not."""
    from microgpt.errors import MicroGPTError
    from microgpt.ui.progress import progress_bar

    try:
        with progress_bar("Counting …") as show:
            show(1, 2000)
            if fails:
                raise MicroGPTError("it failed")
    except MicroGPTError as error:
        import streamlit as st

        st.error(str(error))


def test_a_computation_ends_when_its_script_is_stopped():
    # After the timeout, Streamlit asks the script to stop and waits for its end.
    timer = threading.Timer(60, GIVEN_UP.set)
    timer.start()
    with pytest.raises(RuntimeError, match="timed out"):
        AppTest.from_function(endless_page, default_timeout=2).run()
    timer.cancel()
    assert not GIVEN_UP.is_set()


@pytest.mark.parametrize("fails", [False, True])
def test_the_progress_bar_is_removed_at_the_end(fails):
    app = run_script(progress_page, fails)
    assert not app.get("progress")
    assert [each.value for each in app.error] == ["it failed"] * fails
