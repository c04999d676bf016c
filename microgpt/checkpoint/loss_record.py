"""The loss record: a CSV file with the losses and other measurements of a training run.

The last column, `format`, holds the format of the file in the first row and is empty in the others.
So spreadsheets and pandas can read the file without special treatment.
"""

import math
import os
import reprlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from microgpt.errors import MicroGPTError
from microgpt.formats import FORMAT, Document, FormatError, required_fields


class LossRecordError(MicroGPTError):
    """A loss record is malformed."""


@dataclass(frozen=True)
class LossRow:
    """Measurements after `step` optimizer updates; None if not measured at this step.

    tokens: characters trained on so far. seconds: training time so far, without compilation and
    evaluation. wall_seconds: all time since the run began, without pauses before a resume.
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


COLUMNS = tuple(field.name for field in fields(LossRow))
_FORMAT = "format"
_HEADER = ",".join((*COLUMNS, _FORMAT)) + "\n"


def _cell(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.6g}"


def _line(row: LossRow, first: bool) -> str:
    return ",".join(map(_cell, (*astuple(row), FORMAT if first else None))) + "\n"


def to_csv(rows: Iterable[LossRow]) -> str:
    """Convert a record to CSV text with a header."""
    return _HEADER + "".join(_line(row, first=at == 0) for at, row in enumerate(rows))


def append(path: Path, row: LossRow) -> None:
    """Append a row to an existing record, in one write."""
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(_line(row, first=file.tell() == len(_HEADER)))
        file.flush()
        os.fsync(file.fileno())


def _parse(name: str, text: str, kind: Any, line: int) -> float | None:
    if not text and kind not in (int, float):
        return None
    try:
        value = int(text) if kind is int else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 2**63:  # also refuses NaN and infinity
        raise LossRecordError(
            f"line {line} of the loss record: {name} is {reprlib.repr(text)}; "
            "it must be a number of 0 or more"
        )
    return value


def from_csv(text: str, row_type: type[LossRow] = LossRow) -> list[LossRow]:
    """Parse and check a record: known columns, finite numbers, increasing steps.

    A missing optional column is None in every row. row_type: the dataclass for a row. Raises
    LossRecordError, which names the line.
    """
    header, *lines = text.splitlines() or [""]
    columns = header.split(",")
    if not required_fields(row_type) <= set(columns) or len(set(columns)) < len(columns):
        raise LossRecordError(
            f"a loss record must begin with the names of its columns, {','.join(COLUMNS)}"
        )
    table = [line.split(",") for line in lines]
    for line, cells in enumerate(table, start=2):
        if len(cells) != len(columns):
            raise LossRecordError(
                f"line {line} of the loss record has {len(cells)} cells, not {len(columns)}"
            )
    kinds = {field.name: field.type for field in fields(row_type)}
    _check_columns(columns, table[0] if table else [], kinds)
    rows: list[LossRow] = []
    for line, cells in enumerate(table, start=2):
        values: dict[str, Any] = {
            name: _parse(name, cell, kinds[name], line)
            for name, cell in zip(columns, cells, strict=True)
            if name != _FORMAT
        }
        row = row_type(**values)
        if rows and row.step <= rows[-1].step:
            raise LossRecordError(f"line {line} of the loss record: steps must increase")
        rows.append(row)
    return rows


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
