"""What the app keeps, for all visitors and for one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from streamlit.testing.v1 import AppTest

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.model import GPT
from microgpt.ui import cache


def other_weights(loaded: Checkpoint) -> Checkpoint:
    torch.manual_seed(7)
    model = GPT(loaded.config).eval().requires_grad_(False)
    return replace(loaded, model=model, weights_sha256="0" * 64)


def test_concurrent_sessions_share_one_engine(tiny_checkpoint):
    cache.engine.clear()
    count = 8
    together = threading.Barrier(count)

    def visit(folder):
        loaded = checkpoint.load(folder)  # a visitor's own object with the same weights
        together.wait()
        return cache.engine(loaded)

    with ThreadPoolExecutor(count) as pool:
        engines = list(pool.map(visit, [tiny_checkpoint] * count))
    assert len({id(engine) for engine in engines}) == 1
    engines[0].wait()


def test_other_weights_have_another_engine_and_other_maps(tiny_checkpoint):
    one = checkpoint.load(tiny_checkpoint)
    other = other_weights(one)
    assert cache.engine(one) is not cache.engine(other)
    assert cache.attention_maps(one, "ba do") is cache.attention_maps(one, "ba do")
    first, second = (cache.attention_maps(each, "ba do").weights for each in (one, other))
    assert not torch.equal(first, second)


def remembers(asked):
    """A script that remembers a value for each of the things asked of it."""
    import streamlit as st

    from microgpt.ui.cache import session_result

    made = st.session_state.setdefault("made", [])
    st.session_state["results"] = [
        session_result(
            "key", of, (lambda of=of: made.append(of) or len(made)) if can else None, again
        )
        for of, can, again in asked
    ]


def test_a_session_keeps_its_last_result():
    asked = [("a", False, False), ("a", True, False), ("a", True, False), ("a", False, False)]
    asked += [("b", False, False), ("b", True, False), ("b", True, True), ("a", True, False)]
    app = AppTest.from_function(remembers, args=(asked,)).run()
    assert not app.exception
    assert app.session_state["results"] == [None, 1, 1, 1, None, 2, 3, 4]
    assert app.session_state["made"] == ["a", "b", "b", "a"]
