"""Arguments that several commands share, and functions that open what they name."""

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

from microgpt import atomic, checkpoint
from microgpt.checkpoint import AnyCheckpoint, Checkpoint, CheckpointError, PairCheckpoint
from microgpt.cli.progress import download_bar
from microgpt.config import ConfigError, EncoderDecoderConfig, GPTConfig, TrainConfig
from microgpt.data import read_text, tiny_shakespeare
from microgpt.formats import FormatError, parse_json_value
from microgpt.pairs import Pairs, split_pairs, too_small
from microgpt.tasks import MAKERS, task_text
from microgpt.tokenizer import UnknownCharacterError


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
        help="a UTF-8 text file (default: the text of the task, or else Tiny Shakespeare, "
        "downloaded once)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", help="cpu, cuda or cuda:N (default: cuda if available, else cpu)"
    )


def add_write(parser: argparse.ArgumentParser, what: str, file: str) -> None:
    """Add --write, which checkpoint_folder checks; what: is saved, in this file."""
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"also save {what} in the checkpoint folder, as {file}",
    )


def open_checkpoint(name: str) -> Checkpoint:
    """Open a checkpoint folder with a GPT, or a repo on the Hub if no folder has that name.

    Its notes go to stderr. The client of the Hub is imported only for a repo. Raises
    CheckpointError or HubError.
    """
    atomic.put_back(Path(name))
    if os.path.isdir(name):
        loaded = checkpoint.load(Path(name))
    else:
        from microgpt import hub

        with download_bar(name) as show:
            loaded = checkpoint.as_gpt(hub.open_checkpoint(name, show))
    _print_notes(loaded)
    return loaded


def open_pairs(name: str) -> PairCheckpoint:
    """Open a checkpoint folder with an encoder–decoder; its notes go to stderr.

    Raises CheckpointError.
    """
    loaded = checkpoint.load_pairs(name)
    _print_notes(loaded)
    return loaded


def is_pairs(name: str) -> bool:
    """Whether a folder holds an encoder–decoder. Raises CheckpointError for a damaged one."""
    atomic.put_back(Path(name))
    if not os.path.isdir(name):
        return False
    checkpoint.check_files(name)
    return isinstance(checkpoint.read_config(name)[0], EncoderDecoderConfig)


def held_out_pairs(made: PairCheckpoint) -> Pairs:
    """The held-out pairs of the task that an encoder–decoder learned. Raises CheckpointError."""
    config = made.training.config
    task, text = MAKERS.get(config.task), task_text(config)
    if task is None or task.is_held_out is None or text is None:
        raise CheckpointError("this checkpoint does not say which task its pairs are from")
    try:
        pairs = split_pairs(made.tokenizer, text, task.is_held_out).val
    except UnknownCharacterError as error:
        raise CheckpointError(
            f"this checkpoint cannot have learned its task, {config.task}, which has characters "
            f"that are {error}"
        ) from error
    if problem := too_small(made.config, pairs):
        raise CheckpointError(
            f"this checkpoint cannot have learned its task, {config.task}: its {problem}"
        )
    return pairs


def _print_notes(loaded: AnyCheckpoint) -> None:
    for note in loaded.notes:
        print(f"note: {note}", file=sys.stderr)


def checkpoint_folder(args: argparse.Namespace) -> Path:
    """The folder given by --checkpoint. Raises CheckpointError if --write has none."""
    folder = Path(args.checkpoint)
    atomic.put_back(folder)
    if args.write and not folder.is_dir():
        raise CheckpointError(f"--write needs a checkpoint folder; {folder} is not a folder")
    return folder


def text_of(data: Path | None, config: TrainConfig) -> str:
    """Read the file given by --data. The default is the text that a checkpoint was trained on.

    config: the settings of its training; a text without a task is taken to be Tiny Shakespeare.
    Raises DataError.
    """
    text = task_text(config) if data is None else None
    return read_text(data or tiny_shakespeare()) if text is None else text


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
