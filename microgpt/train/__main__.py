"""Train a model. Run: python -m microgpt.train --preset tiny --out runs/tiny

Ctrl-C ends the run early and keeps its checkpoint; --resume goes on from the last saved state,
which stands beside the checkpoint in DIR.state.
"""

import argparse
import dataclasses
import hashlib
import json
import platform
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from tqdm import tqdm

from microgpt import checkpoint, loss_record, model_card
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
from microgpt.provenance import Training, command_line, storable
from microgpt.tokenizer import CharTokenizer, TokenizerError
from microgpt.train import TrainError, train
from microgpt.train.state import TrainState, TrainStateError

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
        return torch.cuda.get_device_name(device)
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


def _train(
    state: TrainState,
    splits: Splits,
    config: TrainConfig,
    record_path: Path,
    save_state: Callable[[], None],
) -> None:
    """Make the updates that are left, showing them and adding to the record on disk.

    The state is saved at each evaluation, and when Ctrl-C ends the run early.
    """
    bar = tqdm(total=config.steps, initial=state.step, unit="step", file=sys.stderr)
    with _Interrupt() as interrupt, bar:
        for row in train(state, splits, config):
            bar.update(row.step - bar.n)
            if row.batch_loss is not None:
                rate = row.tokens / row.seconds
                bar.set_postfix_str(f"loss {row.batch_loss:.4f}, {rate:,.0f} tokens/s")
            if state.rows and state.rows[-1] is row:
                loss_record.append(record_path, row)
            if row.val_loss is not None:
                bar.write(
                    f"step {row.step}: train {row.train_loss:.4f}, val {row.val_loss:.4f}",
                    file=sys.stderr,
                )
            if row.val_loss is not None or interrupt.requested:
                save_state()
            if interrupt.requested:
                break


def run(args: argparse.Namespace) -> None:
    """Train as the command line says. Raises one of the package's errors or OSError."""
    out: Path = args.out
    state_folder = out.parent / f"{out.name}.state"
    state_path, record_path = state_folder / "state.pt", state_folder / checkpoint.LOSS_RECORD
    if not args.resume and (out.exists() or state_path.exists()):
        raise TrainError(f"{out} or its state is there already; pass --resume or another --out")
    if args.resume and not state_path.exists():
        raise TrainError(f"there is nothing to resume: {state_path} does not exist")
    device = pick_device(args.device)

    preset = PRESETS[args.preset]
    model_config, config = _set_values(args.set, preset.model, preset.train)
    data_path = args.data or tiny_shakespeare()
    text = read_text(data_path)
    tokenizer = CharTokenizer.from_text(text)
    model_config = dataclasses.replace(model_config, vocab_size=tokenizer.vocab_size)
    splits = split(tokenizer.encode(text), model_config.block_size)
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
    record_path.write_text(loss_record.to_csv(state.rows), encoding="utf-8")

    _train(state, splits, config, record_path, lambda: state.save(state_path, configs))

    is_shakespeare = digest == TINY_SHAKESPEARE_SHA256
    training = Training(
        config=config,
        preset=args.preset,
        command=command_line(args.command),
        data="Tiny Shakespeare" if is_shakespeare else storable(data_path.name),
        data_sha256=digest,
        steps=state.step,
        tokens=state.step * config.batch_size * model_config.block_size,
        seconds=round(state.seconds, 1),
        finished=datetime.now(UTC).date().isoformat(),
        hardware=_hardware(device),
        torch=torch.__version__,
        val_loss_full=None,
    )

    def save(training: Training) -> None:
        card = model_card.render(model_config, training, state.rows)
        checkpoint.save(out, state.result, tokenizer, state.rows, training, card)

    save(training)
    if state.step == config.steps:
        # Measured on what was saved: rounded to half precision and read back.
        with progress_bar("val_loss_full") as show:
            loss = full_loss(checkpoint.load(out).model.to(device), splits.val, progress=show)
        save(dataclasses.replace(training, val_loss_full=round(loss, 4)))
        print(f"val_loss_full {loss:.4f}", file=sys.stderr)
    print(f"checkpoint: {out}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    args.command = sys.argv[1:] if argv is None else argv
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
