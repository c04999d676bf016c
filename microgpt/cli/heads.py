"""Measure what each attention head of a checkpoint attends to, on the validation split.

Prints a table with one row per head: its head scores, the entropy and mean distance of its
attention, and how much the loss rises when the head is ablated (column `ablation`). A head with a
high score is labelled with it. `repeated` is the induction score on random characters that are
written twice. Layers and heads count from 1. The row `uniform` holds the scores of
uniform attention. The row `queries` holds the number of positions that each score is averaged over.
"""

import argparse
from pathlib import Path

from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.heads import head_scores
from microgpt.checkpoint import HEAD_SCORES, CheckpointError, add_head_scores
from microgpt.cli.arguments import add_checkpoint, add_data, add_device, open_checkpoint, text_of
from microgpt.cli.progress import progress_bar
from microgpt.data import split
from microgpt.device import pick_device

ONE_CHARACTER = (
    "the context window of the model is one character, so there is no attention to measure"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    add_data(parser)
    add_device(parser)
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"also save the scores in the checkpoint folder, as {HEAD_SCORES}",
    )


def run(args: argparse.Namespace) -> int:
    folder = Path(args.checkpoint)
    if args.write and not folder.is_dir():
        raise CheckpointError(f"--write needs a checkpoint folder; {folder} is not a folder")
    checkpoint = open_checkpoint(args.checkpoint)
    if checkpoint.config.block_size < 2:
        raise CheckpointError(ONE_CHARACTER)
    device = pick_device(args.device)
    text = checkpoint.tokenizer.fold(text_of(args.data))
    val = split(checkpoint.tokenizer.encode(text), checkpoint.config.block_size).val.to(device)
    with progress_bar("heads") as show:
        scores = head_scores(checkpoint.model.to(device), checkpoint.tokenizer, val, show)
    print(_table(scores))
    if args.write:
        add_head_scores(folder, scores, checkpoint.config)
    return 0


def _table(scores: HeadScores) -> str:
    """Format one line per head, then the lines `uniform` and `queries`."""
    assert scores.ablation is not None  # head_scores() always ablates
    names = list(scores.scores)
    repeated = [scores.repeated] if scores.repeated else []
    columns = [*names, *(["repeated"] if repeated else [])]
    lines = [["layer", "head", *columns, "entropy", "distance", "ablation", "label"]]
    for layer in range(scores.entropy.size(0)):
        for head in range(scores.entropy.size(1)):
            values = [*scores.scores.values(), *(each.scores for each in repeated)]
            values += [scores.entropy, scores.distance]
            label = scores.label(layer, head)
            numbers = [f"{value[layer, head]:.3f}" for value in values]
            numbers.append(f"{scores.ablation.loss_change[layer, head]:+.4f}")
            lines.append([str(layer + 1), str(head + 1), *numbers, label.name if label else ""])
    uniform = [*scores.uniform.values(), *(each.uniform for each in repeated)]
    queries = [*(scores.counts[name] for name in names), *(each.positions for each in repeated)]
    lines.append(["uniform", "", *(f"{value:.3f}" for value in uniform)])
    lines.append(["queries", "", *(str(count) for count in queries)])
    widths = [max(7, len(name)) for name in lines[0]]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    )
