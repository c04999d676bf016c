import contextlib
import dataclasses
import os
import re
import shutil
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.folder import RunFolder
from microgpt.training.loop import TrainError
from microgpt.training.run import train_checkpoint
from microgpt.training.snapshot_weights import weights_files
from microgpt.training.snapshots import snapshot_steps
from microgpt.training.state import TrainState
from tests.folders import names
from tests.models import OTHER_SHAPES
from tests.small_run import MODEL, STEPS, TRAINING, rows_of


def test_the_loss_record_is_in_the_checkpoint_and_in_the_state(trained_checkpoint):
    rows = checkpoint.load(trained_checkpoint).loss_record
    snapshots = set(snapshot_steps(STEPS))
    assert {row.step for row in rows} == {*range(0, STEPS + 1, 5)} | snapshots
    evaluated = {row.step for row in rows if row.val_loss is not None}
    assert evaluated == {0, STEPS // 2, STEPS} | snapshots
    kept = RunFolder(trained_checkpoint).loss_record
    assert kept.read_text() == (trained_checkpoint / "loss_record.csv").read_text()
    assert names(trained_checkpoint.parent) == {"words", "words.state"}


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
    refusal = "already exists" if not resume else "another run is writing to .*out; wait until"
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


def test_a_finished_run_is_trained_longer(corpus, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    rows_of(corpus, out)
    rows = rows_of(corpus, out, resume=True, steps=2 * STEPS)
    assert [row.step for row in rows] == list(range(STEPS + 1, 2 * STEPS + 1))
    rows_of(corpus, whole, steps=2 * STEPS)
    longer, expected = checkpoint.load(out), checkpoint.load(whole)
    assert longer.weights_sha256 == expected.weights_sha256
    assert longer.training.val_loss_full == expected.training.val_loss_full
    assert longer.training.changes == "at step 40: steps from 40 to 80"
    assert "Changed\n`at step 40: steps from 40 to 80`." in (out / "README.md").read_text("utf-8")
    assert expected.training.changes == ""

    steps = longer.snapshots.steps.tolist()
    assert steps[-1] == 2 * STEPS and STEPS in steps and len(steps) <= TrainConfig.snapshot_count
    assert sorted(weights_files(RunFolder(out).snapshots)) == steps
    assert {row.step for row in longer.loss_record if row.val_loss is not None} > set(steps)


def test_a_run_has_as_many_snapshots_as_its_settings_say(corpus, tmp_path):
    rows = rows_of(corpus, tmp_path / "out", snapshot_count=30)
    made = checkpoint.load(tmp_path / "out")
    assert made.snapshots.steps.tolist() == snapshot_steps(STEPS, 30)
    assert len(made.snapshots.steps) > TrainConfig.snapshot_count
    assert {row.step for row in rows if row.val_loss is not None} >= set(snapshot_steps(STEPS, 30))


def test_a_resumed_run_follows_the_new_schedule(corpus, tmp_path):
    out, rate = tmp_path / "out", 2**-8
    decay = {"decay_fraction": 1.0, "eval_batches": 1}
    first = rows_of(corpus, out, steps=4, learning_rate=rate, **decay)
    assert [row.learning_rate for row in first[1:]] == [rate, rate * 0.75, rate / 2, rate / 4]
    second = rows_of(corpus, out, resume=True, steps=8, learning_rate=2 * rate, **decay)
    assert [row.learning_rate for row in second] == [rate, rate * 0.75, rate / 2, rate / 4]
    changes = checkpoint.load(out).training.changes
    assert changes == f"at step 4: steps from 4 to 8, learning_rate from {rate} to {2 * rate}"
    rows_of(corpus, out, resume=True, steps=9, learning_rate=2 * rate, **decay)
    assert checkpoint.load(out).training.changes == f"{changes}; at step 8: steps from 8 to 9"


def test_a_run_flushes_only_files_that_are_open_for_writing(corpus, tmp_path, monkeypatch):
    """Windows refuses to flush any other, so the run would fail only after the training."""
    flush, flushed = os.fsync, []

    def flush_as_windows(descriptor: int) -> None:
        os.write(descriptor, b"")  # fails unless the file is open for writing
        flushed.append(descriptor)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", flush_as_windows)
    rows_of(corpus, tmp_path / "out", steps=2)
    assert len(flushed) > len(names(tmp_path / "out"))


# The learning rate rises until the loss does, and the loss rises until it overflows.
DIVERGING = (
    GPTConfig(**MODEL | {"n_layer": 4, "norm": "none"}),
    TrainConfig(
        **TRAINING
        | {"steps": 100, "learning_rate": 10.0, "warmup_steps": 2000}
        | {"ema_decay": 0.0, "eval_interval": 10}
    ),
)


def last_good_step(rows: list[LossRow]) -> int:
    """The last step whose training loss is not higher than before training."""
    losses = {row.step: row.train_loss for row in rows if row.train_loss is not None}
    return max(step for step, loss in losses.items() if loss <= losses[0])


def test_a_run_that_diverges_resumes_from_its_last_good_state(corpus, tmp_path):
    out, (model, high) = tmp_path / "out", DIVERGING
    rows: list[LossRow] = []
    with pytest.raises(TrainError) as caught:
        rows.extend(train_checkpoint(corpus, model, high, out, device="cpu"))
    good = last_good_step(rows)
    assert 0 < good < rows[-1].step - 10, "the loss was high before it was infinite"
    message = rf"^the loss is not finite at step {rows[-1].step + 1}; the state of step {good} is "
    assert re.match(message, str(caught.value))
    assert not out.exists()

    low = dataclasses.replace(high, learning_rate=1e-2, warmup_steps=0)
    resumed = list(train_checkpoint(corpus, model, low, out, device="cpu", resume=True))
    assert resumed[0].step == good + 1
    assert resumed[-1].train_loss < rows[0].train_loss / 2
    loaded = checkpoint.load(out)
    assert loaded.training.steps == 100
    assert sorted(weights_files(RunFolder(out).snapshots)) == loaded.snapshots.steps.tolist()


@pytest.mark.parametrize(("steps", "end"), [(100, 53), (53, 53)], ids=["interrupted", "finished"])
def test_a_run_that_ends_with_a_high_loss_keeps_its_last_good_state(corpus, tmp_path, steps, end):
    """Most people stop a run when they see its loss rise."""
    out, (model, config) = tmp_path / "out", DIVERGING
    config = dataclasses.replace(config, steps=steps)
    rows: list[LossRow] = []
    notes: list[str] = []
    for row in train_checkpoint(
        corpus,
        model,
        config,
        out,
        device="cpu",
        stop=lambda: rows[-1].step == end,
        note=notes.append,
    ):
        rows.append(row)
    good = last_good_step(rows)
    assert torch.load(RunFolder(out).state, weights_only=True)["step"] == good
    assert good < checkpoint.load(out).training.steps == end
    assert notes[0] == (
        f"the state of step {end} is not saved, because the training loss is higher than before "
        f"training; --resume continues from step {good}"
    )


def test_a_run_that_ends_with_a_good_state_says_nothing(corpus, tmp_path):
    notes: list[str] = []
    config, model, out = TrainConfig(**TRAINING), GPTConfig(**MODEL), tmp_path / "out"
    for _ in train_checkpoint(
        corpus, model, config, out, device="cpu", stop=lambda: True, note=notes.append
    ):
        pass
    assert notes == []


def test_the_weights_are_checked_once_at_each_evaluation(corpus, tmp_path, monkeypatch):
    checked: list[int] = []
    check_finite = TrainState.check_finite

    def counted(state: TrainState) -> None:
        checked.append(state.step)
        check_finite(state)

    monkeypatch.setattr(TrainState, "check_finite", counted)
    rows = rows_of(corpus, tmp_path / "out", steps=4)
    assert checked == [row.step for row in rows if row.val_loss is not None and row.step > 0]


def test_an_interrupt_does_not_save_weights_that_no_checkpoint_can_hold(
    corpus, tmp_path, monkeypatch
):
    made: list[TrainState] = []
    create = TrainState.create

    def create_and_keep(*args: object) -> TrainState:
        made.append(create(*args))
        return made[0]

    def stop() -> bool:
        if made[0].step < 25:  # between two evaluations
            return False
        torch.nn.init.constant_(made[0].result.head.bias, 1e6)
        return True

    monkeypatch.setattr(TrainState, "create", create_and_keep)
    model, config, out = GPTConfig(**MODEL), TrainConfig(**TRAINING), tmp_path / "out"
    with pytest.raises(TrainError, match="weights are not finite at step 25; the state of step 2"):
        list(train_checkpoint(corpus, model, config, out, device="cpu", stop=stop))
    assert torch.load(RunFolder(out).state, weights_only=True)["step"] == made[0].saved_step < 25
    assert not out.exists()


@pytest.fixture
def few_batch_losses(monkeypatch) -> int:
    """Let a loss record keep only this number of batch losses."""
    monkeypatch.setattr("microgpt.checkpoint.loss_record.MAX_BATCH_LOSSES", 10)
    return 10


def assert_thinned(out: Path, rows: list[LossRow], interval: int) -> None:
    """Assert that the record keeps all evaluations, and batch losses at multiples of a step."""
    record = checkpoint.load(out).loss_record
    measured = [row.step for row in rows if row.val_loss is not None or row.step % interval == 0]
    assert [row.step for row in record] == measured
    kept = RunFolder(out)
    assert kept.loss_record.read_bytes() == (out / checkpoint.LOSS_RECORD).read_bytes()
    state = torch.load(kept.state, weights_only=True)
    assert state["rows"]["step"] == measured


def test_the_record_is_thinned_while_it_grows(corpus, tmp_path, few_batch_losses):
    rows = rows_of(corpus, tmp_path / "out", log_interval=1, steps=50)
    assert all(row.batch_loss is not None for row in rows[1:]), "every step is measured"
    assert_thinned(tmp_path / "out", rows, interval=8)
    assert sum(row.val_loss is None for row in checkpoint.load(tmp_path / "out").loss_record) <= 10


def test_the_record_of_a_resumed_run_is_thinned_like_any_other(corpus, tmp_path, few_batch_losses):
    settings = {"log_interval": 1, "steps": 50}
    config, model, out = TrainConfig(**TRAINING | settings), GPTConfig(**MODEL), tmp_path / "out"
    begun: list[LossRow] = []
    for row in train_checkpoint(
        corpus, model, config, out, device="cpu", stop=lambda: begun[-1].step == 30
    ):
        begun.append(row)
    assert_thinned(out, begun, interval=4)
    rest = rows_of(corpus, out, resume=True, **settings)
    assert_thinned(out, begun + rest, interval=8)


def test_the_record_of_an_earlier_version_is_thinned_when_its_run_is_resumed(
    corpus, tmp_path, monkeypatch
):
    begun = rows_of(corpus, tmp_path / "out", log_interval=1)
    assert len(checkpoint.load(tmp_path / "out").loss_record) == STEPS + 1
    monkeypatch.setattr("microgpt.checkpoint.loss_record.MAX_BATCH_LOSSES", 10)
    rest = rows_of(corpus, tmp_path / "out", resume=True, log_interval=1, steps=STEPS + 2)
    assert_thinned(tmp_path / "out", begun + rest, interval=4)


def test_a_model_of_another_shape_is_trained_stopped_and_resumed(corpus, tmp_path):
    model = GPTConfig(**MODEL | OTHER_SHAPES["nanoGPT"])
    config = TrainConfig(**TRAINING | {"steps": 20, "optimizer": "muon", "init": "small"})
    straight = list(train_checkpoint(corpus, model, config, tmp_path / "one", device="cpu"))
    stopped = train_checkpoint(
        corpus, model, config, tmp_path / "two", device="cpu", stop=lambda: True
    )
    assert len(list(stopped)) < len(straight)
    resumed = train_checkpoint(corpus, model, config, tmp_path / "two", device="cpu", resume=True)
    rows = list(resumed)
    assert rows[-1].val_loss == pytest.approx(straight[-1].val_loss, abs=1e-6)
    assert rows[-1].val_loss < straight[0].val_loss
    loaded = checkpoint.load(tmp_path / "two")
    assert loaded.model.head.weight is loaded.model.token_embedding.weight
    assert loaded.head_scores is not None
