"""The Baselines tab of the Loss record page."""

import dataclasses
from pathlib import Path

import pytest

from microgpt import checkpoint
from tests.ui.pages import BASELINES, LOSS_RECORD, captions, open_tab


def test_the_bundled_checkpoint_is_compared_with_the_baselines(app, monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT")
    open_tab(app, LOSS_RECORD, BASELINES)
    table = app.dataframe[0].value.set_index("model")
    assert list(table.index) == [
        "Uniform",
        "Unigram",
        "Bigram",
        "Attention and MLP",
        "Residual connections",
        "LayerNorm in each layer",
        "LayerNorm before the head",
        "The original's final model",
        "This checkpoint",
    ]
    assert "The first 3 models are baselines" in captions(app)
    assert table["ours (nats per character)"].dropna()["Uniform"] == pytest.approx(4.1744, abs=1e-4)
    assert (
        table["ours (nats per character)"]["This checkpoint"]
        < table["ours (nats per character)"]["LayerNorm before the head"]
    )


def test_a_checkpoint_of_another_text_has_no_column_of_the_original(app, monkeypatch):
    bundled = Path(__file__).parents[3] / "assets/checkpoints/induction"
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(bundled))
    open_tab(app, LOSS_RECORD, BASELINES)
    assert list(app.dataframe[0].value) == ["model", "ours (nats per character)", "description"]


def test_a_checkpoint_without_a_loss_record_shows_its_measured_loss(app, monkeypatch, tmp_path):
    made = checkpoint.load(Path(__file__).parents[3] / "assets/checkpoints/induction")
    training = dataclasses.replace(made.training, val_loss_full=2.5)
    without = dataclasses.replace(made, loss_record=[], training=training)
    checkpoint.save(tmp_path / "made", without)
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "made"))
    open_tab(app, LOSS_RECORD, BASELINES)
    table = app.dataframe[0].value.set_index("model")
    assert table["ours (nats per character)"]["This checkpoint"] == 2.5
    assert "So is this checkpoint" in captions(app)
