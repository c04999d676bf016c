"""Measure the loss of a checkpoint over the validation split, and print it as a JSON object.

The loss is the mean cross-entropy in nats per character. The validation split is the last 10 % of
the text. --words also measures the share of the words written by the model that occur in the text.

For an encoder–decoder, the result is the share of the held-out phrases that it translates exactly,
as a whole (exact_match) and field by field, and its loss over the held-out pairs.
"""

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from microgpt import checkpoint
from microgpt.analysis.exact_match import evaluate_pairs
from microgpt.analysis.loss import evaluate
from microgpt.analysis.words import LENGTH, TEMPERATURE, TEXTS, word_share, write_texts
from microgpt.checkpoint import CheckpointError
from microgpt.checkpoint.provenance import Training, storable
from microgpt.cli.arguments import (
    add_checkpoint,
    add_data,
    add_device,
    checkpoint_folder,
    held_out_pairs,
    is_pairs,
    open_checkpoint,
    open_pairs,
    text_of,
)
from microgpt.cli.progress import progress_bar
from microgpt.config import ConfigError
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
        "the CPU, and print the share of their words that occur in the text, regardless of case",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="also record the loss, and the share of --words, in the checkpoint folder and its "
        "model card; the text must be the corpus of the checkpoint; for an imported checkpoint "
        "whose corpus is unknown, the text is recorded as its corpus",
    )


def run(args: argparse.Namespace) -> int:
    device = pick_device(args.device)
    folder = checkpoint_folder(args)
    if is_pairs(args.checkpoint):
        return _evaluate_pairs(args, device)
    made = open_checkpoint(args.checkpoint)
    text = text_of(args.data, made.training.config)
    training = _with_corpus(made.training, text, args.data)
    if args.write and training is None:
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
    if args.write and training is not None:
        measured = {
            name: result[name] for name in ("val_loss_full", "word_share") if name in result
        }
        training = dataclasses.replace(training, **measured)
        checkpoint.replace_training(folder, dataclasses.replace(made, training=training))
    return 0


def _with_corpus(training: Training, text: str, data: Path | None) -> Training | None:
    """The provenance with this text as the corpus, if the corpus is unknown.

    None if the checkpoint was trained on another text.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    if training.knows_corpus:
        return training if training.data_sha256 == digest else None
    named = dataclasses.replace(training, data_sha256=digest)
    name = "Tiny Shakespeare" if data is None or named.on_tiny_shakespeare else data.name
    return dataclasses.replace(named, data=storable(name))


def _evaluate_pairs(args: argparse.Namespace, device: torch.device) -> int:
    made = open_pairs(args.checkpoint)
    if args.sampled or args.words or args.data is not None:
        raise ConfigError("--sampled, --words and --data are for a GPT; leave them out")
    held_out = held_out_pairs(made)
    with progress_bar(unit="phrase") as show:
        result = evaluate_pairs(made.model.to(device), made.tokenizer, held_out.to(device), show)
    print(json.dumps(result))
    if args.write:
        training = dataclasses.replace(
            made.training,
            exact_match=result["exact_match"],
            val_loss_full=result["val_loss_full"],
        )
        checkpoint.replace_training(args.checkpoint, dataclasses.replace(made, training=training))
    return 0
