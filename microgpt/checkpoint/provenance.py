"""The provenance of a checkpoint, as recorded in config.json."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, get_args

from microgpt.config import ConfigError, TrainConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.formats import IGNORABLE, Document, required_fields

UNKNOWN_COMMIT = "unknown"
_SHA256 = re.compile("[0-9a-f]{64}")
MAX_LENGTH = 2000  # characters of a text field


def storable(text: str) -> str:
    """Make a command line or file name fit to store: valid Unicode and not too long."""
    return text.encode("utf-8", "replace").decode("utf-8")[:MAX_LENGTH]


def command_line(arguments: Iterable[str]) -> str:
    """The command that would make the same checkpoint from the start, in a form fit to publish.

    --resume is left out, because a resumed run gives the same result as an uninterrupted one,
    unless it changed settings (Training.changes). Of an absolute path only the last part is kept.
    """

    def shorten(text: str) -> str:
        return Path(text).name or text if Path(text).is_absolute() else text

    kept = []
    for argument in arguments:
        if argument == "--resume":
            continue
        option, equals, value = argument.partition("=")
        is_pair = equals and option.startswith("-")  # --out=DIR
        kept.append(f"{option}={shorten(value)}" if is_pair else shorten(argument))
    return storable(shlex.join(["python", "-m", "microgpt", *kept]))


def code_commit() -> str:
    """The Git commit of this code, marked `-dirty` if files differ from it; `unknown` without Git.

    The environment variable MICROGPT_COMMIT overrides it, for code that runs outside a repository.
    """
    if commit := os.environ.get("MICROGPT_COMMIT"):
        return storable(commit)
    command = ["git", "-C", str(Path(__file__).parent), "describe"]
    command += ["--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN_COMMIT
    return described.stdout.strip()


@dataclass(frozen=True)
class Training:
    """The provenance of a checkpoint. It is untrusted: show it as plain text.

    commit: of the code, `unknown` outside a repository. seconds: training time, without compilation
    and evaluation. matmul_flops: measured speed of large matrix products in the precision of the
    run, FLOP/s, or None. val_loss_full: loss of the saved weights over the validation split, None
    for an interrupted run, or a short one on a long text. word_share: the share of the written
    words that occur in the corpus (see analysis/words.py), None if it was not measured. changes:
    the settings that changed when the run was resumed, and at which steps; empty if none did. Of
    changes that together exceed MAX_LENGTH, the newest are kept. exact_match: the share of the
    held-out phrases that an encoder–decoder translates exactly, None if it was not measured.
    imported: for a model that was trained with other code, its file and what that says about the
    training; then config, preset and hardware have no meaning, and command is that of the import.
    Empty for a model trained here.
    """

    config: TrainConfig
    preset: str
    command: str
    commit: str
    data: str
    data_sha256: str
    steps: int
    tokens: int
    seconds: float
    matmul_flops: float | None
    finished: str
    hardware: str
    torch: str
    val_loss_full: float | None
    word_share: float | None = field(default=None, metadata=IGNORABLE)
    changes: str = field(default="", metadata=IGNORABLE)
    exact_match: float | None = field(default=None, metadata=IGNORABLE)
    imported: str = field(default="", metadata=IGNORABLE)

    @property
    def on_tiny_shakespeare(self) -> bool:
        """Whether the corpus was Tiny Shakespeare."""
        return self.data_sha256 == TINY_SHAKESPEARE_SHA256

    @property
    def knows_corpus(self) -> bool:
        """Whether the SHA-256 of the corpus is recorded; that of an imported model may not be."""
        return _SHA256.fullmatch(self.data_sha256) is not None

    @classmethod
    def from_dict(cls, values: Any, document: Document | None = None) -> Self:
        """Convert from the output of asdict; document is the file that holds it.

        Raises FormatError for an unknown field, ConfigError for a missing or malformed one.
        """
        if not isinstance(values, dict):
            raise ConfigError("the training's provenance must be a JSON object")
        document = document or Document(cls.__name__, values)
        found = document.known(values, [each.name for each in fields(cls)])
        if missing := sorted(required_fields(cls) - set(found)):
            raise ConfigError(f"{missing[0]} of the training's provenance is missing")
        found["config"] = TrainConfig.from_dict(found["config"], document)
        for each in fields(cls):
            if each.name in found and not _fits(found[each.name], each.type):
                raise ConfigError(f"{each.name} of the training's provenance is malformed")
        return cls(**found)


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value has the type of its field and is within the limits for text and numbers."""
    if kinds := get_args(kind):  # for float | None
        return any(_fits(value, each) for each in kinds)
    if kind is str:
        good = isinstance(value, str) and len(value) <= MAX_LENGTH
        return good and not any("\ud800" <= char <= "\udfff" for char in value)
    if kind in (int, float):
        number = type(value) is int or type(value) is kind
        return number and 0 <= value <= (2**63 - 1 if kind is int else 1e308)  # also refuses NaN
    return isinstance(value, kind)
