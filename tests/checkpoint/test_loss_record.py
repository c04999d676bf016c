import io

import pandas as pd
import pytest

from microgpt.checkpoint.loss_record import (
    COLUMNS,
    LossRecordError,
    LossRow,
    append,
    best_validation,
    first_reaching,
    from_csv,
    to_csv,
)
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


def test_the_best_row_has_the_lowest_validation_loss(loss_record):
    assert best_validation(loss_record) is loss_record[2]
    assert best_validation(loss_record[:2]) is loss_record[0]
    assert best_validation(loss_record[1:2]) is None
    assert best_validation([]) is None


def test_the_first_row_that_reaches_a_loss_is_found(loss_record):
    assert first_reaching(loss_record, 3.25) is loss_record[0]
    assert first_reaching(loss_record, 2.55) is loss_record[2]
    assert first_reaching(loss_record, 2.5) is None
