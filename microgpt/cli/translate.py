"""Translate a text with an encoder–decoder, such as a date in words to YYYY-MM-DD.

The translation goes to stdout. At each step the model writes the likeliest character, so the same
text always gives the same translation. A text that is not like those that the model was trained on
is translated too, with a note.
"""

import argparse
import sys

from microgpt.cli.arguments import open_pairs
from microgpt.dates import read
from microgpt.translate import translate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="a checkpoint folder")
    parser.add_argument(
        "--text", required=True, help='the text to translate, for example "the 3rd of March, 2024"'
    )


def run(args: argparse.Namespace) -> int:
    made = open_pairs(args.checkpoint)
    stream = translate(made.model, made.tokenizer, args.text)
    print("".join(character.text for character in stream))
    if made.training.config.task == "dates" and read(args.text) is None:
        print("note: the model was never trained on a text like this one", file=sys.stderr)
    return 0
