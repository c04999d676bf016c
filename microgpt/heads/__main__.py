"""Scores of all heads. Run: python -m microgpt.heads --checkpoint DIR --data FILE [--write]"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import torch

from microgpt.checkpoint import CONFIG, HEAD_SCORES, CheckpointError
from microgpt.config import GPTConfig
from microgpt.data import DataError, read_text, split, tiny_shakespeare
from microgpt.evaluate import OUT_OF_MEMORY, DeviceError, pick_device, progress_bar
from microgpt.head_scores import HeadScores, HeadScoresError
from microgpt.heads import head_scores
from microgpt.hub import HubError, open_checkpoint
from microgpt.tokenizer import UnknownCharacterError

_ERRORS = (
    CheckpointError,
    DataError,
    DeviceError,
    HeadScoresError,
    HubError,
    UnknownCharacterError,
)


def add_to_checkpoint(folder: Path, scores: HeadScores, config: GPTConfig) -> None:
    """Put head_scores.json into a checkpoint's folder, whole or not at all.

    The folder can be read at every moment, without scores for some. Raises HeadScoresError for
    scores that could not be read again, OSError when the folder cannot be written.
    """
    text = scores.to_json()
    HeadScores.from_json(text, config.n_layer, config.n_head)
    values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    hashed = hashlib.sha256(text.encode()).hexdigest()
    hashes = {name: value for name, value in values["sha256"].items() if name != HEAD_SCORES}
    unlisted, listed = (
        json.dumps(values | {"sha256": each}, indent=1) + "\n"
        for each in (hashes, dict(sorted((hashes | {HEAD_SCORES: hashed}).items())))
    )
    steps = ((CONFIG, unlisted), (HEAD_SCORES, text), (CONFIG, listed))
    with tempfile.TemporaryDirectory(prefix=".scores.", dir=folder) as partial:
        parts = [Path(partial) / str(n) for n in range(len(steps))]
        for part, (_, content) in zip(parts, steps, strict=True):
            with open(part, "w", encoding="utf-8", newline="") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for part, (name, _) in zip(parts, steps, strict=True):
            os.replace(part, folder / name)


def _table(scores: HeadScores) -> str:
    """One line a head, both numbers from 1; then what even attention would score, and queries.

    The column `off` is what the loss gains without the head.
    """
    kinds = list(scores.scores)
    lines = [["layer", "head", *kinds, "entropy", "distance", "off", "badge"]]
    for layer in range(scores.entropy.size(0)):
        for head in range(scores.entropy.size(1)):
            values = [*scores.scores.values(), scores.entropy, scores.distance]
            badge = scores.badge(layer, head)
            numbers = [f"{value[layer, head]:.3f}" for value in values]
            numbers.append(f"{scores.off.loss_change[layer, head]:+.4f}")
            lines.append([str(layer + 1), str(head + 1), *numbers, badge.kind if badge else ""])
    lines.append(["even", "", *(f"{scores.even[kind]:.3f}" for kind in kinds)])
    lines.append(["queries", "", *(str(scores.counts[kind]) for kind in kinds)])
    widths = [max(7, len(name)) for name in lines[0]]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    )


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m microgpt.heads",
        description="Print what each head of a checkpoint looks at over the validation split, and "
        "what the loss gains with it switched off.",
    )
    parser.add_argument("--checkpoint", required=True, help="a folder, or USER/NAME on the Hub")
    parser.add_argument(
        "--data", type=Path, help="a UTF-8 text file (default: Tiny Shakespeare, downloaded once)"
    )
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")
    parser.add_argument(
        "--write", action="store_true", help=f"also save it in the folder, as {HEAD_SCORES}"
    )
    return parser.parse_args(argv)


def _run(args: argparse.Namespace) -> None:
    folder = Path(args.checkpoint)
    if args.write and not folder.is_dir():
        raise CheckpointError(f"--write needs a checkpoint folder, and {folder} is none")
    loaded = open_checkpoint(args.checkpoint).checkpoint
    if loaded.config.block_size < 2:
        raise CheckpointError("with a window of one character, heads have nothing to choose from")
    device = pick_device(args.device)
    text = read_text(args.data or tiny_shakespeare())
    val = split(loaded.tokenizer.encode(text), loaded.config.block_size).val.to(device)
    with progress_bar("heads") as show:
        scores = head_scores(loaded.model.to(device), loaded.tokenizer, val, show)
    print(_table(scores))
    if args.write:
        add_to_checkpoint(folder, scores, loaded.config)


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        _run(args)
    except _ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot write {args.checkpoint}: {error.strerror}", file=sys.stderr)
        return 2
    except torch.OutOfMemoryError:
        print(f"error: {OUT_OF_MEMORY}; pass --device cpu", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
