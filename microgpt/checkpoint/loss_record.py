"""The loss record: one CSV file that tells how a checkpoint was trained, step by step."""

import math
import os
import reprlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from microgpt.errors import MicroGPTError


class LossRecordError(MicroGPTError):
    """A loss record is malformed."""


@dataclass(frozen=True)
class LossRow:
    """What was measured after `step` optimiser updates; None where nothing was.

    tokens: characters trained on so far. seconds: the training clock, compilation and evaluations
    left out; wall_seconds: all of the time since the run began, pauses before a resume left out.
    learning_rate: of the update; under Muon it is AdamW's, Muon's rises and falls with it.
    batch_loss: of the step's own batch, dropout on. train_loss, val_loss: estimates on each split,
    dropout off, of the weights that would be saved. Losses are nats per character.
    """

    step: int
    tokens: int
    seconds: float
    learning_rate: float | None = None
    grad_norm: float | None = None
    batch_loss: float | None = None
    train_loss: float | None = None
    val_loss: float | None = None
    wall_seconds: float | None = None


COLUMNS = tuple(field.name for field in fields(LossRow))
_WHOLE = ("step", "tokens")
_REQUIRED = ("step", "tokens", "seconds")


def _format(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.6g}"


def _line(row: LossRow) -> str:
    return ",".join(_format(value) for value in astuple(row)) + "\n"


def to_csv(rows: Iterable[LossRow]) -> str:
    """The whole record as text, header first."""
    return ",".join(COLUMNS) + "\n" + "".join(_line(row) for row in rows)


def append(path: Path, row: LossRow) -> None:
    """Add one row to a record that exists, as one write."""
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(_line(row))
        file.flush()
        os.fsync(file.fileno())


def _parse(name: str, text: str, line: int) -> float | None:
    if not text and name not in _REQUIRED:
        return None
    try:
        value = int(text) if name in _WHOLE else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 2**63:  # so neither NaN nor infinite
        raise LossRecordError(
            f"line {line} of the loss record: {name} is {reprlib.repr(text)}, not a number from 0"
        )
    return value


def from_csv(text: str) -> list[LossRow]:
    """Read and check a record: the known columns, finite numbers, steps that rise.

    Raises LossRecordError, naming the line.
    """
    header, *lines = text.splitlines() or [""]
    if header != ",".join(COLUMNS):
        raise LossRecordError(f"a loss record must begin with the line {','.join(COLUMNS)}")
    rows: list[LossRow] = []
    for line, cells in enumerate((each.split(",") for each in lines), start=2):
        if len(cells) != len(COLUMNS):
            raise LossRecordError(
                f"line {line} of the loss record has {len(cells)} cells, not {len(COLUMNS)}"
            )
        values: dict[str, Any] = {
            name: _parse(name, cell, line) for name, cell in zip(COLUMNS, cells, strict=True)
        }
        row = LossRow(**values)
        if rows and row.step <= rows[-1].step:
            raise LossRecordError(f"line {line} of the loss record: steps must rise")
        rows.append(row)
    return rows


def first_reaching(rows: Iterable[LossRow], val_loss: float) -> LossRow | None:
    """The first row whose validation loss is at most val_loss, None where none is."""
    return next((r for r in rows if r.val_loss is not None and r.val_loss <= val_loss), None)


def best_validation(rows: Iterable[LossRow]) -> LossRow | None:
    """The row with the lowest validation loss, None where none was measured."""
    measured = [(row.val_loss, row.step, row) for row in rows if row.val_loss is not None]
    return min(measured)[2] if measured else None
