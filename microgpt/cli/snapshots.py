"""Recompute the snapshots of a checkpoint from the weights that were saved during training.

Each snapshot holds the attention weights and the predictions of the model for one passage, and a
sample of generated text, at one step of the training. The saved weights are in DIR.state/snapshots.
"""

import argparse
from pathlib import Path

from microgpt import checkpoint
from microgpt.cli.progress import progress_bar
from microgpt.data import read_text
from microgpt.training.run import RunFolder
from microgpt.training.snapshots import recompute


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="DIR", help="the checkpoint folder"
    )
    parser.add_argument(
        "--passage",
        type=Path,
        metavar="FILE",
        help="a UTF-8 text file with the passage, which is cut to the context window (default: the "
        "passage of the existing snapshots, or else the one that training uses)",
    )


def run(args: argparse.Namespace) -> int:
    passage = None if args.passage is None else read_text(args.passage)
    opened = checkpoint.load(args.checkpoint)
    folder = RunFolder(args.checkpoint.absolute()).snapshots
    with progress_bar("snapshots", unit="snapshot") as show:
        made = recompute(opened, folder, passage, show)
    checkpoint.add_snapshots(args.checkpoint, made, opened.config)
    print(f"{len(made.steps)} snapshots of {len(made.passage)} characters: {args.checkpoint}")
    return 0
