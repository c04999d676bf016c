import math

import pytest

from microgpt import checkpoint
from microgpt.analysis.heads import head_scores
from microgpt.analysis.loss import full_loss
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import split
from microgpt.training.loop import TrainError
from microgpt.training.run import train_checkpoint
from tests.small_run import MODEL, TRAINING


def test_the_saved_model_is_measured(trained_checkpoint, corpus):
    loaded = checkpoint.load(trained_checkpoint)
    val = split(loaded.tokenizer.encode(corpus), loaded.config.block_size).val
    loss = full_loss(loaded.model, val)
    assert loaded.training.val_loss_full == pytest.approx(loss, abs=5.1e-5)
    assert f"{loaded.training.val_loss_full:.4f}" in (trained_checkpoint / "README.md").read_text(
        "utf-8"
    )
    assert loss < math.log(loaded.config.vocab_size) - 0.2, "the model has learned something"
    scores = head_scores(loaded.model, loaded.tokenizer, val)
    assert loaded.head_scores.to_json() == scores.to_json()


def test_a_model_with_a_window_of_one_character_has_no_head_scores(corpus, tmp_path):
    model = GPTConfig(block_size=1, n_layer=1, n_head=1, n_embd=8)
    config = TrainConfig(steps=1, batch_size=1, eval_batches=1)
    for _ in train_checkpoint(corpus, model, config, tmp_path / "out", device="cpu"):
        pass
    assert checkpoint.load(tmp_path / "out").head_scores is None


def test_after_a_short_run_on_a_long_text_only_some_windows_are_measured(
    corpus, tmp_path, monkeypatch
):
    """The validation split has 37 windows, the run was trained on 4 x 40."""
    model, notes = GPTConfig(**MODEL), []

    def measured(minimum: int, steps: int) -> Checkpoint:
        monkeypatch.setattr("microgpt.training.finish.MIN_MEASURED_WINDOWS", minimum)
        config, out = TrainConfig(**TRAINING | {"steps": steps}), tmp_path / f"{minimum} {steps}"
        for _ in train_checkpoint(corpus, model, config, out, device="cpu", note=notes.append):
            pass
        return checkpoint.load(out)

    for minimum, steps in ((13, 1), (1, 40)):
        made = measured(minimum, steps)
        assert made.training.val_loss_full is not None and notes == []
        assert made.head_scores.positions == max(minimum, steps * 4 // 10) * 15
    short = measured(10, 1)
    assert short.training.val_loss_full is None
    assert short.head_scores.positions == 10 * 15
    (note,) = notes
    assert note.startswith("val_loss_full is not measured, because it would take more than a tenth")


def test_a_folder_that_appears_during_the_training_is_not_replaced(corpus, tmp_path):
    out, config = tmp_path / "out", TrainConfig(**TRAINING | {"steps": 2})
    rows = train_checkpoint(corpus, GPTConfig(**MODEL), config, out, device="cpu")
    next(rows)
    out.mkdir()
    (out / "notes.txt").touch()
    with pytest.raises(TrainError, match="is not a checkpoint, so it is not replaced"):
        list(rows)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    out.rename(tmp_path / "moved")
    for _ in train_checkpoint(corpus, GPTConfig(**MODEL), config, out, device="cpu", resume=True):
        pass
    assert checkpoint.load(out).training.steps == 2
