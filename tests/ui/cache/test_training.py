"""What the Train page keeps for all visitors."""

import pytest

from microgpt.training.job_status import JobError
from microgpt.training.sizes import SIZES
from microgpt.ui.cache import training


def test_an_app_without_training_has_no_runs(monkeypatch):
    monkeypatch.setenv("MICROGPT_TRAINING", "off")
    assert training.training_settings().at_once == 0
    with pytest.raises(JobError, match="does not train"):
        training.jobs()


def test_a_time_is_measured_once_for_each_setting(monkeypatch):
    size = SIZES["bigram"]
    calls = []
    training.estimated_seconds.clear()
    monkeypatch.setattr(
        training, "estimate_seconds", lambda model, train: calls.append(model) or 4.5
    )
    assert training.estimated_seconds(size.model, size.train) == 4.5
    assert training.estimated_seconds(size.model, size.train) == 4.5
    assert training.estimated_seconds(SIZES["small"].model, size.train) == 4.5
    assert len(calls) == 2
    training.estimated_seconds.clear()


def test_an_unknown_run_is_an_error(monkeypatch):
    monkeypatch.setenv("MICROGPT_TRAINING", "1")
    with pytest.raises(JobError):
        training.trained_checkpoint("none")
