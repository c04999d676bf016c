"""Train a model on a text and write its checkpoint folder.

Ctrl-C ends the run after the current step and still writes the checkpoint. The training state and
the weights of each snapshot are saved in DIR.state; --resume continues from there. On several GPUs:
torchrun --nproc_per_node N -m microgpt train --preset seed --out runs/seed
"""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import code_commit, command_line
from microgpt.checkpoint.throughput import characters_per_second, estimate_mfu
from microgpt.cli.arguments import add_data, add_device
from microgpt.cli.progress import Bars
from microgpt.config import PRESETS, ConfigError, GPTConfig, TrainConfig
from microgpt.data import read_text, tiny_shakespeare
from microgpt.training import distributed
from microgpt.training.loop import TrainError
from microgpt.training.run import RunFolder, Source, train_checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    presets = "; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default="tiny",
        metavar="NAME",
        help=f"the model and its training settings (default: %(default)s). {presets}",
    )
    add_data(parser)
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
        f"Model: {_names(GPTConfig)}. Training: {_names(TrainConfig)}",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue a run from its last saved state"
    )


def _names(config: type[GPTConfig] | type[TrainConfig]) -> str:
    """The settings of a config that --set can change, as text."""
    return ", ".join(f.name for f in dataclasses.fields(config) if f.name != "vocab_size")


def run(args: argparse.Namespace) -> int:
    commit = code_commit()  # before training, during which another commit may be checked out
    preset = PRESETS[args.preset]
    RunFolder(args.out).check(args.resume)
    model_config, config = set_values(args.set, preset.model, preset.train)
    data_path = args.data or tiny_shakespeare()
    source = Source(data_path.name, args.preset, command_line(args.argv), commit)
    bars = Bars()
    with Interrupt() as interrupt, contextlib.closing(bars):
        rows = train_checkpoint(
            read_text(data_path),
            model_config,
            config,
            args.out,
            source=source,
            device=args.device,
            resume=args.resume,
            compiled=args.compile,
            stop=lambda: interrupt.requested,
            progress=bars.show,
        )
        try:
            made = _show(rows, config.steps, bars)
        except OSError as error:
            raise TrainError(f"cannot write {args.out}: {error.strerror}") from error
    if made is not None:
        print(f"{_summary(made)}\ncheckpoint: {args.out}", file=sys.stderr)
    return 0


def _show(
    rows: Generator[LossRow, None, Checkpoint | None], steps: int, bars: Bars
) -> Checkpoint | None:
    """Show the progress of a run and return its checkpoint; None unless this process has rank 0."""
    note = ""
    while True:
        try:
            row = next(rows)
        except StopIteration as end:
            return end.value
        writes = distributed.rank() == 0  # the rank is known only after the first row
        if row.batch_loss is not None:
            note = f"loss {row.batch_loss:.4f}, {row.tokens / row.seconds:,.0f} tokens/s"
        if writes:
            bars.show("", row.step, steps, unit="step", note=note)
        if writes and row.val_loss is not None:
            losses = f"train {row.train_loss:.4f}, val {row.val_loss:.4f}"
            tqdm.write(f"step {row.step}: {losses}", file=sys.stderr)


def set_values(
    pairs: list[str], model: GPTConfig, config: TrainConfig
) -> tuple[GPTConfig, TrainConfig]:
    """Change settings of the two configs by NAME=VALUE pairs. Raises ConfigError."""
    of_model: dict[str, Any] = {}
    of_train: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if equals and name in model.to_dict() and name != "vocab_size":
            of_model[name] = value
        elif equals and name in config.to_dict():
            of_train[name] = value
        else:
            raise ConfigError(f"--set {pair}: there is no such setting; write NAME=VALUE")
    return dataclasses.replace(model, **of_model), dataclasses.replace(config, **of_train)


class Interrupt:
    """Turns the first Ctrl-C or SIGTERM into a request to stop; a second one stops at once.

    A signal that the process ignores from the start, for example in a background job, stays
    ignored.
    """

    requested = False

    def __enter__(self) -> "Interrupt":
        signals = (signal.SIGINT, signal.SIGTERM)
        self._previous = {
            number: signal.signal(number, self._note)
            for number in signals
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __exit__(self, *exception: object) -> None:
        self._restore()


def _summary(made: Checkpoint) -> str:
    loss = made.training.val_loss_full
    lines = [] if loss is None else [f"val_loss_full {loss:.4f}"]
    if (share := estimate_mfu(made.config, made.training)) is None:
        lines.append("the run was too short to measure its speed")
    else:
        rate = characters_per_second(made.training)
        lines.append(f"{rate:,.0f} tokens/s, {share:.1%} of the measured matmul rate")
    return "\n".join(lines)
