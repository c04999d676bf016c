"""The data of the training run's components."""

import torch

from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint.loss_record import LossRow
from microgpt.training.job_status import Sample
from microgpt.ui.components.training_run import training_run
from tests.ui.pages import component, run_script


def run_page(rows, samples):
    from microgpt.ui.components.training_run.training_run import training_run

    training_run("run", rows, 100, {"bigram": 2.34567, "uniform": 3.5}, samples, "mine-loss")


def run_data(rows, samples):
    return component(run_script(run_page, rows, samples))


def test_a_run_that_has_just_begun_has_no_points():
    data = run_data((), ())
    assert set(map(len, data["lines"].values())) == {0}
    assert data["samples"] == [] and data["steps"] == 100
    assert data["baselines"] == [["uniform", 3.5], ["bigram", 2.3457]]


def test_lines_hold_the_measured_points_only():
    rows = (
        LossRow(0, 0, 0.0, train_loss=3.4, val_loss=3.5),
        LossRow(5, 10, 1.0, batch_loss=3.12345),
    )
    data = run_data(rows, (Sample(0, "a\x07"),))
    assert data["lines"] == {
        "batch_loss": [[5, 3.1235]],
        "train_loss": [[0, 3.4]],
        "val_loss": [[0, 3.5]],
    }
    assert data["samples"] == [[0, "a\x07"]] and data["signs"] == {"\x07": "⟨0007⟩"}


def test_a_long_run_is_thinned_and_keeps_its_ends():
    rows = tuple(LossRow(step, step, 0.0, batch_loss=1.0) for step in range(1001))
    samples = tuple(Sample(step, "a") for step in range(500))
    data = run_data(rows, samples)
    for points, most in (
        (data["lines"]["batch_loss"], training_run.MAX_POINTS),
        (data["samples"], training_run.MAX_SAMPLES),
    ):
        assert len(points) == most
    assert [data["lines"]["batch_loss"][at][0] for at in (0, -1)] == [0, 1000]
    assert [data["samples"][at][0] for at in (0, -1)] == [0, 499]


def scores_at(level):
    """Two layers of two heads; the last one attends to the character before."""
    table = torch.zeros(2, 2)
    table[1, 1] = level
    tables = {"previous": table, "itself": torch.full((2, 2), 0.1), "induction-2": table}
    names = tables.keys()
    return HeadScores(
        positions=9,
        counts=dict.fromkeys(names, 9),
        uniform=dict.fromkeys(names, 0.2),
        scores=tables,
        entropy=torch.zeros(2, 2),
        distance=torch.zeros(2, 2),
    )


def heads_page(scores):
    from microgpt.ui.components.training_run.training_run import head_curves

    head_curves("heads", 100, scores, "a-text-heads")


def test_each_head_has_a_curve_for_each_score_and_its_best_one():
    history = {20: scores_at(0.6), 0: scores_at(0.05)}
    data = component(run_script(heads_page, history))
    assert (data["taken"], data["names"], data["columns"]) == ([0, 20], ["previous", "itself"], 2)
    assert data["file"] == "a-text-heads.svg"
    first, *_, last = data["heads"]
    assert (last["title"], last["best"], last["strong"]) == ("Layer 2, head 2", 0, True)
    assert last["curves"] == [[0.05, 0.6], [0.1, 0.1]]
    assert (first["best"], first["strong"]) == (1, False)
