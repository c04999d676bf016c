"""Generation in Streamlit's own script runner, which ends it at a stop or a rerun."""

import threading

import pytest

from microgpt.ui.stream import SLOWEST, SMOOTH, _interval
from tests.ui.pages import run_script


def write(folder, action, length):
    """The script of a page that writes a text; after each batch it is stopped or rerun."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    from microgpt.checkpoint import load
    from microgpt.engine import Scheduler, TorchBackend
    from microgpt.sampling import SamplingConfig
    from microgpt.ui.stream import stream

    if "batches" in st.session_state:
        st.session_state["again"] = True
        return
    batches = st.session_state["batches"] = []
    requests = get_script_run_ctx().script_requests
    loaded = load(folder)
    scheduler = st.session_state["scheduler"] = Scheduler(TorchBackend(loaded.model), loaded.config)
    for batch in stream(scheduler, loaded.tokenizer, "ba", length, SamplingConfig()):
        batches.append(batch)
        if action == "stop":
            requests.request_stop()
        elif action == "rerun":
            requests.request_rerun(RerunData())


@pytest.mark.parametrize("action", ["stop", "rerun"])
def test_a_stop_or_a_rerun_ends_the_generation_before_the_next_batch(tiny_checkpoint, action):
    """Streamlit stops the script of a closed tab."""
    app = run_script(write, tiny_checkpoint, action, 10**6)
    assert len(app.session_state["batches"]) == 1
    assert ("again" in app.session_state) == (action == "rerun")
    for thread in threading.enumerate():
        if thread.name == "scheduler":
            thread.join()
    assert app.session_state["scheduler"].texts == 0


def test_without_a_request_the_whole_text_is_generated(tiny_checkpoint):
    app = run_script(write, tiny_checkpoint, "nothing", 200)
    assert sum(map(len, app.session_state["batches"])) == 200


def test_many_texts_are_sent_less_often_but_never_slower_than_the_limit():
    intervals = [_interval(texts) for texts in (1, 5, 10, 30, 1000)]
    assert intervals[0] == intervals[1] == SMOOTH
    assert intervals == sorted(intervals)
    assert intervals[2] > SMOOTH and intervals[-1] == SLOWEST
