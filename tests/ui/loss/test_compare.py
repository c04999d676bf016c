"""The Compare runs tab of the Loss record page."""

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
