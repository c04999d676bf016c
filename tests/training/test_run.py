import contextlib
import math
import shutil
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.heads import head_scores
from microgpt.analysis.loss import full_loss
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import split
from microgpt.training.loop import TrainError
from microgpt.training.run import RunFolder, train_checkpoint
from microgpt.training.snapshots import snapshot_steps
from microgpt.training.state import TrainState
from tests.folders import names
from tests.small_run import MODEL, STEPS, TRAINING


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


def test_the_loss_record_is_in_the_checkpoint_and_in_the_state(trained_checkpoint):
    rows = checkpoint.load(trained_checkpoint).loss_record
    snapshots = set(snapshot_steps(STEPS))
    assert {row.step for row in rows} == {*range(0, STEPS + 1, 5)} | snapshots
    evaluated = {row.step for row in rows if row.val_loss is not None}
    assert evaluated == {0, STEPS // 2, STEPS} | snapshots
    kept = RunFolder(trained_checkpoint).loss_record
    assert kept.read_text() == (trained_checkpoint / "loss_record.csv").read_text()
    assert names(trained_checkpoint.parent) == {"words", "words.state"}


def test_a_model_with_a_window_of_one_character_has_no_head_scores(corpus, tmp_path):
    model = GPTConfig(block_size=1, n_layer=1, n_head=1, n_embd=8)
    config = TrainConfig(steps=1, batch_size=1, eval_batches=1)
    for _ in train_checkpoint(corpus, model, config, tmp_path / "out", device="cpu"):
        pass
    assert checkpoint.load(tmp_path / "out").head_scores is None


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_records_the_same_losses(corpus, tmp_path):
    model = GPTConfig(**MODEL | {"dropout": 0.0, "n_layer": 1})
    config = TrainConfig(**TRAINING | {"steps": 5})

    def losses(out: Path, compiled: bool) -> torch.Tensor:
        rows = train_checkpoint(corpus, model, config, out, device="cpu", compiled=compiled)
        return torch.tensor(
            [
                (row.batch_loss, row.train_loss, row.val_loss)
                for row in rows
                if row.step > 0 and row.val_loss is not None
            ]
        )

    compiled, plain = (losses(tmp_path / str(flag), flag) for flag in (True, False))
    assert len(compiled) == len(snapshot_steps(5)) - 1
    torch.testing.assert_close(compiled, plain, atol=1e-4, rtol=0)


def test_the_state_is_saved_before_an_evaluated_row_is_yielded(corpus, tmp_path):
    model, config = GPTConfig(**MODEL), TrainConfig(**TRAINING)
    with contextlib.closing(
        train_checkpoint(corpus, model, config, tmp_path / "out", device="cpu")
    ) as rows:
        next(row for row in rows if row.step == 20)
    assert torch.load(RunFolder(tmp_path / "out").state, weights_only=True)["step"] == 20


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_run_that_would_write_to_the_same_folder_is_refused(corpus, tmp_path, resume):
    model, config, out = GPTConfig(**MODEL), TrainConfig(**TRAINING), tmp_path / "out"
    first = train_checkpoint(corpus, model, config, out, device="cpu")
    second = train_checkpoint(corpus, model, config, out, device="cpu")
    resumed = train_checkpoint(corpus, model, config, out, device="cpu", resume=True)
    next(first)
    record = RunFolder(out).loss_record.read_bytes()
    refusal = "already exists" if not resume else "another run is writing to .*out; wait for its"
    with pytest.raises(TrainError, match=refusal):
        next(resumed if resume else second)
    assert RunFolder(out).loss_record.read_bytes() == record
    for _ in first:
        pass
    assert checkpoint.load(out).training.steps == STEPS


def test_two_runs_that_start_at_the_same_time_do_not_mix(corpus, tmp_path, monkeypatch):
    """The second has made its checks before the first has written a file."""
    model, config, out = GPTConfig(**MODEL), TrainConfig(**TRAINING), tmp_path / "out"
    first = train_checkpoint(corpus, model, config, out, device="cpu")
    create = TrainState.create

    def create_late(*args: object) -> TrainState:
        monkeypatch.setattr(TrainState, "create", create)
        next(first)
        return create(*args)

    monkeypatch.setattr(TrainState, "create", create_late)
    with pytest.raises(TrainError, match="another run is writing to"):
        next(train_checkpoint(corpus, model, config, out, device="cpu"))
    for _ in first:
        pass
    assert checkpoint.load(out).training.steps == STEPS
