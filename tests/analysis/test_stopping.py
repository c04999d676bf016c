"""A computation can be ended between two operations."""

import pytest
import torch

from microgpt.analysis import stopping
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.stopping import Stoppable


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
