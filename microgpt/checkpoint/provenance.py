"""Where a checkpoint comes from, as config.json tells it."""

import os
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from microgpt.config import ConfigError, TrainConfig

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
    def from_dict(cls, values: Any) -> Self:
        """Read what asdict wrote. Raises ConfigError."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise ConfigError(f"the training's provenance must hold {', '.join(sorted(names))}")
        for field in fields(cls):
            value = values[field.name]
            if field.type is str:
                good = isinstance(value, str) and len(value) <= _LONGEST_STRING
                good = good and not any("\ud800" <= char <= "\udfff" for char in value)
            elif field.name == "config":
                good = True
            else:
                number = type(value) is int or (type(value) is float and field.type is not int)
                good = number and 0 <= value < 2**63  # so neither NaN nor infinite
                good = good or (value is None and field.type == float | None)
            if not good:
                raise ConfigError(f"{field.name} of the training's provenance is malformed")
        return cls(**{**values, "config": TrainConfig.from_dict(values["config"])})
