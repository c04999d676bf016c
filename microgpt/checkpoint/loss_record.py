"""The loss record: a CSV file with the losses and other measurements of a training run.

A run keeps every estimate of its losses, at most MAX_EVALUATIONS, and at most MAX_BATCH_LOSSES
other rows, which are thinned when there would be more.

The last column, `format`, holds the format of the file in the first row and is empty in the others.
So spreadsheets and pandas can read the file without special treatment.
"""

import io
import math
import os
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import atomic
from microgpt.errors import MicroGPTError
from microgpt.formats import FORMAT, Document, FormatError, required_fields


class LossRecordError(MicroGPTError):
    """A loss record is malformed."""


@dataclass(frozen=True, slots=True)  # a record may have many rows
class LossRow:
    """Measurements after `step` optimizer updates; None if not measured at this step.

    tokens: characters trained on so far. seconds: training time so far, without compilation and
    evaluation. wall_seconds: all time since the run began, without pauses.
    learning_rate: AdamW's rate for this update; Muon's follows the same schedule. batch_loss: loss
    on the batch of this step, with dropout. train_loss, val_loss: estimates on each split without
    dropout, of the weights that would be saved. Losses are in nats per character.
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


# Together these rows fit in the file's limit of 16 MiB, whatever their numbers (see ROW_BYTES).
MAX_EVALUATIONS, MAX_BATCH_LOSSES = 100_000, 20_000
ROW_BYTES = 128
# The most rows that are read. Earlier versions did not thin, and wrote up to about 300,000.
MAX_ROWS = 400_000
_MAX_COLUMNS = 100

COLUMNS = tuple(field.name for field in fields(LossRow))
_CELLS = attrgetter(*COLUMNS)
_FORMAT = "format"
_HEADER = ",".join((*COLUMNS, _FORMAT)) + "\n"


def _cell(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.6g}"


def _line(row: LossRow, first: bool) -> str:
    return ",".join(map(_cell, (*_CELLS(row), FORMAT if first else None))) + "\n"


def to_csv(rows: Iterable[LossRow]) -> str:
    """Convert a record to CSV text with a header."""
    return _HEADER + "".join(_line(row, first=at == 0) for at, row in enumerate(rows))


def by_column(rows: Iterable[LossRow]) -> dict[str, np.ndarray]:
    """The columns of a record, each (rows,) float64, NaN where nothing was measured."""
    rows = list(rows)
    return {name: np.array([getattr(row, name) for row in rows], np.float64) for name in COLUMNS}


def write(path: Path, rows: Iterable[LossRow]) -> None:
    """Write a record to a file, in one atomic write. Raises OSError."""
    with atomic.replacing(path) as partial:
        partial.write_text(to_csv(rows), encoding="utf-8", newline="")


def append(path: Path, row: LossRow) -> None:
    """Append a row to an existing record, in one write."""
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(_line(row, first=file.tell() == len(_HEADER)))
        file.flush()
        os.fsync(file.fileno())


def kept_interval(step: int, log_interval: int) -> int:
    """The interval of the batch losses that a record keeps after `step` updates.

    It is log_interval, doubled until at most MAX_BATCH_LOSSES steps are multiples of it.
    """
    interval = log_interval
    while step // interval > MAX_BATCH_LOSSES:
        interval *= 2
    return interval


def thinned(rows: Iterable[LossRow], interval: int) -> list[LossRow]:
    """The rows with an estimate of the losses, and those at multiples of an interval."""
    return [row for row in rows if row.val_loss is not None or row.step % interval == 0]


def _number(cell: str) -> float:
    value = float(cell)
    if not 0 <= value < math.inf:  # also refuses NaN
        raise ValueError
    return value


def _whole(cell: str) -> int:
    value = int(cell)
    if not 0 <= value < 2**63:
        raise ValueError
    return value


def _optional(cell: str) -> float | None:
    return _number(cell) if cell else None


def from_csv(text: str, row_type: type[LossRow] = LossRow) -> list[LossRow]:
    """Parse and check a record: known columns, finite numbers, increasing steps.

    A missing optional column is None in every row. row_type: the dataclass for a row. Raises
    LossRecordError, which names the line. More than MAX_ROWS rows are refused before they are read.
    """
    ends = text.count("\n") + text.count("\r") - text.count("\r\n")
    # The header has a line end too; the last row may have none.
    if ends - text.endswith(("\n", "\r")) > MAX_ROWS:
        raise LossRecordError(f"the loss record has more than {MAX_ROWS:,} rows")
    kinds = {field.name: field.type for field in fields(row_type)}
    lines = (line.rstrip("\n") for line in io.StringIO(text, newline=None))
    columns = next(lines, "").split(",", _MAX_COLUMNS)
    if not required_fields(row_type) <= set(columns) or len(set(columns)) < len(columns):
        raise LossRecordError(
            f"a loss record must begin with the names of its columns, {','.join(COLUMNS)}"
        )
    readers = [(name, at, _reader(kinds[name])) for at, name in enumerate(columns) if name in kinds]
    rows: list[LossRow] = []
    for line, content in enumerate(lines, start=2):
        cells = content.split(",", _MAX_COLUMNS)
        if line == 2:
            _check_columns(columns, cells, kinds)
        if len(cells) != len(columns):
            raise LossRecordError(
                f"line {line} of the loss record has {len(cells)} cells, not {len(columns)}"
            )
        values: dict[str, Any] = {}
        for name, at, read in readers:
            try:
                values[name] = read(cells[at])
            except ValueError:
                raise LossRecordError(
                    f"line {line} of the loss record: {name} is {reprlib.repr(cells[at])}; "
                    "it must be a number of 0 or more"
                ) from None
        row = row_type(**values)
        if rows and row.step <= rows[-1].step:
            raise LossRecordError(f"line {line} of the loss record: steps must increase")
        rows.append(row)
    if not rows:
        _check_columns(columns, [], kinds)
    return rows


def _reader(kind: Any) -> Callable[[str], float | None]:
    return _whole if kind is int else _number if kind is float else _optional


def _check_columns(columns: list[str], first_row: list[str], known: Iterable[str]) -> None:
    """Raise LossRecordError for an unknown column."""
    written = dict(zip(columns, first_row, strict=False)).get(_FORMAT) or "1"
    try:
        document = Document.of("loss_record.csv", {"format": int(written)})
        document.known(dict.fromkeys(columns), {*known, _FORMAT}, "column")
    except ValueError as error:
        raise LossRecordError(
            f"line 2 of the loss record: format is {reprlib.repr(written)}; "
            "it must be a whole number from 1"
        ) from error
    except FormatError as error:
        raise LossRecordError(str(error)) from error


def first_reaching(rows: Iterable[LossRow], val_loss: float) -> LossRow | None:
    """The first row with a validation loss of at most val_loss, or None."""
    return next((r for r in rows if r.val_loss is not None and r.val_loss <= val_loss), None)


def best_validation(rows: Iterable[LossRow]) -> LossRow | None:
    """The row with the lowest validation loss, or None if none was measured."""
    measured = [(row.val_loss, row.step, row) for row in rows if row.val_loss is not None]
    return min(measured)[2] if measured else None
