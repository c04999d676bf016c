"""Arguments that several commands share, and functions that open what they name."""

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.cli.progress import download_bar
from microgpt.config import ConfigError, GPTConfig, TrainConfig
from microgpt.data import read_text, tiny_shakespeare
from microgpt.formats import FormatError, parse_json_value


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        required=True,
        help="a checkpoint folder, or USER/NAME[@REVISION] for a repo on the Hugging Face Hub",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="a UTF-8 text file (default: Tiny Shakespeare, downloaded once)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", help="cpu, cuda or cuda:N (default: cuda if available, else cpu)"
    )


def open_checkpoint(name: str) -> Checkpoint:
    """Open a checkpoint folder, or a repo on the Hub if no folder has that name.

    Its notes go to stderr. The client of the Hub is imported only for a repo. Raises
    CheckpointError or HubError.
    """
    if os.path.isdir(name):
        loaded = checkpoint.load(Path(name))
    else:
        from microgpt import hub

        with download_bar(name) as show:
            loaded = hub.open_checkpoint(name, show)
    for note in loaded.notes:
        print(f"note: {note}", file=sys.stderr)
    return loaded


def text_of(data: Path | None) -> str:
    """Read the file given by --data, or Tiny Shakespeare by default. Raises DataError."""
    return read_text(data or tiny_shakespeare())


def set_values(
    pairs: list[str], model: GPTConfig, config: TrainConfig
) -> tuple[GPTConfig, TrainConfig]:
    """Change settings of the two configs by NAME=VALUE pairs. Raises ConfigError."""
    of_model: dict[str, Any] = {}
    of_train: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        try:
            value = parse_json_value(name, text)
        except FormatError:
            value = text
        if equals and name in model.to_dict() and name != "vocab_size":
            of_model[name] = value
        elif equals and name in config.to_dict():
            of_train[name] = value
        else:
            raise ConfigError(f"--set {pair[:100]}: there is no such setting; write NAME=VALUE")
    return dataclasses.replace(model, **of_model), dataclasses.replace(config, **of_train)
