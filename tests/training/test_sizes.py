import dataclasses
import itertools
from types import SimpleNamespace

import pytest
import torch

from microgpt.model import without_weights
from microgpt.training.job_limits import MAX_PARAMETERS, MAX_SNAPSHOTS, MAX_STEPS
from microgpt.training.sizes import SIZES, estimate_seconds
from microgpt.training.snapshots import snapshot_steps
from tests.training.small_job import SHAPE, SHORT


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_size_may_be_trained_by_a_visitor_and_has_something_to_watch(size):
    assert without_weights(size.model).parameter_count() <= MAX_PARAMETERS
    assert size.train.steps <= MAX_STEPS and size.train.snapshot_count <= MAX_SNAPSHOTS
    steps = snapshot_steps(size.train.steps, size.train.snapshot_count)
    assert len(steps) > 20
    assert size.train.steps // size.train.eval_interval >= 40


def test_a_bigram_reads_one_character():
    assert SIZES["bigram"].model.block_size == 1


def test_the_estimate_leaves_out_the_time_that_others_use(monkeypatch):
    seconds = itertools.count()
    clock = SimpleNamespace(thread_time=lambda: next(seconds))
    monkeypatch.setattr("microgpt.training.sizes.time", clock)
    snapshots = len(snapshot_steps(SHORT.steps, SHORT.snapshot_count))
    estimates = snapshots + SHORT.steps // SHORT.eval_interval
    assert estimate_seconds(SHAPE, SHORT) == SHORT.steps + estimates + snapshots


def test_the_estimate_grows_with_the_steps_and_leaves_the_threads_alone():
    threads = torch.get_num_threads()
    many = dataclasses.replace(SHORT, steps=20_000, eval_interval=20)
    assert 0 < estimate_seconds(SHAPE, SHORT) < estimate_seconds(SHAPE, many)
    one = dataclasses.replace(SHAPE, block_size=1)
    assert estimate_seconds(one, SHORT) > 0
    assert torch.get_num_threads() == threads
