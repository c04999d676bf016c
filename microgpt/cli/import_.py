"""Make a checkpoint from a model that was trained with other code.

nanoGPT's meta.pkl says which characters the model knows. For a model without such a file, pass a
.json or .txt file with the characters in the order of their ids, or the text that the model was
trained on with --data. Files are read without running code that they may hold.
"""

import argparse
from pathlib import Path

from microgpt import checkpoint
from microgpt.checkpoint.provenance import command_line
from microgpt.config import SCORE_SCALES
from microgpt.errors import MicroGPTError
from microgpt.interop import IMPORTS
from microgpt.interop.assemble import Choices
from microgpt.interop.importing import import_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    programs = "; ".join(f"{name}: {about}" for name, about in IMPORTS.items())
    parser.add_argument(
        "program", choices=IMPORTS, metavar="PROGRAM", help=f"what saved the model. {programs}"
    )
    parser.add_argument("file", metavar="FILE", help="the file, folder or repo of the model")
    parser.add_argument(
        "vocabulary",
        type=Path,
        nargs="?",
        metavar="VOCABULARY",
        help="meta.pkl, or a .json or .txt file with the characters in the order of their ids "
        "(default: the vocabulary in FILE, or else the characters of --data)",
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="the folder to write, which must not exist"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="the UTF-8 text that the model was trained on (default: not recorded)",
    )
    parser.add_argument(
        "--heads", type=int, metavar="N", help="heads of a block (default: what the file says)"
    )
    parser.add_argument(
        "--score-scale",
        choices=SCORE_SCALES,
        metavar="SIZE",
        help="the size, head_size or n_embd, whose square root divides the scores of the attention "
        "(default: head_size; needed for ng-video-lecture, whose versions differ in it)",
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="round the weights to float16, as in a checkpoint of `train`: half the size, but "
        "slightly other losses",
    )


def run(args: argparse.Namespace) -> int:
    if args.out.exists():
        raise MicroGPTError(f"{args.out} already exists; choose another --out")
    choices = Choices(
        args.vocabulary, args.data, args.heads, args.score_scale, command_line(args.argv)
    )
    made = import_model(args.program, args.file, choices)
    checkpoint.save(args.out, made, exact=not args.half)
    loaded = checkpoint.load(args.out)
    count, size = loaded.model.parameter_count(), loaded.config.vocab_size
    print(f"{args.out}: {count:,} parameters, {size} characters, {loaded.training.imported}")
    return 0
