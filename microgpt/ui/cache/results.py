"""The two kinds of results that the app keeps: for all visitors, and for one session."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import ParamSpec, TypeVar, overload
from weakref import WeakValueDictionary

import streamlit as st

from microgpt.checkpoint import AnyCheckpoint, Checkpoint, PairCheckpoint
from microgpt.ui.memory import release_large_blocks
from microgpt.ui.progress import end_if_asked

release_large_blocks()  # before the first array is cached

P = ParamSpec("P")
T = TypeVar("T")


def _fingerprint(checkpoint: AnyCheckpoint) -> str:
    return checkpoint.fingerprint


# Decorates a function whose results all visitors share; simultaneous calls compute a result once.
shared = partial(
    st.cache_resource,
    show_spinner=False,
    hash_funcs={Checkpoint: _fingerprint, PairCheckpoint: _fingerprint},
)


_TURNS: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()


@contextmanager
def turn(key: Hashable) -> Iterator[None]:
    """A block that one script at a time runs; a click or a closed tab ends the wait for it."""
    lock = _TURNS.setdefault(key, threading.Lock())
    while not lock.acquire(timeout=0.1):
        end_if_asked()
    try:
        yield
    finally:
        lock.release()


def in_turns(result: Callable[P, T]) -> Callable[P, T]:
    """Decorate a shared result so that a click or a closed tab ends the wait for it.

    Streamlit's own wait for a result that another visitor computes does not end.
    """

    @wraps(result, updated=())
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        given = (*args, *kwargs.values())
        inputs = (each.fingerprint if isinstance(each, AnyCheckpoint) else each for each in given)
        with turn((result, *inputs)):
            return result(*args, **kwargs)

    return call


@overload
def session_result(key: str, inputs: object, compute: Callable[[], T]) -> T: ...


@overload
def session_result(key: str, inputs: object, compute: Callable[[], T] | None) -> T | None: ...


def session_result(key: str, inputs: object, compute: Callable[[], T] | None) -> T | None:
    """Return the last result in this visitor's session under a key, or compute it.

    compute is called if the inputs differ from those of the last result. If compute is None, return
    the last result for the same inputs, or None.
    """
    last_inputs, result = st.session_state.get(key, (None, None))
    if last_inputs != inputs:
        if compute is None:
            return None
        result = compute()
        st.session_state[key] = (inputs, result)
    return result
