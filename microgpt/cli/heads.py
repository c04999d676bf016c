"""Measure what each attention head of a checkpoint attends to, on the validation split.

Prints a table with one row per head: its head scores, the entropy and mean distance of its
attention, and how much the loss rises when the head is ablated (column `ablation`). A head with a
high score is labelled with the name of the score. `repeated` is the induction score on random
characters, without white space, that are written twice. Layers and heads count from 1. The row
`uniform` holds the scores of uniform attention. The row `queries` holds the number of positions
that each score is averaged over.

For an encoder–decoder, the table has one row per cross-attention head: the share of its attention
from the year, the month and the day in the output to the characters that tell them, over held-out
phrases, and the share of exact translations when the head is ablated, of the whole date and of each
field. The row `all heads` holds the exact translations without ablation.
"""

import argparse

from microgpt.analysis.cross_scores import CrossScores, cross_scores
from microgpt.analysis.exact_match import COUNTED, held_out_phrases
from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.heads import head_scores
from microgpt.checkpoint import HEAD_SCORES, CheckpointError, add_head_scores
from microgpt.cli.arguments import (
    add_checkpoint,
    add_data,
    add_device,
    add_write,
    checkpoint_folder,
    held_out_pairs,
    is_pairs,
    open_checkpoint,
    open_pairs,
    text_of,
)
from microgpt.cli.progress import progress_bar
from microgpt.config import ConfigError
from microgpt.data import split
from microgpt.dates import FIELDS
from microgpt.device import pick_device
from microgpt.training.pair_finish import SCORED_PHRASES

ONE_CHARACTER = (
    "the context window of the model is one character, so there is no attention to measure"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    add_data(parser)
    add_device(parser)
    add_write(parser, "the scores", HEAD_SCORES)


def run(args: argparse.Namespace) -> int:
    folder = checkpoint_folder(args)
    if is_pairs(args.checkpoint):
        return _run_pairs(args)
    checkpoint = open_checkpoint(args.checkpoint)
    if checkpoint.config.block_size < 2:
        raise CheckpointError(ONE_CHARACTER)
    device = pick_device(args.device)
    text = checkpoint.tokenizer.fold(text_of(args.data, checkpoint.training.config))
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
    return _aligned(lines)


def _run_pairs(args: argparse.Namespace) -> int:
    if args.write or args.data is not None:
        raise ConfigError("--write and --data are for a GPT; leave them out")
    made = open_pairs(args.checkpoint)
    phrases = held_out_phrases(made.tokenizer, held_out_pairs(made), SCORED_PHRASES)
    scores = cross_scores(made.model, made.tokenizer, phrases, made.training.steps)
    print(_pair_table(scores))
    return 0


def _pair_table(scores: CrossScores) -> str:
    """Format one line per head, then the lines `uniform` and `all heads`."""
    lines = [["layer", "head", *FIELDS, *(f"{name} without" for name in COUNTED)]]
    shares, without = scores.shares[-1], scores.exact_without[-1]
    for layer in range(shares.size(0)):
        for head in range(shares.size(1)):
            numbers = [*shares[layer, head].tolist(), *without[layer, head].tolist()]
            lines.append([str(layer + 1), str(head + 1), *(f"{each:.3f}" for each in numbers)])
    lines.append(["uniform", "", *(f"{each:.3f}" for each in scores.uniform.tolist())])
    exact = [f"{each:.3f}" for each in scores.exact[-1].tolist()]
    lines.append(["all", "heads", *[""] * len(FIELDS), *exact])
    return _aligned(lines)


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(7, len(name)) for name in lines[0]]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    )
