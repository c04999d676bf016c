import io
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from microgpt.checkpoint import FILES, LOSS_RECORD
from microgpt.checkpoint.loss_record import (
    COLUMNS,
    MAX_BATCH_LOSSES,
    MAX_EVALUATIONS,
    MAX_ROWS,
    ROW_BYTES,
    LossRecordError,
    LossRow,
    append,
    best_validation,
    by_column,
    first_reaching,
    from_csv,
    kept_interval,
    thinned,
    to_csv,
)
from microgpt.config import MODEL_LIMITS, TRAIN_LIMITS
from microgpt.formats import FORMAT

# The header of format 1, which has no column for the format.
HEADER = "step,tokens,seconds,learning_rate,grad_norm,batch_loss,train_loss,val_loss,wall_seconds\n"


def test_the_last_column_of_the_first_row_is_the_format():
    assert ",".join(COLUMNS) + "\n" == HEADER
    row = LossRow(5, 640, 1.5, 1e-3, 0.25, 3.0, None, 2.123456789, 2.5)
    assert to_csv([row, LossRow(6, 700, 2.0)]).splitlines() == [
        HEADER.strip() + ",format",
        f"5,640,1.5,0.001,0.25,3,,2.12346,2.5,{FORMAT}",
        "6,700,2,,,,,,,",
    ]
    assert to_csv([]) == HEADER.strip() + ",format\n"


def test_pandas_reads_the_columns_as_numbers(loss_record):
    frame = pd.read_csv(io.StringIO(to_csv(loss_record)))
    assert frame["step"].tolist() == [row.step for row in loss_record]
    assert frame["format"][0] == FORMAT and frame["format"][1:].isna().all()


def test_a_missing_column_is_none_in_every_row():
    assert from_csv("step,tokens,seconds\n1,64,0.5\n") == [LossRow(1, 64, 0.5)]
    assert from_csv(HEADER + "1,64,0.5,,,,,,\n") == [LossRow(1, 64, 0.5)]
    with_loss = from_csv("val_loss,seconds,tokens,step\n2.5,0.5,64,1\n")
    assert with_loss == [LossRow(1, 64, 0.5, val_loss=2.5)]


def test_the_columns_of_a_record_hold_nan_where_nothing_was_measured(loss_record):
    columns = by_column(loss_record)
    assert tuple(columns) == COLUMNS
    assert columns["step"].tolist() == [0, 10, 20]
    np.testing.assert_array_equal(columns["val_loss"], [3.25, np.nan, 2.55])
    assert {column.dtype.name for column in columns.values()} == {"float64"}
    assert {len(column) for column in by_column([]).values()} == {0}


def test_an_unknown_column_is_refused():
    columns, cells = "step,tokens,seconds,more,format\n", "1,64,0.5,3,"
    with pytest.raises(LossRecordError, match=r"^unknown column 'more' in loss_record.csv$"):
        from_csv(f"{columns}{cells}{FORMAT}\n")
    with pytest.raises(LossRecordError, match=r"has the column 'more', .* update microGPT$"):
        from_csv(f"{columns}{cells}{FORMAT + 1}\n")


def test_a_written_record_is_read_back(loss_record):
    assert from_csv(to_csv(loss_record)) == loss_record
    assert from_csv(to_csv(loss_record).replace("\n", "\r\n")) == loss_record
    assert from_csv(HEADER) == []


def test_appending_rows_gives_the_same_file_as_writing_them_at_once(loss_record, tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(to_csv([]))
    for row in loss_record:
        append(path, row)
    assert path.read_bytes() == to_csv(loss_record).encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with the names of its columns, step,tokens"),
        ("step,loss\n1,2\n", "must begin with"),
        ("step,tokens,seconds,step\n1,64,0.5,1\n", "must begin with"),
        (
            "step,tokens,seconds,format\n1,64,0.5,two\n",
            "format is 'two'; it must be a whole number",
        ),
        ("step,tokens,seconds,format\n1,64,0.5,-1\n", "format of loss_record.csv is -1"),
        (HEADER + "1,64,0.5,,,,,\n", "line 2 .* has 8 cells, not 9"),
        (HEADER + "1,64,0.5,,,,,,,\n", "line 2 .* has 10 cells"),
        (HEADER + "0,0,0,,,,,,\n\n", "line 3 .* has 1 cells"),
        (HEADER + ",64,0.5,,,,,,\n", "line 2 .* step is ''"),
        (HEADER + "1.5,64,0.5,,,,,,\n", "step is '1.5'"),
        (HEADER + "1,64,-1,,,,,,\n", "seconds is '-1'"),
        (HEADER + "1,64,0.5,,,nan,,,\n", "batch_loss is 'nan'"),
        (HEADER + "1,64,0.5,,,inf,,,\n", "batch_loss is 'inf'"),
        (HEADER + "1,64,0.5,,,high,,,\n", "batch_loss is 'high'"),
        (HEADER + f"1,{'9' * 400},0.5,,,,,,\n", "tokens is"),
        (HEADER + f'1,64,0.5,,,"{"x" * 200_000}",,,\n', "batch_loss is"),
        (HEADER + "2,64,0.5,,,,,,\n2,128,1,,,,,,\n", "line 3 .* steps must increase"),
    ],
)
def test_the_error_for_a_malformed_record_names_the_line(text, message):
    with pytest.raises(LossRecordError, match=message) as caught:
        from_csv(text)
    assert len(str(caught.value)) < 200


def test_a_record_of_every_number_that_a_run_may_have_is_read_back():
    """The losses of a run that nearly diverged can be as high as the largest float."""
    limits = TRAIN_LIMITS["steps"][1], TRAIN_LIMITS["batch_size"][1], MODEL_LIMITS["block_size"][1]
    highest = LossRow(limits[0], math.prod(map(int, limits)), 1e9, *[1.23457e-308] * 6)
    rows = [LossRow(1, 2, 3.0, *[1.23457e308] * 6), highest]
    assert from_csv(to_csv(rows)) == rows
    assert len(to_csv([highest]).splitlines()[1]) < ROW_BYTES


def test_the_rows_that_a_run_keeps_fit_in_their_file():
    most = MAX_EVALUATIONS + MAX_BATCH_LOSSES
    assert most * ROW_BYTES < FILES[LOSS_RECORD]
    assert most < MAX_ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_record_of_too_many_rows_is_refused_before_it_is_read(end):
    lines = ["step,tokens,seconds", *(f"{step},1,1" for step in range(5))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("microgpt.checkpoint.loss_record.MAX_ROWS", 5)
        for last in ("", end):
            assert len(from_csv(end.join(lines) + last)) == 5
            with pytest.raises(LossRecordError, match="has more than 5 rows"):
                from_csv(end.join((*lines, "nonsense")) + last)


def peak_of(text: str) -> int:
    """The memory that reading a malformed record takes, in bytes."""
    tracemalloc.start()
    with pytest.raises(LossRecordError):
        from_csv(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    "text",
    ["," * 4_000_000, HEADER + "," * 4_000_000, HEADER + "1\n" * 2_000_000],
    ids=["header", "row", "rows"],
)
def test_a_record_of_only_empty_cells_or_short_rows_takes_little_memory(text):
    assert peak_of(text) < 10 * len(text)


def test_a_record_is_thinned_to_evaluations_and_some_batch_losses():
    assert kept_interval(0, 10) == kept_interval(MAX_BATCH_LOSSES * 10, 10) == 10
    assert kept_interval((MAX_BATCH_LOSSES + 1) * 10, 10) == 20
    for log_interval in (1, 3, 10):
        for step in (10, 10**5, 340_000, 10**7):
            interval = kept_interval(step, log_interval)
            assert interval % log_interval == 0
            assert step // interval <= MAX_BATCH_LOSSES
            assert interval == log_interval or step // interval >= MAX_BATCH_LOSSES // 2
    rows = [LossRow(step, 0, 0.0, val_loss=1.0 if step % 5 == 0 else None) for step in range(12)]
    assert [row.step for row in thinned(rows, 4)] == [0, 4, 5, 8, 10]


def test_the_best_row_has_the_lowest_validation_loss(loss_record):
    assert best_validation(loss_record) is loss_record[2]
    assert best_validation(loss_record[:2]) is loss_record[0]
    assert best_validation(loss_record[1:2]) is None
    assert best_validation([]) is None


def test_the_first_row_that_reaches_a_loss_is_found(loss_record):
    assert first_reaching(loss_record, 3.25) is loss_record[0]
    assert first_reaching(loss_record, 2.55) is loss_record[2]
    assert first_reaching(loss_record, 2.5) is None
