"""Fit the uniform, unigram and bigram baselines to a text, and print their validation losses.

They are fitted to the first 90 % of the text and measured on the last 10 %, over the vocabulary of
the checkpoint. The app compares the losses of the model with them, and also measures them on a
text that a visitor enters. A vocabulary of more than 1,024 characters has no bigram baseline.
"""

import argparse
import math

from microgpt.analysis import baselines
from microgpt.checkpoint import BASELINES, add_baselines
from microgpt.cli.arguments import (
    add_checkpoint,
    add_data,
    add_write,
    checkpoint_folder,
    open_checkpoint,
    text_of,
)
from microgpt.data import split


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    add_data(parser)
    add_write(parser, "the baselines", BASELINES)


def run(args: argparse.Namespace) -> int:
    folder = checkpoint_folder(args)
    checkpoint = open_checkpoint(args.checkpoint)
    tokenizer, training = checkpoint.tokenizer, checkpoint.training
    text = tokenizer.fold(text_of(args.data, training.config))
    splits = split(tokenizer.encode(text), checkpoint.config.block_size)
    fitted = baselines.fit(splits, tokenizer.vocab_size, training.config.seed)
    print("baseline  nats per character  bits per character")
    for name, loss in fitted.val_loss.items():
        print(f"{name:8}  {loss:19.4f}  {loss / math.log(2):18.4f}")
    if args.write:
        add_baselines(folder, fitted, checkpoint.config)
    return 0
