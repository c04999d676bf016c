"""Whoever no longer waits for a text ends its computation, in Streamlit's own script runner."""

import pytest
from streamlit.testing.v1 import AppTest

from microgpt.ui.stream import CHECK_EVERY


def visit(folder, asks_for, at):
    """The script of a page that writes, and during which its visitor asks for something."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    from microgpt.checkpoint import load
    from microgpt.engine import Decoder
    from microgpt.sampling import SamplingConfig
    from microgpt.ui.stream import stream

    if "count" in st.session_state:
        st.session_state["again"] = True
        return
    counted = st.session_state["count"] = [0]
    requests = get_script_run_ctx().script_requests
    loaded = load(folder)
    written = stream(Decoder(loaded.model), loaded.tokenizer, "ba", 200, SamplingConfig())
    for count, _ in enumerate(written, start=1):
        counted[0] = count
        if count == at:
            if asks_for == "stop":
                requests.request_stop()
            elif asks_for == "rerun":
                requests.request_rerun(RerunData())


@pytest.mark.parametrize("at", [1, 7, 8, 9, 50])
@pytest.mark.parametrize("asks_for", ["stop", "rerun"])
def test_a_stop_or_a_rerun_soon_ends_the_generation(tiny_checkpoint, asks_for, at):
    """A closed tab is a stop to Streamlit."""
    args = (tiny_checkpoint, asks_for, at)
    app = AppTest.from_function(visit, args=args, default_timeout=60).run()
    assert not app.exception
    assert at <= app.session_state["count"][0] <= at + CHECK_EVERY < at + 12
    assert ("again" in app.session_state) == (asks_for == "rerun")


def test_without_a_request_the_whole_text_is_generated(tiny_checkpoint):
    args = (tiny_checkpoint, "nothing", 9)
    app = AppTest.from_function(visit, args=args, default_timeout=60).run()
    assert app.session_state["count"] == [200]
