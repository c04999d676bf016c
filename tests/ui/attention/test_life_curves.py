import dataclasses

import pytest

from microgpt import checkpoint
from microgpt.ui.attention.life_curves import best_score, curve_steps, loss_curve, score_curves
from microgpt.ui.components.life.life import Curve
from microgpt.ui.head_choice import Choice


@pytest.fixture
def bare(tiny_checkpoint):
    """A checkpoint without snapshots and without their scores."""
    loaded = checkpoint.load(tiny_checkpoint)
    return dataclasses.replace(loaded, snapshots=None, snapshot_scores=None)


def test_without_snapshots_the_only_step_is_the_last_one(bare):
    assert curve_steps(bare) == [bare.training.steps]
    assert score_curves(bare, curve_steps(bare), Choice(0, 0)) == {}


def test_the_loss_is_that_of_the_record_at_each_step(bare):
    row = next(row for row in bare.loss_record if row.val_loss is not None)
    assert loss_curve(bare, [row.step, 10**9]).values == [row.val_loss, None]
    assert loss_curve(bare, [10**9]) is None


def curve(last, chance):
    return Curve("score", "of attention", [0.0, last], "score", [0.0, chance])


def test_the_best_score_is_furthest_above_uniform_attention_and_no_variant():
    curves = {"space": curve(0.5, 0.4), "previous": curve(0.3, 0.1), "induction-2": curve(0.9, 0.0)}
    assert best_score(curves) == "previous"
    assert best_score({}) is None
