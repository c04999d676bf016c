"""Results that the app keeps, for all sessions and for one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.model import GPT
from microgpt.ui import cache
from tests.ui.pages import run_script


def other_weights(loaded: Checkpoint) -> Checkpoint:
    torch.manual_seed(7)
    model = GPT(loaded.config).eval().requires_grad_(False)
    return replace(loaded, model=model, weights_sha256="0" * 64)


def test_concurrent_sessions_share_one_engine(tiny_checkpoint):
    cache.engine.clear()
    count = 8
    barrier = threading.Barrier(count)

    def open_session(folder):
        loaded = checkpoint.load(folder)  # its own object with the same weights
        barrier.wait()
        return cache.engine(loaded)

    with ThreadPoolExecutor(count) as pool:
        engines = list(pool.map(open_session, [tiny_checkpoint] * count))
    assert len({id(engine) for engine in engines}) == 1
    engines[0].wait()


def test_other_weights_have_another_engine_and_other_maps(tiny_checkpoint):
    one = checkpoint.load(tiny_checkpoint)
    other = other_weights(one)
    assert cache.engine(one) is not cache.engine(other)
    assert cache._packed_maps(one, "ba do") is cache._packed_maps(one, "ba do")
    first, second = (cache.attention_maps(each, "ba do").weights for each in (one, other))
    assert not torch.equal(first, second)


def remember(calls):
    """A script that calls session_result(); each result is the number of computations so far."""
    import streamlit as st

    from microgpt.ui.cache import session_result

    computed = st.session_state.setdefault("computed", [])
    results = st.session_state["results"] = []
    for key, may_compute, again in calls:

        def compute(key=key):
            computed.append(key)
            return len(computed)

        results.append(session_result("result", key, compute if may_compute else None, again))


def test_a_session_keeps_its_last_result():
    calls = [("a", False, False), ("a", True, False), ("a", True, False), ("a", False, False)]
    calls += [("b", False, False), ("b", True, False), ("b", True, True), ("a", True, False)]
    app = run_script(remember, calls)
    assert app.session_state["results"] == [None, 1, 1, 1, None, 2, 3, 4]
    assert app.session_state["computed"] == ["a", "b", "b", "a"]
