"""The Baselines tab of the Loss record page."""

from pathlib import Path

import pytest

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
