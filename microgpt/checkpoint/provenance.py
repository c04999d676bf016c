"""Where a checkpoint comes from, as config.json tells it."""

import os
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, get_args

from microgpt.config import ConfigError, TrainConfig
from microgpt.formats import Document, required_fields

UNKNOWN_COMMIT = "unknown"
_LONGEST_STRING = 2000


def storable(text: str) -> str:
    """A command line or file name, which need be neither Unicode nor short, as it can be stored."""
    return text.encode("utf-8", "replace").decode("utf-8")[:_LONGEST_STRING]


def command_line(arguments: Iterable[str]) -> str:
    """The command that makes the same checkpoint from nothing, to be published.

    A resumed run ends as one that was never stopped, so --resume is left out; of an absolute path
    the last part is told.
    """

    def shorten(text: str) -> str:
        return Path(text).name or text if Path(text).is_absolute() else text

    told = []
    for argument in arguments:
        if argument == "--resume":
            continue
        option, equals, value = argument.partition("=")
        is_pair = equals and option.startswith("-")  # --out=DIR
        told.append(f"{option}={shorten(value)}" if is_pair else shorten(argument))
    return storable(shlex.join(["python", "-m", "microgpt", *told]))


def code_commit() -> str:
    """The Git commit of this code, marked where files were changed since; `unknown` without Git.

    MICROGPT_COMMIT names it where the code travels without its repository.
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
    """Where a checkpoint comes from. Whoever wrote the folder says so: show it as plain text.

    commit is the code's, `unknown` outside a repository. seconds is the training clock.
    matmul_flops: what the hardware reached in a large matrix product of the run's precision,
    FLOP/s, None where it was not measured. val_loss_full is measured on the saved weights, None
    when the run was interrupted before.
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

    @classmethod
    def from_dict(cls, values: Any, document: Document | None = None) -> Self:
        """Read what asdict wrote; document is the file that holds it.

        Raises FormatError for a field that is not known, ConfigError for one that is missing or
        malformed.
        """
        if not isinstance(values, dict):
            raise ConfigError("the training's provenance must be a JSON object")
        document = document or Document(cls.__name__, values)
        found = document.known(values, [field.name for field in fields(cls)])
        if missing := sorted(required_fields(cls) - set(found)):
            raise ConfigError(f"{missing[0]} of the training's provenance is missing")
        found["config"] = TrainConfig.from_dict(found["config"], document)
        for field in fields(cls):
            if field.name in found and not _fits(found[field.name], field.type):
                raise ConfigError(f"{field.name} of the training's provenance is malformed")
        return cls(**found)


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a field's type, and text or numbers within bounds."""
    if kinds := get_args(kind):  # of float | None
        return any(_fits(value, each) for each in kinds)
    if kind is str:
        good = isinstance(value, str) and len(value) <= _LONGEST_STRING
        return good and not any("\ud800" <= char <= "\udfff" for char in value)
    if kind in (int, float):
        number = type(value) is int or type(value) is kind
        return number and 0 <= value < 2**63  # so neither NaN nor infinite
    return isinstance(value, kind)
