"""A complete training run: train on a text and write a checkpoint folder.

    rows = train_checkpoint(text, GPTConfig(n_layer=2), TrainConfig(steps=500), Path("runs/mine"))
    for row in rows:
        print(row.step, row.batch_loss)

The state that a resumed run needs is saved beside the checkpoint, in DIR.state.
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

import torch

from microgpt import atomic, checkpoint
from microgpt.analysis import baselines
from microgpt.analysis.heads import head_scores
from microgpt.analysis.loss import full_loss
from microgpt.checkpoint import Checkpoint, loss_record
from microgpt.checkpoint.limits import check_evaluations, check_model
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import UNKNOWN_COMMIT, Training, storable
from microgpt.config import MODEL_LIMITS, GPTConfig, TrainConfig
from microgpt.data import (
    TINY_SHAKESPEARE_SHA256,
    DataError,
    Splits,
    count_that_fits,
    fold_rare,
    split,
)
from microgpt.device import hardware_name, matmul_flops, pick_device
from microgpt.tokenizer import CharTokenizer
from microgpt.training import distributed
from microgpt.training.folder import RunFolder
from microgpt.training.loop import TrainError, train
from microgpt.training.settings import RunSettings
from microgpt.training.snapshots import (
    SNAPSHOT_COUNT,
    earlier_passage_ids,
    load_weights,
    nearest,
    passage_ids,
    save_weights,
    snapshot_steps,
    stack,
    take_snapshot,
    weights_file,
    weights_files,
)
from microgpt.training.state import DivergedError, TrainState

# After training, head scores are measured on at most this number of windows, or a tenth of the
# number trained on if that is more. A window costs about as much in both.
MIN_MEASURED_WINDOWS = 512

# Called with the name of a measurement, the number of units done, and their total.
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Source:
    """The origin of a run's text and code, as recorded in its checkpoint.

    sharing: the number of runs that share the hardware. If others do, the speed of its matrix
    products is not measured, because they would slow it down.
    """

    data: str = "unknown"
    preset: str = "none"
    command: str = "unknown"
    commit: str = UNKNOWN_COMMIT
    sharing: int = 1


@dataclasses.dataclass
class _Run:
    """A run that is ready to train: its text as ids, its state and its paths."""

    files: RunFolder
    config: TrainConfig
    tokenizer: CharTokenizer
    splits: Splits
    data_sha256: str
    settings: RunSettings
    state: TrainState
    device: torch.device


def train_checkpoint(
    text: str,
    model_config: GPTConfig,
    config: TrainConfig,
    out: Path,
    *,
    source: Source | None = None,
    device: torch.device | str | None = None,
    resume: bool = False,
    compiled: bool = False,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress = lambda name, done, total: None,
    note: Callable[[str], object] = lambda sentence: None,
) -> Generator[LossRow, None, Checkpoint | None]:
    """Train a model on a text: yield the rows of the loss record, return the saved checkpoint.

    model_config: its vocab_size is ignored; the text sets the vocabulary. source: recorded in the
    checkpoint. resume: continue from the saved state; settings in MAY_CHANGE may differ from the
    saved ones, and the learning rate then follows the schedule of the new ones. compiled: use
    torch.compile. stop: called after each row; if it returns true, the run ends early and saves its
    checkpoint. progress: called during the measurements after training. note: called with a
    sentence about settings that changed, a state that is not saved, or a measurement that is left
    out. With several processes (torchrun), only the process with rank 0 returns a checkpoint; the
    others return None.

    Raises DataError or TokenizerError for a text that cannot be used, DeviceError, TrainError,
    ResumeError, TrainStateError, CheckpointError, and OSError if a file cannot be written.
    """
    chosen = pick_device(device if device is None else str(device))
    if chosen == torch.device("cuda"):  # without an index
        chosen = torch.device("cuda", distributed.local_rank())
    files = RunFolder(out)
    with distributed.group(chosen):
        files.check(resume)
        run = _prepare(text, model_config, config, files, chosen)
        with files.locked(resume):
            _begin(run, resume, note)
            yield from _train(run, compiled, stop)
            if distributed.rank() > 0:
                return None
            return _finish(run, source or Source(), progress, note)


def _prepare(
    text: str,
    model_config: GPTConfig,
    config: TrainConfig,
    files: RunFolder,
    device: torch.device,
) -> _Run:
    if config.batch_size % distributed.world_size():
        raise TrainError(
            f"batch_size is {config.batch_size}; "
            f"it must be a multiple of the {distributed.world_size()} processes"
        )
    if not text:
        raise DataError("the text is empty; choose another with --data FILE")
    digest = hashlib.sha256(text.encode()).hexdigest()  # equals the SHA-256 of the file
    text = fold_rare(text, config.rare)
    most = int(MODEL_LIMITS["vocab_size"][1])
    if count := count_that_fits(text, most):
        raise DataError(
            f"the text has {len(set(text)):,} different characters, and a model knows at most "
            f"{most:,}; pass --rare {count} to replace those that occur fewer than {count} times"
        )
    tokenizer = CharTokenizer.from_text(text)
    model_config = dataclasses.replace(model_config, vocab_size=tokenizer.vocab_size)
    check_model(model_config)
    splits = split(tokenizer.encode(text), model_config.block_size)
    settings = RunSettings(model_config, config, digest)
    state = TrainState.create(model_config, config, device)
    _check_evaluations(state, config)
    state.passage = passage_ids(tokenizer, splits.val, model_config, digest)
    splits = Splits(*(part.to(device) for part in splits))
    return _Run(files, config, tokenizer, splits, digest, settings, state, device)


def _begin(run: _Run, resume: bool, note: Callable[[str], object]) -> None:
    """Restore the saved state if the run resumes it, and write the loss record so far."""
    state = run.state
    if resume:
        state.restore(run.files.state, run.settings)
        _check_evaluations(state, run.config)
        if not state.passage:
            length = state.snapshots[0].maps.size(-1)
            val = run.splits.val.cpu()
            state.passage = earlier_passage_ids(run.tokenizer, val, length)
        state.snapshots = nearest(state.snapshots, snapshot_steps(run.config.steps), state.step)
    if distributed.rank() == 0:
        if state.changes:
            note(f"changed settings: {state.changes}")
        _write_record(run)


def _write_record(run: _Run) -> None:
    with atomic.replacing(run.files.loss_record) as partial:
        record = loss_record.to_csv(run.state.rows)
        partial.write_text(record, encoding="utf-8", newline="")


def _check_evaluations(state: TrainState, config: TrainConfig) -> None:
    """Raise CheckpointError if the record would not hold the estimates of the rest of the run."""
    made = sum(row.val_loss is not None for row in state.rows)
    left = (config.steps - state.step) // config.eval_interval
    check_evaluations(made + left + SNAPSHOT_COUNT)


def _train(run: _Run, compiled: bool, stop: Callable[[], bool]) -> Generator[LossRow, None, None]:
    """Make the remaining updates; raise TrainError if the run diverges."""
    try:
        yield from _updates(run, compiled, stop)
    except DivergedError as error:
        raise TrainError(
            f"{error}; the state of step {run.state.saved_step} is kept: pass --resume and a lower "
            "learning rate to continue from it"
        ) from error


def _updates(run: _Run, compiled: bool, stop: Callable[[], bool]) -> Generator[LossRow, None, None]:
    """Make the remaining updates, and save the loss record, snapshots and state on the way.

    The state is saved at each evaluation and when the run ends early, but not while the training
    loss is higher than before training: then the last good state is kept. Several processes agree
    on an early end only at the steps with a loss, because agreeing at every step would be slow.
    """
    state, files, steps = run.state, run.files, snapshot_steps(run.config.steps)
    writes = distributed.rank() == 0
    good, rows_written = True, len(state.rows)
    for row in train(state, run.splits, run.config, compiled):
        if writes and state.rows[-1] is row:
            if len(state.rows) == rows_written + 1:
                loss_record.append(files.loss_record, row)
            else:  # the record was thinned
                _write_record(run)
            rows_written = len(state.rows)
        if writes and row.step in steps:
            save_weights(files.snapshots, state.result, state.step)
            # Use the weights as saved, in float16, so that `recompute` gives the same snapshot.
            kept = load_weights(weights_file(files.snapshots, row.step), state.model.config)
            state.snapshots.append(take_snapshot(kept, run.tokenizer, state.passage, row.step))
        evaluated = row.val_loss is not None
        if row.train_loss is not None:
            good = row.train_loss <= (state.rows[0].train_loss or math.inf)
        if evaluated and good:  # before the consumer, which may leave here
            state.save(files.state, run.settings)
        yield row
        logged = evaluated or row.batch_loss is not None
        ask = logged or distributed.world_size() == 1
        if ask and any(distributed.gather(stop())):
            if good and not evaluated:
                state.check_finite()  # `train` does so only at evaluations
                state.save(files.state, run.settings)
            return


def _finish(
    run: _Run, source: Source, progress: Progress, note: Callable[[str], object]
) -> Checkpoint:
    """Save the checkpoint, measure it, and save it again with the measurements.

    After a short run on a long text, only a part of the validation split is measured.
    """
    out, state, config = run.files.out, run.state, run.config
    kept = {snapshot.step for snapshot in state.snapshots}
    for step, path in weights_files(run.files.snapshots).items():
        if step not in kept:
            path.unlink()
    made = Checkpoint(
        model=state.result,
        tokenizer=run.tokenizer,
        loss_record=state.rows,
        training=_provenance(run, source),
        baselines=baselines.fit(run.splits, run.tokenizer.vocab_size, config.seed),
        snapshots=stack(state.snapshots, state.passage),
    )
    checkpoint.save(out, made)
    if state.saved_step < state.step:
        note(
            f"the state of step {state.step} is not saved, because the training loss is higher "
            f"than before training; --resume continues from step {state.saved_step}"
        )
    if state.step < config.steps:
        return checkpoint.load(out)
    # Measure the saved weights, which are rounded to float16.
    saved, val = checkpoint.load(out).model.to(run.device), run.splits.val
    tenth = max(MIN_MEASURED_WINDOWS, config.steps * config.batch_size // 10)
    # A forward pass alone takes a third of the time of an update.
    if len(val) // made.config.block_size <= 3 * tenth:
        loss = full_loss(
            saved, val, progress=lambda done, total: progress("val_loss_full", done, total)
        )
        training = dataclasses.replace(made.training, val_loss_full=round(loss, 4))
        made = dataclasses.replace(made, training=training)
        checkpoint.save(out, made)
    else:
        note(
            "val_loss_full is not measured, because it would take more than a tenth of the "
            "training time; `evaluate` measures it"
        )
    if made.config.block_size > 1:  # with one position, heads have no choice
        scores = head_scores(
            saved, run.tokenizer, val, lambda done, total: progress("heads", done, total), tenth
        )
        checkpoint.save(out, dataclasses.replace(made, head_scores=scores))
    return checkpoint.load(out)


def _provenance(run: _Run, source: Source) -> Training:
    config, state, device = run.config, run.state, run.device
    is_shakespeare = run.data_sha256 == TINY_SHAKESPEARE_SHA256
    dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    devices = distributed.world_size() if device.type == "cuda" else 1
    hardware, speed = hardware_name(device, devices), None
    if source.sharing > 1:
        hardware += f", shared by {source.sharing} runs"
    else:
        speed = float(f"{devices * matmul_flops(device, dtype):.4g}")
    return Training(
        config=config,
        preset=source.preset,
        command=source.command,
        commit=source.commit,
        data="Tiny Shakespeare" if is_shakespeare else storable(source.data),
        data_sha256=run.data_sha256,
        steps=state.step,
        tokens=state.step * config.batch_size * state.model.config.block_size,
        seconds=round(state.seconds, 1),
        matmul_flops=speed,
        finished=datetime.now(UTC).date().isoformat(),
        hardware=hardware,
        torch=torch.__version__,
        val_loss_full=None,
        changes=state.changes,
    )
