"""Print a checkpoint's loss over the validation split as one JSON object."""

import argparse
import json

from microgpt.analysis.loss import evaluate
from microgpt.cli.arguments import add_checkpoint, add_data, add_device, open_checkpoint, text_of
from microgpt.cli.progress import progress_bar
from microgpt.data import Splits, split
from microgpt.device import pick_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    add_data(parser)
    add_device(parser)
    parser.add_argument(
        "--sampled", action="store_true", help="also 200 random batches of 64 (for a GPU)"
    )


def run(args: argparse.Namespace) -> int:
    device = pick_device(args.device)
    checkpoint = open_checkpoint(args.checkpoint)
    text = text_of(args.data)
    splits = split(checkpoint.tokenizer.encode(text), checkpoint.config.block_size)
    splits = Splits(*(part.to(device) for part in splits))
    with progress_bar() as show:
        result = evaluate(checkpoint.model.to(device), splits, args.sampled, show)
    print(json.dumps(result))
    return 0
