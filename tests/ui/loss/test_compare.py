"""The Compare runs tab of the Loss record page."""

from microgpt.checkpoint import loss_record
from microgpt.ui.loss import compare
from tests.ui.pages import COMPARE, CURVES, LOSS_RECORD, charts, errors, open_tab


def test_runs_and_an_uploaded_record_are_compared(app, tiny_checkpoint):
    open_tab(app, LOSS_RECORD, COMPARE)
    assert "this checkpoint, validation" in charts(app)[0] and "phase4, training" in charts(app)[0]
    app.multiselect("runs").set_value(["phase1", "phase2"]).run()
    assert "phase1, validation" in charts(app)[0] and "phase4" not in charts(app)[0]
    differences = app.dataframe[0].value
    assert list(differences.columns) == ["this checkpoint", "phase1", "phase2"]
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
    assert not app.button
    open_tab(app, LOSS_RECORD, CURVES)
    open_tab(app, LOSS_RECORD, COMPARE)
    assert "your record, validation" in charts(app)[0]
    assert app.button[0].label.replace("\\", "") == "Remove my_own.csv from the chart"
    app.button[0].click().run()
    assert not app.exception and "your record" not in charts(app)[0] and not app.button


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


def test_a_record_that_is_too_large_is_not_read(app):
    """The uploader's limit holds only in the browser."""
    open_tab(app, LOSS_RECORD, COMPARE)
    data = b"\n" * (16 * 2**20 + 1)
    app.file_uploader("record").upload("mine.csv", data, "text/csv").run()
    sentence = "A loss record has at most 16 MiB; this file has 16,777,217 bytes."
    assert errors(app) == [sentence] and not app.exception
