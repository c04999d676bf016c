"""Loss over a text. Run: python -m microgpt.evaluate --checkpoint DIR --data FILE"""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.data import (
    DataError,
    Splits,
    random_batch,
    read_text,
    split,
    tiny_shakespeare,
    windows,
)
from microgpt.model import GPT
from microgpt.tokenizer import UnknownCharacterError

# The original's protocol for an estimate: 200 random batches of 64 windows.
SAMPLED_BATCHES, SAMPLED_BATCH_SIZE, SAMPLED_SEED = 200, 64, 1337
# What is said where the device is there, but full.
OUT_OF_MEMORY = "the GPU has too little free memory"


class DeviceError(ValueError):
    """The device asked for is not there."""


def pick_device(name: str | None) -> torch.device:
    """The device named, else CUDA where there is one, else the CPU. Raises DeviceError."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise DeviceError(f"there is no device called {name!r}; pass cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError("there is no CUDA device here; pass --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise DeviceError(f"there is no {name}; the last CUDA device here is cuda:{count - 1}")
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"{name!r} is not supported; pass cpu or cuda")
    return device


@contextmanager
def progress_bar(title: str | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that counts windows, moved by what full_loss takes as progress."""
    with tqdm(desc=title, unit="window", file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def batch_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of a batch (B, T), nats per character, as a float32 scalar."""
    logits = model(inputs)  # (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


@torch.inference_mode()
def full_loss(
    model: GPT,
    data: Tensor,
    batch_size: int = 16,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> float:
    """Mean loss, nats per character, over every non-overlapping window of data (1-D).

    Deterministic; the model must be in eval mode. progress is told windows done and in all.
    """
    inputs, targets = windows(data, model.config.block_size)
    total = 0.0
    for at in range(0, len(inputs), batch_size):
        x, y = inputs[at : at + batch_size], targets[at : at + batch_size]
        total += batch_loss(model, x, y).item() * len(x)
        progress(at + len(x), len(inputs))
    return total / len(inputs)


@torch.inference_mode()
def text_logits(
    model: GPT,
    data: Tensor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Logits (N - 1, V) of every character of data (N,) but the first, each from what precedes it.

    A full window slides on by half of itself, so that past the first one a character has at least
    half a window before it. progress is told characters done and in all. Raises ValueError for
    less than two characters.
    """
    inputs, size = data[:-1], model.config.block_size
    if not len(inputs):
        raise ValueError("a text needs two characters")
    parts: list[Tensor] = []
    done = 0
    while done < len(inputs):
        start = max(0, done - size // 2)
        window = inputs[start : start + size]
        parts.append(model(window[None])[0, done - start :])
        done = start + len(window)
        progress(done, len(inputs))
    return torch.cat(parts)


def text_loss(
    model: GPT,
    data: Tensor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> float:
    """Mean loss, nats per character, over what text_logits predicts. Raises ValueError likewise."""
    return F.cross_entropy(text_logits(model, data, progress), data[1:]).item()


@torch.inference_mode()
def sampled_loss(
    model: GPT, data: Tensor, batches: int, batch_size: int, generator: torch.Generator
) -> float:
    """Mean loss, nats per character, over random batches: the original's protocol."""
    losses = torch.zeros((), device=data.device)
    for _ in range(batches):
        x, y = random_batch(data, batch_size, model.config.block_size, generator)
        losses += batch_loss(model, x, y)
    return (losses / batches).item()


def evaluate(
    model: GPT,
    splits: Splits,
    sampled: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, float | int]:
    """What the command prints: sizes, losses in nats per character, and bits per character.

    sampled adds the original's protocol, 200 random batches of 64 windows of each split.
    """
    loss = full_loss(model, splits.val, progress=progress)
    result: dict[str, float | int] = {
        "parameters": model.parameter_count(),
        "val_loss_full": loss,
        "bits_per_char": loss / math.log(2),
    }
    if sampled:
        generator = torch.Generator().manual_seed(SAMPLED_SEED)
        for name, data in (("val", splits.val), ("train", splits.train)):
            key = f"{name}_loss_sampled"
            result[key] = sampled_loss(model, data, SAMPLED_BATCHES, SAMPLED_BATCH_SIZE, generator)
    return {name: round(x, 4) if isinstance(x, float) else x for name, x in result.items()}


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m microgpt.evaluate",
        description="Print a checkpoint's loss over the validation split as one JSON object.",
    )
    parser.add_argument("--checkpoint", required=True, help="a folder, or USER/NAME on the Hub")
    parser.add_argument(
        "--data", type=Path, help="a UTF-8 text file (default: Tiny Shakespeare, downloaded once)"
    )
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    parser.add_argument(
        "--sampled", action="store_true", help="also 200 random batches of 64 (for a GPU)"
    )
    return parser.parse_args(argv)


def _open(text: str) -> Checkpoint:
    """A folder's checkpoint, or a repo's, for which alone the Hub's client is needed.

    Raises CheckpointError.
    """
    if os.path.isdir(text):
        return checkpoint.load(Path(text))
    from microgpt.hub import HubError, open_checkpoint

    try:
        return open_checkpoint(text).checkpoint
    except HubError as error:
        raise CheckpointError(str(error)) from error


def _run(args: argparse.Namespace) -> int:
    try:
        device = pick_device(args.device)
        loaded = _open(args.checkpoint)
        text = read_text(args.data or tiny_shakespeare())
        splits = split(loaded.tokenizer.encode(text), loaded.config.block_size)
    except (CheckpointError, DataError, DeviceError, UnknownCharacterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    splits = Splits(*(part.to(device) for part in splits))
    with progress_bar() as show:
        result = evaluate(loaded.model.to(device), splits, args.sampled, show)
    print(json.dumps(result))
    return 0


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        return _run(args)
    except torch.OutOfMemoryError:
        print(f"error: {OUT_OF_MEMORY}; pass --device cpu", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
