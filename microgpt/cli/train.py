"""Train a model on a text, or on a task, and write its checkpoint folder.

Ctrl-C ends the training after the current step and still writes the checkpoint; during the
measurements after the last step it ends the command at once. The training state and the weights of
each snapshot are saved in DIR.state; the same command with --resume continues from there. A resumed
run may change dropout, steps, the learning rates and their schedule, weight_decay, grad_clip,
precision and the intervals: `--resume --set steps=2000` trains longer. On several GPUs:
torchrun --nproc_per_node N -m microgpt train --preset seed --out runs/seed
"""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Generator
from pathlib import Path

from tqdm import tqdm

from microgpt.checkpoint import AnyCheckpoint, PairCheckpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import code_commit, command_line
from microgpt.checkpoint.throughput import characters_per_second, estimate_mfu
from microgpt.cli.arguments import add_data, add_device, set_values
from microgpt.cli.progress import Bars
from microgpt.config import TASKS, EncoderDecoderConfig, GPTConfig, TrainConfig
from microgpt.data import fold_rare, read_text, text_warnings, tiny_shakespeare
from microgpt.tasks import MAKERS
from microgpt.training import distributed
from microgpt.training.finish import Source
from microgpt.training.folder import RunFolder
from microgpt.training.interrupt import Interrupt
from microgpt.training.loop import TrainError
from microgpt.training.presets import PRESETS
from microgpt.training.run import train_checkpoint

_DEFAULT = "tiny"
# What the measurements after training count; others count windows.
_UNITS = {"cross heads": "snapshot", "exact_match": "phrase"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    presets = "; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        metavar="NAME",
        help="the model and its training settings (default: the preset with the name of the task, "
        f"or else {_DEFAULT}). {presets}",
    )
    add_data(parser)
    tasks = "; ".join(f"{name}: lines of {task.about}" for name, task in MAKERS.items())
    parser.add_argument(
        "--task",
        choices=TASKS,
        metavar="NAME",
        help="train on a text that the program makes, instead of --data; the same as --set "
        f"task=NAME (default: text, that of --data). {tasks}",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the checkpoint folder to write"
    )
    add_device(parser)
    parser.add_argument(
        "--compile", action="store_true", help="run the model through torch.compile"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change one setting of the preset; may be repeated. "
        f"Model: {_names(EncoderDecoderConfig)}. Training: {_names(TrainConfig)}",
    )
    parser.add_argument(
        "--rare",
        type=int,
        metavar="N",
        help="replace each character that occurs fewer than N times in the text by one character, "
        "U+FFFD; the same as --set rare=N (default: none is replaced)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue a run from its last saved state"
    )


def _names(config: type[GPTConfig] | type[TrainConfig]) -> str:
    """The settings of a config that --set can change, as text."""
    return ", ".join(f.name for f in dataclasses.fields(config) if f.name != "vocab_size")


def run(args: argparse.Namespace) -> int:
    commit = code_commit()  # before training, during which another commit may be checked out
    name = args.preset or (args.task if args.task in PRESETS else _DEFAULT)
    preset = PRESETS[name]
    RunFolder(args.out).check(args.resume)
    given = {"rare": args.rare, "task": args.task}
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    model_config, config = set_values([*args.set, *options], preset.model, preset.train)
    path = tiny_shakespeare() if args.data is None and config.task == "text" else args.data
    source = Source(path.name if path else "", name, command_line(args.argv), commit)
    text = read_text(path) if path else None
    if text is not None and distributed.local_rank() == 0:
        for warning in text_warnings(fold_rare(text, config.rare)):
            print(f"note: {warning}", file=sys.stderr)
    bars = Bars()
    with Interrupt() as interrupt, contextlib.closing(bars):
        rows = train_checkpoint(
            text,
            model_config,
            config,
            args.out,
            source=source,
            device=args.device,
            resume=args.resume,
            compiled=args.compile,
            stop=lambda: interrupt.requested,
            progress=lambda name, done, total: bars.show(
                name, done, total, _UNITS.get(name, "window")
            ),
            note=lambda sentence: tqdm.write(sentence, file=sys.stderr),
        )
        try:
            with contextlib.closing(rows):
                made = _show(rows, config.steps, bars, interrupt)
        except OSError as error:
            where = error.filename or args.out
            raise TrainError(f"cannot write {where}: {error.strerror}") from error
    if made is not None:
        print(f"{_summary(made)}\ncheckpoint: {args.out}", file=sys.stderr)
    return 0


def _show(
    rows: Generator[LossRow, None, AnyCheckpoint | None],
    steps: int,
    bars: Bars,
    interrupt: Interrupt,
) -> AnyCheckpoint | None:
    """Show the progress of a run and return its checkpoint; None unless this process has rank 0."""
    note = ""
    while True:
        try:
            row = next(rows)
        except StopIteration as end:
            return end.value
        writes = distributed.rank() == 0  # the rank is known only after the first row
        if row.batch_loss is not None:
            note = f"loss {row.batch_loss:.4f}, {row.tokens / row.seconds:,.0f} characters/s"
        if writes:
            bars.show("", row.step, steps, unit="step", note=note)
        if writes and row.val_loss is not None:
            losses = f"train {row.train_loss:.4f}, val {row.val_loss:.4f}"
            tqdm.write(f"step {row.step}: {losses}", file=sys.stderr)
        if row.step == steps:
            interrupt.restore()  # Ctrl-C ends the measurements at once


def _summary(made: AnyCheckpoint) -> str:
    loss, exact = made.training.val_loss_full, made.training.exact_match
    lines = [] if loss is None else [f"val_loss_full {loss:.4f}"]
    if exact is not None:
        lines.append(f"{exact:.2%} of the held-out phrases are translated exactly")
    if isinstance(made, PairCheckpoint):
        return "\n".join(lines)
    if (share := estimate_mfu(made.config, made.training)) is None:
        lines.append("the run was too short to measure its speed")
    else:
        rate = characters_per_second(made.training)
        lines.append(f"{rate:,.0f} characters/s, {share:.1%} MFU")
    return "\n".join(lines)
