"""Measure the loss of a checkpoint over the validation split, and print it as a JSON object.

The loss is the mean cross-entropy in nats per character. The validation split is the last 10 % of
the text.
"""

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
        "--sampled",
        action="store_true",
        help="also estimate the training and validation loss over 200 random batches of 64 "
        "windows, as the original does; slow without a GPU",
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
