"""The loss record: one CSV file that tells how a checkpoint was trained, step by step."""

import csv
import io
import math
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path


class LossRecordError(ValueError):
    """A loss record is malformed."""


@dataclass(frozen=True)
class LossRow:
    """What was measured after `step` optimiser updates; None where nothing was.

    tokens: characters trained on so far. seconds: the training clock, evaluations left out.
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


COLUMNS = tuple(field.name for field in fields(LossRow))
_WHOLE = ("step", "tokens")
_REQUIRED = ("step", "tokens", "seconds")


def _format(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.6g}"


def to_csv(rows: Iterable[LossRow]) -> str:
    """The whole record as text, header first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_format(value) for value in astuple(row)] for row in rows)
    return out.getvalue()


def append(path: Path, row: LossRow) -> None:
    """Add one row to a record that exists, as one write."""
    line = ",".join(_format(value) for value in astuple(row)) + "\n"
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _parse(name: str, text: str, line: int) -> float | None:
    if not text and name not in _REQUIRED:
        return None
    try:
        value = int(text) if name in _WHOLE else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise LossRecordError(f"line {line} of the loss record: {name} is {text!r}, not a number")
    return value


def from_csv(text: str) -> list[LossRow]:
    """Read and check a record: the known columns, finite numbers, steps that rise.

    Raises LossRecordError, naming the line.
    """
    reader = csv.reader(io.StringIO(text))
    if tuple(next(reader, ())) != COLUMNS:
        raise LossRecordError(f"a loss record must begin with the line {','.join(COLUMNS)}")
    rows: list[LossRow] = []
    for cells in reader:
        line = reader.line_num
        if len(cells) != len(COLUMNS):
            raise LossRecordError(
                f"line {line} of the loss record has {len(cells)} cells, not {len(COLUMNS)}"
            )
        values = {name: _parse(name, cell, line) for name, cell in zip(COLUMNS, cells, strict=True)}
        row = LossRow(**values)
        if rows and row.step <= rows[-1].step:
            raise LossRecordError(f"line {line} of the loss record: steps must rise")
        rows.append(row)
    return rows


def best_validation(rows: Iterable[LossRow]) -> LossRow | None:
    """The row with the lowest validation loss, None where none was measured."""
    measured = [row for row in rows if row.val_loss is not None]
    return min(measured, key=lambda row: row.val_loss, default=None)
