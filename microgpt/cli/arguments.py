"""Arguments that several commands share, and what they stand for."""

import argparse
import os
from pathlib import Path

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.cli.progress import download_bar
from microgpt.data import read_text, tiny_shakespeare


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", required=True, help="a folder, or USER/NAME on the Hub")


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, help="a UTF-8 text file (default: Tiny Shakespeare, downloaded once)"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is one)")


def open_checkpoint(name: str) -> Checkpoint:
    """A folder's checkpoint, or a repo's, for which alone the Hub's client is loaded.

    Raises CheckpointError or HubError.
    """
    if os.path.isdir(name):
        return checkpoint.load(Path(name))
    from microgpt import hub

    with download_bar(name) as show:
        return hub.open_checkpoint(name, show)


def text_of(data: Path | None) -> str:
    """The text that --data names, or Tiny Shakespeare. Raises DataError."""
    return read_text(data or tiny_shakespeare())
