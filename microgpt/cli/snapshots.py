"""Recompute the snapshots of a checkpoint from the weights that were saved during training.

Each snapshot holds the attention weights and the predictions of the model for one passage, and a
sample of generated text, at one step of the training. The saved weights are in DIR.state/snapshots.
--head-scores also measures the head scores of every snapshot on the validation split of the text.
"""

import argparse
from pathlib import Path

from torch import Tensor

from microgpt import checkpoint
from microgpt.checkpoint import SNAPSHOT_SCORES, Checkpoint, CheckpointError
from microgpt.cli.arguments import add_data, add_device, text_of
from microgpt.cli.heads import ONE_CHARACTER
from microgpt.cli.progress import progress_bar
from microgpt.data import read_text, split
from microgpt.device import pick_device
from microgpt.training.folder import RunFolder
from microgpt.training.snapshots import recompute, recompute_scores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="DIR", help="the checkpoint folder"
    )
    parser.add_argument(
        "--passage",
        type=Path,
        metavar="FILE",
        help="a UTF-8 text file with the passage, which is cut to the context window (default: the "
        "passage of the existing snapshots, or else the most frequent characters)",
    )
    parser.add_argument(
        "--head-scores",
        action="store_true",
        help=f"also measure the head scores of every snapshot, and save them as {SNAPSHOT_SCORES}",
    )
    add_data(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    passage = None if args.passage is None else read_text(args.passage)
    opened = checkpoint.load(args.checkpoint)
    if passage is not None:
        passage = opened.tokenizer.fold(passage)
    val = _validation_split(args, opened) if args.head_scores else None
    folder = RunFolder(args.checkpoint.absolute()).snapshots
    with progress_bar("snapshots", unit="snapshot") as show:
        made = recompute(opened, folder, passage, show)
    checkpoint.add_snapshots(args.checkpoint, made, opened.config)
    if val is not None:
        with progress_bar("head scores", unit="snapshot") as show:
            scores = recompute_scores(opened, folder, val, show)
        checkpoint.add_head_scores(args.checkpoint, scores, opened.config)
    print(f"{len(made.steps)} snapshots of {len(made.passage)} characters: {args.checkpoint}")
    return 0


def _validation_split(args: argparse.Namespace, opened: Checkpoint) -> Tensor:
    if opened.config.block_size < 2:
        raise CheckpointError(ONE_CHARACTER)
    text = opened.tokenizer.fold(text_of(args.data, opened.training.config))
    ids = opened.tokenizer.encode(text)
    return split(ids, opened.config.block_size).val.to(pick_device(args.device))
