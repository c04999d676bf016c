"""Write a checkpoint in another library's format."""

import argparse
from pathlib import Path

from microgpt.cli.arguments import add_checkpoint, open_checkpoint
from microgpt.errors import MicroGPTError
from microgpt.interop import EXPORTS, export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    formats = "; ".join(f"{name}: {about}" for name, about in EXPORTS.items())
    parser.add_argument(
        "--to",
        required=True,
        choices=EXPORTS,
        metavar="FORMAT",
        help=f"the format of the export. {formats}",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder to write, which must not exist yet"
    )


def run(args: argparse.Namespace) -> int:
    if args.out.exists():
        raise MicroGPTError(f"{args.out} already exists; choose another --out")
    checkpoint = open_checkpoint(args.checkpoint)
    try:
        export(checkpoint, args.to, args.out)
    except OSError as error:
        raise MicroGPTError(f"cannot write {args.out}: {error.strerror}") from error
    for path in sorted(args.out.iterdir()):
        print(f"{path.stat().st_size:>13,}  {path}")
    return 0
