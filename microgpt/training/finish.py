"""Finish a training run: save its checkpoint, with its provenance and with measurements."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import torch

from microgpt import checkpoint
from microgpt.analysis.exact_match import evaluate_pairs
from microgpt.analysis.heads import head_scores
from microgpt.analysis.loss import full_loss
from microgpt.checkpoint import AnyCheckpoint, Checkpoint, PairCheckpoint
from microgpt.checkpoint.provenance import UNKNOWN_COMMIT, Training, storable
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.device import hardware_name, matmul_flops
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.pairs import PairSplits
from microgpt.tasks import MAKERS
from microgpt.training import distributed
from microgpt.training.pair_finish import measure_snapshots
from microgpt.training.prepare import Run
from microgpt.training.snapshot_weights import weights_files
from microgpt.training.snapshots import nearest_steps, snapshot_steps, stack

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


def finish(
    run: Run, source: Source, progress: Progress, note: Callable[[str], object]
) -> AnyCheckpoint:
    """Save the checkpoint, measure it, and save it again with the measurements.

    After a short run of a GPT on a long text, only a part of the validation split is measured.
    """
    if isinstance(run.splits, PairSplits):
        return _finish_pairs(run, run.splits, source, progress, note)
    return _finish_text(run, source, progress, note)


def _finish_text(
    run: Run, source: Source, progress: Progress, note: Callable[[str], object]
) -> Checkpoint:
    out, state, config = run.files.out, run.state, run.config
    _keep(run, {snapshot.step for snapshot in state.snapshots})
    made = Checkpoint(
        model=run.gpt,
        tokenizer=run.tokenizer,
        loss_record=state.rows,
        training=_provenance(run, source),
        baselines=run.baselines,
        snapshots=stack(state.snapshots, state.passage),
    )
    _save(run, made, note)
    if state.step < config.steps:
        return checkpoint.load(out)
    # Measure the saved weights, which are rounded to float16.
    saved, val = checkpoint.load(out).model.to(run.device), run.text.val
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
    if made.config.block_size > 1:  # with one position, every attention weight is 1
        scores = head_scores(
            saved, run.tokenizer, val, lambda done, total: progress("heads", done, total), tenth
        )
        checkpoint.save(out, dataclasses.replace(made, head_scores=scores))
    return checkpoint.load(out)


def _finish_pairs(
    run: Run,
    splits: PairSplits,
    source: Source,
    progress: Progress,
    note: Callable[[str], object],
) -> PairCheckpoint:
    out, state, config = run.files.out, run.state, run.config
    wanted = snapshot_steps(config.steps, config.snapshot_count)
    taken = [step for step in weights_files(run.files.snapshots) if step <= state.step]
    steps = nearest_steps(taken, wanted, state.step)
    _keep(run, set(steps))
    model = state.result
    assert isinstance(model, EncoderDecoder)
    made = PairCheckpoint(model, run.tokenizer, state.rows, _provenance(run, source))
    _save(run, made, note)
    held_out = splits.val.to(torch.device("cpu"))
    snapshots, scores = measure_snapshots(
        run.files.snapshots,
        steps,
        made.config,
        run.tokenizer,
        held_out,
        lambda done, total: progress("cross heads", done, total),
    )
    made = dataclasses.replace(made, snapshots=snapshots, cross_scores=scores)
    if state.step == config.steps:
        measured = evaluate_pairs(
            checkpoint.load_pairs(out).model,  # the saved weights, which are rounded to float16
            run.tokenizer,
            held_out,
            lambda done, total: progress("exact_match", done, total),
        )
        training = dataclasses.replace(
            made.training,
            exact_match=measured["exact_match"],
            val_loss_full=measured["val_loss_full"],
        )
        made = dataclasses.replace(made, training=training)
    checkpoint.save(out, made)
    return checkpoint.load_pairs(out)


def _keep(run: Run, steps: set[int]) -> None:
    """Delete the weights of all snapshots but those of some steps."""
    for step, path in weights_files(run.files.snapshots).items():
        if step not in steps:
            path.unlink()


def _save(run: Run, made: AnyCheckpoint, note: Callable[[str], object]) -> None:
    """Save the checkpoint of a run, before it is measured."""
    state = run.state
    run.files.check_free()  # something may have been put there during the training
    checkpoint.save(run.files.out, made)
    if state.saved_step < state.step:
        note(
            f"the state of step {state.step} is not saved, because the training loss is higher "
            f"than before training; --resume continues from step {state.saved_step}"
        )


def _provenance(run: Run, source: Source) -> Training:
    config, state, device = run.config, run.state, run.device
    data = MAKERS[config.task].title if config.task in MAKERS else storable(source.data)
    if run.data_sha256 == TINY_SHAKESPEARE_SHA256:
        data = "Tiny Shakespeare"
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
        data=data,
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
