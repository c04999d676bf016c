"""A complete training run: train on a text and write a checkpoint folder.

    rows = train_checkpoint(text, GPTConfig(n_layer=2), TrainConfig(steps=500), Path("runs/mine"))
    for row in rows:
        print(row.step, row.batch_loss)

The state that a resumed run needs is saved beside the checkpoint, in DIR.state.
"""

import math
from collections.abc import Callable, Generator
from pathlib import Path

import torch

from microgpt.checkpoint import AnyCheckpoint, loss_record
from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import GPTConfig, TrainConfig
from microgpt.device import pick_device
from microgpt.model import GPT
from microgpt.training import distributed
from microgpt.training.finish import Progress, Source, finish
from microgpt.training.folder import RunFolder
from microgpt.training.loop import TrainError, train
from microgpt.training.prepare import Run, begin, prepare
from microgpt.training.snapshot_weights import load_weights, save_weights, weights_file
from microgpt.training.snapshots import snapshot_steps, take_snapshot
from microgpt.training.state import DivergedError


def train_checkpoint(
    text: str | None,
    model_config: GPTConfig,
    config: TrainConfig,
    out: str | Path,
    *,
    source: Source | None = None,
    device: torch.device | str | None = None,
    resume: bool = False,
    compiled: bool = False,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Run], object] = lambda run: None,
    progress: Progress = lambda name, done, total: None,
    note: Callable[[str], object] = lambda sentence: None,
) -> Generator[LossRow, None, AnyCheckpoint | None]:
    """Train a model on a text: yield the rows of the loss record, return the saved checkpoint.

    text: None if config.task makes it. model_config: its vocab_size is ignored; the text sets the
    vocabulary. source: recorded in the checkpoint. resume: continue from the saved state; settings
    in MAY_CHANGE may differ from the saved ones, and the learning rate then follows the schedule of
    the new ones. compiled: use torch.compile. stop: called after each row, and before the first
    step of a resumed run; if it returns true, the run ends early and saves its checkpoint. watch:
    called with the run before each row is yielded; it may read the run, but not change it.
    progress: called during the measurements after training. note: called with a sentence about
    settings that changed, a state that is not saved, or a measurement that is left out. With
    several processes (torchrun), only the process with rank 0 returns a checkpoint; the others
    return None.

    Raises DataError or TokenizerError for a text that cannot be used, DeviceError, TrainError,
    ResumeError, TrainStateError, CheckpointError, and OSError if a file cannot be written.
    """
    chosen = pick_device(device if device is None else str(device))
    if chosen == torch.device("cuda"):  # without an index
        chosen = torch.device("cuda", distributed.local_rank())
    files = RunFolder(out)
    with distributed.group(chosen):
        files.check(resume)
        run = prepare(text, model_config, config, files, chosen)
        with files.locked(resume):
            begin(run, resume, note)
            if not (resume and any(distributed.gather(stop()))):
                yield from _train(run, compiled, stop, watch)
            if distributed.rank() > 0:
                return None
            return finish(run, source or Source(), progress, note)


def _train(
    run: Run, compiled: bool, stop: Callable[[], bool], watch: Callable[[Run], object]
) -> Generator[LossRow, None, None]:
    """Make the remaining updates; raise TrainError if the run diverges."""
    try:
        yield from _updates(run, compiled, stop, watch)
    except DivergedError as error:
        raise TrainError(
            f"{error}; the state of step {run.state.saved_step} is kept: pass --resume and a lower "
            "learning rate to continue from it",
            f"{error}; train again with a lower learning rate",
        ) from error


def _updates(
    run: Run, compiled: bool, stop: Callable[[], bool], watch: Callable[[Run], object]
) -> Generator[LossRow, None, None]:
    """Make the remaining updates, and save the loss record, snapshots and state on the way.

    The state is saved at each evaluation and when the run ends early, but not while the training
    loss is higher than before training: then the last good state is kept. Several processes agree
    on an early end only at the steps with a loss, because agreeing at every step would be slow.
    """
    state, files, config = run.state, run.files, run.config
    steps = snapshot_steps(config.steps, config.snapshot_count)
    writes = distributed.rank() == 0
    good, rows_written = True, len(state.rows)
    for row in train(state, run.splits, config, compiled):
        if writes and state.rows[-1] is row:
            if len(state.rows) == rows_written + 1:
                loss_record.append(files.loss_record, row)
            else:  # the record was thinned
                loss_record.write(files.loss_record, state.rows)
            rows_written = len(state.rows)
        if writes and row.step in steps:
            save_weights(files.snapshots, state.result, state.step)
            if isinstance(state.result, GPT):
                # Use the weights as saved, in float16, so that `recompute` gives the same snapshot.
                kept = load_weights(weights_file(files.snapshots, row.step), state.model.config)
                state.snapshots.append(take_snapshot(kept, run.tokenizer, state.passage, row.step))
        evaluated = row.val_loss is not None
        if row.train_loss is not None:
            good = row.train_loss <= (state.rows[0].train_loss or math.inf)
        if evaluated and good:  # before the consumer, which may leave here
            state.save(files.state, run.settings)
        watch(run)
        yield row
        logged = evaluated or row.batch_loss is not None
        ask = logged or distributed.world_size() == 1
        if ask and any(distributed.gather(stop())):
            if good and not evaluated:
                state.check_finite()  # `train` does so only at evaluations
                state.save(files.state, run.settings)
            return
