"""Measure the loss of a checkpoint over the validation split, and print it as a JSON object.

The loss is the mean cross-entropy in nats per character. The validation split is the last 10 % of
the text. --words also measures the share of the words written by the model that occur in the text.
"""

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from microgpt import checkpoint
from microgpt.analysis.loss import evaluate
from microgpt.analysis.words import LENGTH, TEMPERATURE, TEXTS, word_share, write_texts
from microgpt.checkpoint import CheckpointError
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
    parser.add_argument(
        "--words",
        action="store_true",
        help=f"also write {TEXTS} texts of {LENGTH:,} characters at temperature {TEMPERATURE}, on "
        "the CPU, and print the share of their words that occur in the text, in any case",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="also record the loss, and the share of --words, in the checkpoint folder and its "
        "model card; the text must be the corpus of the checkpoint",
    )


def run(args: argparse.Namespace) -> int:
    device = pick_device(args.device)
    folder = Path(args.checkpoint)
    if args.write and not folder.is_dir():
        raise CheckpointError(f"--write needs a checkpoint folder; {folder} is not a folder")
    made, text = open_checkpoint(args.checkpoint), text_of(args.data)
    if args.write and hashlib.sha256(text.encode()).hexdigest() != made.training.data_sha256:
        raise CheckpointError("--write needs the text that the checkpoint was trained on")
    splits = split(made.tokenizer.encode(made.tokenizer.fold(text)), made.config.block_size)
    splits = Splits(*(part.to(device) for part in splits))
    result: dict[str, Any] = {}
    if args.words:  # before the model moves to another device
        with progress_bar("words", unit="character") as show:
            texts = write_texts(made.model, made.tokenizer, show)
        share = word_share(texts, text)
        result["word_share"] = None if share is None else round(share, 4)
    with progress_bar() as show:
        result = {**evaluate(made.model.to(device), splits, args.sampled, show), **result}
    print(json.dumps(result))
    if args.write:
        measured = {
            name: result[name] for name in ("val_loss_full", "word_share") if name in result
        }
        training = dataclasses.replace(made.training, **measured)
        checkpoint.replace_training(folder, dataclasses.replace(made, training=training))
    return 0
