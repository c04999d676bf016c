import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from microgpt.checkpoint import load
from microgpt.ui.cache.results import in_turns, shared, turn
from tests.models import other_weights
from tests.ui.pages import run_script


def test_checkpoints_with_the_same_weights_share_a_result(tiny_checkpoint):
    counted = shared(max_entries=2)(lambda checkpoint: torch.zeros(1))
    one, same = load(tiny_checkpoint), load(tiny_checkpoint)
    assert counted(one) is counted(same)
    assert counted(one) is not counted(other_weights(one))


def remember(calls):
    """A script that calls session_result(); each result is the number of computations so far."""
    import streamlit as st

    from microgpt.ui.cache.results import session_result

    computed = st.session_state.setdefault("computed", [])
    results = st.session_state["results"] = []
    for key, may_compute in calls:

        def compute(key=key):
            computed.append(key)
            return len(computed)

        results.append(session_result("result", key, compute if may_compute else None))


def test_a_session_keeps_its_last_result():
    calls = [("a", False), ("a", True), ("a", True), ("a", False)]
    calls += [("b", False), ("b", True), ("a", True)]
    app = run_script(remember, calls)
    assert app.session_state["results"] == [None, 1, 1, 1, None, 2, 3]
    assert app.session_state["computed"] == ["a", "b", "a"]


def waiting_page():
    """A script that waits for its turn while a click ends it."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    from microgpt.ui.cache.results import turn

    if "waited" in st.session_state:
        st.session_state["again"] = True
        return
    st.session_state["waited"] = True
    get_script_run_ctx().script_requests.request_rerun(RerunData())
    with turn("a result"):
        st.session_state["had a turn"] = True


def test_a_click_ends_the_wait_for_a_result_of_another_visitor():
    with turn("a result"):
        app = run_script(waiting_page)
    assert "again" in app.session_state and "had a turn" not in app.session_state


def test_one_script_at_a_time_computes_a_result(tiny_checkpoint):
    entered, left, texts = threading.Event(), threading.Event(), []

    @in_turns
    def compute(checkpoint, text):
        texts.append(text)
        if texts == ["ba"]:
            entered.set()
            assert left.wait(60)
        return text

    one, same = load(tiny_checkpoint), load(tiny_checkpoint)  # of the same weights
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(compute, one, text="ba")
        assert entered.wait(60)
        second = pool.submit(compute, same, text="ba")
        assert compute(same, text="do") == "do", "another result does not wait"
        with pytest.raises(TimeoutError):
            second.result(0.3)
        assert texts == ["ba", "do"]
        left.set()
        assert first.result(60) == second.result(60) == "ba"
    assert texts == ["ba", "do", "ba"]
