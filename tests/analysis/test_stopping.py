"""A computation can be ended between two operations."""

import threading
from contextlib import nullcontext

import pytest
import torch

from microgpt.analysis import stopping
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.stopping import Stoppable, Turns


class Left(BaseException):
    """The visitor has left."""


def test_an_exception_ends_the_block_at_the_next_operation(model):
    def leave():
        raise Left

    with pytest.raises(Left), Stoppable(leave):
        attention_maps(model, [0, 1, 2])
    assert attention_maps(model, [0]).logits.isfinite().all()  # nothing stays behind


def test_the_results_are_the_same(model):
    plain = attention_maps(model, [0, 1, 2])
    with Stoppable(lambda: None):
        checked = attention_maps(model, [0, 1, 2])
    assert torch.equal(plain.weights, checked.weights) and torch.equal(plain.logits, checked.logits)


@pytest.mark.parametrize(("interval", "calls"), [(0.0, 10), (3600.0, 1)])
def test_it_is_checked_once_per_interval(monkeypatch, interval, calls):
    monkeypatch.setattr(stopping, "INTERVAL", interval)
    checked = []
    x = torch.zeros(1)
    with Stoppable(lambda: checked.append(1)):
        for _ in range(10):
            x = torch.sin(x)
    assert len(checked) == calls


@pytest.fixture
def turns(monkeypatch):
    """Two threads, whatever this machine has, which are set back after the test."""
    before = torch.get_num_threads()
    monkeypatch.setattr(Turns, "threads", 2)
    monkeypatch.setattr(Turns, "slots", threading.BoundedSemaphore(2))
    yield
    torch.set_num_threads(before)


def test_an_operation_has_all_threads_only_without_other_blocks(turns):
    x, used = torch.zeros(1), []
    with Turns(lambda: None):
        for other in (nullcontext(), Turns(lambda: None), nullcontext()):
            with other:
                _ = x + 1
                used.append(torch.get_num_threads())
    assert used == [2, 1, 2]


def test_each_operation_holds_one_of_the_slots(turns):
    free = []

    def count(one=None, other=None):
        taken = [Turns.slots.acquire(blocking=False) for _ in range(3)]
        free.append(sum(taken))
        Turns.slots.release(sum(taken))
        return one

    with Turns(lambda: None):
        torch.zeros(1).map_(torch.zeros(1), count)
    count()
    assert free == [1, 2]
