"""Measure the loss of the end of a text by context length: of the last 48 characters, each
predicted from the 1, 2, 4, 8, … characters before it.

Prints a table with one row per context length. With --write, the checkpoint keeps the result, and
the Context length tab of the Generate page opens with this text at once.
"""

import argparse
from pathlib import Path

from microgpt.analysis.context_length import context_losses
from microgpt.checkpoint import CONTEXT_LOSSES, CheckpointError, add_context_losses
from microgpt.cli.arguments import add_checkpoint, add_write, checkpoint_folder, open_checkpoint
from microgpt.cli.progress import progress_bar
from microgpt.data import read_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    parser.add_argument(
        "--text",
        type=Path,
        metavar="FILE",
        help="a UTF-8 text file (default: the text of the existing result, or else the passage of "
        "the snapshots)",
    )
    add_write(parser, "the result", CONTEXT_LOSSES)


def run(args: argparse.Namespace) -> int:
    folder = checkpoint_folder(args)
    checkpoint = open_checkpoint(args.checkpoint)
    tokenizer = checkpoint.tokenizer
    if args.text is not None:
        ids = tokenizer.encode(tokenizer.fold(read_text(args.text)))
    elif checkpoint.context_losses is not None:
        ids = checkpoint.context_losses.ids
    else:
        ids = tokenizer.encode(checkpoint.passage)
    if len(ids) < 2:
        raise CheckpointError("the text needs two characters; the first one is not predicted")
    with progress_bar("context lengths", unit="length") as show:
        losses = context_losses(checkpoint.model, ids, show)
    print("length    loss")
    for length, loss in zip(losses.lengths, losses.surprisal.mean(dim=1).tolist(), strict=True):
        print(f"{length:6}  {loss:.4f}")
    if args.write:
        add_context_losses(folder, losses, checkpoint.config)
    return 0
