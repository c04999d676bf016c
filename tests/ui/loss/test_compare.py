"""The Compare runs tab of the Loss record page."""

import pytest

from microgpt import checkpoint
from microgpt.checkpoint import loss_record
from microgpt.ui.loss import compare
from tests.ui.pages import (
    COMPARE,
    CURVES,
    LOSS_RECORD,
    charts,
    errors,
    new_app,
    open_tab,
    press,
)

SMALL = [
    "Small model 1: attention and MLP",
    "Small model 2: residual connections",
    "Small model 3: LayerNorm in each layer",
    "Small model 4: LayerNorm before the head",
]
REMOVE = "Remove my\\_own.csv from the chart"


def labels(app):
    return [button.label for button in app.button]


def test_runs_and_an_uploaded_record_are_compared(app, tiny_checkpoint):
    open_tab(app, LOSS_RECORD, COMPARE)
    first, second, _, last = SMALL
    assert "this checkpoint, validation" in charts(app)[0] and f"{last}, training" in charts(app)[0]
    app.multiselect("runs").set_value([first, second]).run()
    assert f"{first}, validation" in charts(app)[0] and last not in charts(app)[0]
    differences = app.dataframe[0].value
    assert list(differences.columns) == ["this checkpoint", first, second]
    assert list(differences.loc["residual"]) == ["True", "False", "True"]
    app.selectbox("over").set_value("characters").run()
    assert "characters read" in charts(app)[0]
    for axis in ("log_x", "log_y"):
        before = charts(app)[0]
        app.toggle(axis).set_value(True).run()
        assert charts(app)[0].count('"type":"log"') == before.count('"type":"log"') + 1

    record = (tiny_checkpoint / "loss_record.csv").read_bytes()
    app.file_uploader("record").upload("mine.csv", record, "text/csv").run()
    assert not app.exception and not app.error
    assert "your record, validation" in charts(app)[0]
    app.file_uploader("record").upload("mine.csv", record[:-4] + b"high\n", "text/csv").run()
    assert ["line 4" in sentence for sentence in errors(app)] == [True]
    app.file_uploader("record").upload("mine.csv", b"\xff\xfe", "text/csv").run()
    assert errors(app) == ["The loss record cannot be read: it is not UTF-8 text."]
    assert "your record" not in charts(app)[0]


def test_an_uploaded_record_stays_until_it_is_removed(app, tiny_checkpoint):
    open_tab(app, LOSS_RECORD, COMPARE)
    record = (tiny_checkpoint / "loss_record.csv").read_bytes()
    app.file_uploader("record").upload("my_own.csv", record, "text/csv").run()
    assert REMOVE not in labels(app)
    open_tab(app, LOSS_RECORD, CURVES)
    open_tab(app, LOSS_RECORD, COMPARE)
    assert "your record, validation" in charts(app)[0]
    press(app, REMOVE)
    assert not app.exception and "your record" not in charts(app)[0]
    assert REMOVE not in labels(app)


def test_an_uploaded_record_is_read_once(app, monkeypatch, tiny_checkpoint):
    read = []

    def counted(text):
        read.append(text)
        return loss_record.from_csv(text)

    monkeypatch.setattr(compare, "from_csv", counted)
    open_tab(app, LOSS_RECORD, COMPARE)
    record = (tiny_checkpoint / "loss_record.csv").read_bytes()
    app.file_uploader("record").upload("mine.csv", record, "text/csv").run()
    app.toggle("log_x").set_value(True).run()
    assert "your record, validation" in charts(app)[0]
    assert read == [record.decode()]


@pytest.mark.parametrize("rows", ["", "0,0,0,,,3.3,,\n"])
def test_a_record_without_a_loss_to_draw_is_an_error(app, tiny_checkpoint, rows):
    open_tab(app, LOSS_RECORD, COMPARE)
    record = (tiny_checkpoint / "loss_record.csv").read_text(encoding="utf-8")
    columns = "step,tokens,seconds,learning_rate,grad_norm,batch_loss,train_loss,val_loss"
    assert record.startswith(columns)
    data = f"{columns}\n{rows}".encode()
    app.file_uploader("record").upload("mine.csv", data, "text/csv").run()
    assert errors(app) == [
        "The loss record cannot be used: it holds no training loss and no validation loss."
    ]
    assert "your record" not in charts(app)[0]


def test_a_record_that_is_too_large_is_not_read(app):
    """The uploader's limit holds only in the browser."""
    open_tab(app, LOSS_RECORD, COMPARE)
    data = b"\n" * (16 * 2**20 + 1)
    app.file_uploader("record").upload("mine.csv", data, "text/csv").run()
    sentence = "A loss record has at most 16 MiB; this file has 16,777,217 bytes."
    assert errors(app) == [sentence] and not app.exception


def test_an_encoder_decoder_is_compared_with_a_gpt(monkeypatch, pair_checkpoint):
    """A GPT has no source_size."""
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(pair_checkpoint))
    app = open_tab(new_app(), LOSS_RECORD, COMPARE)
    size = checkpoint.load_pairs(pair_checkpoint).config.source_size
    assert list(app.dataframe[0].value.loc["source_size"]) == [str(size), "–"]
