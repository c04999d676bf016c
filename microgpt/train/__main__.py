"""Train a model. Run: python -m microgpt.train --preset tiny --out runs/tiny

Ctrl-C ends the run early and keeps its checkpoint; --resume goes on from the last saved state,
which stands beside the checkpoint in DIR.state, as do the weights of its snapshots. On several
GPUs:
torchrun --nproc_per_node N -m microgpt.train --preset seed --out runs/seed
"""

import argparse
import dataclasses
import functools
import hashlib
import json
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from tqdm import tqdm

from microgpt import baselines, checkpoint, loss_record, model_card
from microgpt.config import PRESETS, ConfigError, GPTConfig, TrainConfig
from microgpt.data import (
    TINY_SHAKESPEARE_SHA256,
    DataError,
    Splits,
    read_text,
    split,
    tiny_shakespeare,
)
from microgpt.evaluate import OUT_OF_MEMORY, DeviceError, full_loss, pick_device, progress_bar
from microgpt.head_scores import HeadScores
from microgpt.heads import head_scores
from microgpt.loss_record import LossRow
from microgpt.provenance import Training, code_commit, command_line, storable
from microgpt.throughput import characters_per_second, matmul_flops, matmul_share
from microgpt.tokenizer import CharTokenizer, TokenizerError
from microgpt.train import TrainError, distributed, train
from microgpt.train.snapshots import evolution, look, moment_steps, passage_ids, save_weights
from microgpt.train.state import TrainState, TrainStateError

# In a run's DIR.state: its weights at the steps that its checkpoint shows.
SNAPSHOTS = "snapshots"
_ERRORS = (
    checkpoint.CheckpointError,
    ConfigError,
    DataError,
    DeviceError,
    TokenizerError,
    TrainError,
    TrainStateError,
)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        count = distributed.world_size()
        return (f"{count} x " if count > 1 else "") + torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return f"{name}, {torch.get_num_threads()} threads"


def _set_values(pairs: list[str], model: GPTConfig, config: TrainConfig) -> tuple[Any, Any]:
    """Replace fields of the two configs by NAME=VALUE pairs. Raises ConfigError."""
    of_model: dict[str, Any] = {}
    of_train: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if equals and name in model.to_dict() and name != "vocab_size":
            of_model[name] = value
        elif equals and name in config.to_dict():
            of_train[name] = value
        else:
            raise ConfigError(f"--set {pair}: there is no such setting; write NAME=VALUE")
    return dataclasses.replace(model, **of_model), dataclasses.replace(config, **of_train)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m microgpt.train", description="Train a model on any text."
    )
    presets = "; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())
    parser.add_argument("--preset", choices=PRESETS, default="tiny", help=presets)
    parser.add_argument(
        "--data", type=Path, help="a UTF-8 text file (default: Tiny Shakespeare, downloaded once)"
    )
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint folder to write")
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    parser.add_argument("--compile", action="store_true", help="run through torch.compile")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last saved state")
    return parser.parse_args(argv)


class _Interrupt:
    """Turns the first Ctrl-C into a request to end after the step; a second one ends at once."""

    requested = False

    def __enter__(self) -> "_Interrupt":
        self._previous = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        for each, handler in self._previous.items():
            signal.signal(each, handler)

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def _show(bar: tqdm, row: LossRow) -> None:
    bar.update(row.step - bar.n)
    if row.batch_loss is not None:
        rate = row.tokens / row.seconds
        bar.set_postfix_str(f"loss {row.batch_loss:.4f}, {rate:,.0f} tokens/s")
    if row.val_loss is not None:
        line = f"step {row.step}: train {row.train_loss:.4f}, val {row.val_loss:.4f}"
        bar.write(line, file=sys.stderr)


def _train(
    state: TrainState,
    rows: Iterator[LossRow],
    config: TrainConfig,
    record_path: Path,
    save_state: Callable[[], None],
    look_now: Callable[[], None],
) -> None:
    """Consume the rows of the updates that are left: show them, add them to the record on disk.

    The model is looked at at its moments. The state is saved at each evaluation, and when Ctrl-C
    ends the run early; several processes ask each other about that at the rows of the record only.
    """
    writes = distributed.rank() == 0
    moments = moment_steps(config.steps)
    bar = tqdm(
        total=config.steps, initial=state.step, unit="step", file=sys.stderr, disable=not writes
    )
    with _Interrupt() as interrupt, bar:
        for row in rows:
            recorded = state.rows[-1] is row
            if writes:
                _show(bar, row)
            if writes and recorded:
                loss_record.append(record_path, row)
            if row.step in moments:
                look_now()
            ask = recorded or distributed.world_size() == 1
            stop = ask and any(distributed.gather(interrupt.requested))
            if row.val_loss is not None or stop:
                save_state()
            if stop:
                break


def run(args: argparse.Namespace) -> None:
    """Train as the command line says. Raises one of the package's errors or OSError."""
    device = pick_device(args.device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", distributed.local_rank())
    with distributed.group(device):
        _run(args, device)


def _run(args: argparse.Namespace, device: torch.device) -> None:
    out: Path = args.out
    state_folder = out.parent / f"{out.name}.state"
    state_path, record_path = state_folder / "state.pt", state_folder / checkpoint.LOSS_RECORD
    if not args.resume and (out.exists() or state_path.exists()):
        raise TrainError(f"{out} or its state is there already; pass --resume or another --out")
    if args.resume and not state_path.exists():
        raise TrainError(f"there is nothing to resume: {state_path} does not exist")
    distributed.gather(None)  # no process goes on before the others have looked

    preset = PRESETS[args.preset]
    model_config, config = _set_values(args.set, preset.model, preset.train)
    if config.batch_size % distributed.world_size():
        raise TrainError(
            f"batch_size is {config.batch_size}; "
            f"it must be a multiple of the {distributed.world_size()} processes"
        )
    data_path = args.data or tiny_shakespeare()
    text = read_text(data_path)
    tokenizer = CharTokenizer.from_text(text)
    model_config = dataclasses.replace(model_config, vocab_size=tokenizer.vocab_size)
    splits = split(tokenizer.encode(text), model_config.block_size)
    passage = passage_ids(tokenizer, splits.val, model_config)
    splits = Splits(*(part.to(device) for part in splits))

    digest = hashlib.sha256(text.encode()).hexdigest()  # the file's own: nothing is translated
    configs = {
        "model": model_config.to_dict(),
        "train": config.to_dict(),
        "data_sha256": digest,
    }
    state = TrainState.create(model_config, config, device)
    if args.resume:
        state.restore(state_path, configs)
    state_folder.mkdir(parents=True, exist_ok=True)
    if distributed.rank() == 0:
        record_path.write_text(loss_record.to_csv(state.rows), encoding="utf-8")

    def look_now() -> None:
        if distributed.rank() == 0:
            save_weights(state_folder / SNAPSHOTS, state.result, state.step)
            state.moments.append(look(state.result, tokenizer, passage, state.step))

    rows = train(state, splits, config, args.compile)
    save_state = functools.partial(state.save, state_path, configs)
    _train(state, rows, config, record_path, save_state, look_now)
    if distributed.rank() > 0:
        return

    is_shakespeare = digest == TINY_SHAKESPEARE_SHA256
    dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    devices = distributed.world_size() if device.type == "cuda" else 1
    training = Training(
        config=config,
        preset=args.preset,
        command=command_line(args.command),
        commit=args.commit,
        data="Tiny Shakespeare" if is_shakespeare else storable(data_path.name),
        data_sha256=digest,
        steps=state.step,
        tokens=state.step * config.batch_size * model_config.block_size,
        seconds=round(state.seconds, 1),
        matmul_flops=float(f"{devices * matmul_flops(device, dtype):.4g}"),
        finished=datetime.now(UTC).date().isoformat(),
        hardware=_hardware(device),
        torch=torch.__version__,
        val_loss_full=None,
    )
    less = baselines.fit(splits, tokenizer.vocab_size, config.seed)
    grown = evolution(state.moments, passage)

    def save(training: Training, heads: HeadScores | None = None) -> None:
        card = model_card.render(model_config, training, state.rows)
        parts = (state.result, tokenizer, state.rows, training, card, less, grown, heads)
        checkpoint.save(out, *parts)

    save(training)
    if state.step == config.steps:
        # Measured on what was saved: rounded to half precision and read back.
        saved = checkpoint.load(out).model.to(device)
        with progress_bar("val_loss_full") as show:
            loss = full_loss(saved, splits.val, progress=show)
        training = dataclasses.replace(training, val_loss_full=round(loss, 4))
        save(training)
        print(f"val_loss_full {loss:.4f}", file=sys.stderr)
        if model_config.block_size > 1:  # else heads have nothing to choose from
            with progress_bar("heads") as show:
                save(training, head_scores(saved, tokenizer, splits.val, show))
    print(f"{_speed(model_config, training)}\ncheckpoint: {out}", file=sys.stderr)


def _speed(model_config: GPTConfig, training: Training) -> str:
    if (share := matmul_share(model_config, training)) is None:
        return "too short a run to tell its speed"
    rate = characters_per_second(training)
    return f"{rate:,.0f} tokens/s, {share:.1%} of the measured matmul rate"


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    args.command = sys.argv[1:] if argv is None else argv
    args.commit = code_commit()  # of the code that runs, whatever is checked out meanwhile
    try:
        run(args)
    except _ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except torch.OutOfMemoryError:
        print(
            f"error: {OUT_OF_MEMORY}; pass a smaller --set batch_size or --device cpu",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        print(f"error: cannot write {args.out}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
