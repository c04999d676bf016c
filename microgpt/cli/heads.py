"""Print what each head of a checkpoint looks at over the validation split, and what the loss
gains with it switched off."""

import argparse
from pathlib import Path

from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.heads import head_scores
from microgpt.checkpoint import HEAD_SCORES, CheckpointError, add_head_scores
from microgpt.cli.arguments import add_checkpoint, add_data, add_device, open_checkpoint, text_of
from microgpt.cli.progress import progress_bar
from microgpt.data import split
from microgpt.device import pick_device
from microgpt.errors import MicroGPTError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    add_data(parser)
    add_device(parser)
    parser.add_argument(
        "--write", action="store_true", help=f"also save it in the folder, as {HEAD_SCORES}"
    )


def run(args: argparse.Namespace) -> int:
    folder = Path(args.checkpoint)
    if args.write and not folder.is_dir():
        raise CheckpointError(f"--write needs a checkpoint folder, and {folder} is none")
    checkpoint = open_checkpoint(args.checkpoint)
    if checkpoint.config.block_size < 2:
        raise CheckpointError("with a window of one character, heads have nothing to choose from")
    device = pick_device(args.device)
    text = text_of(args.data)
    val = split(checkpoint.tokenizer.encode(text), checkpoint.config.block_size).val.to(device)
    with progress_bar("heads") as show:
        scores = head_scores(checkpoint.model.to(device), checkpoint.tokenizer, val, show)
    print(_table(scores))
    if args.write:
        try:
            add_head_scores(folder, scores, checkpoint.config)
        except OSError as error:
            raise MicroGPTError(f"cannot write {folder}: {error.strerror}") from error
    return 0


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
