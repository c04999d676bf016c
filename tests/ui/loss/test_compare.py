"""Several runs on one chart."""

from tests.ui.shown import COMPARE, CURVES, chart, errors, turn_to


def test_runs_and_an_uploaded_record_are_compared(app, tiny_checkpoint):
    turn_to(app, COMPARE)
    assert "this checkpoint, validation" in chart(app) and "phase4, training" in chart(app)
    app.multiselect("runs").set_value(["phase1", "phase2"]).run()
    assert "phase1, validation" in chart(app) and "phase4" not in chart(app)
    differing = app.dataframe[0].value
    assert list(differing.columns) == ["this checkpoint", "phase1", "phase2"]
    assert list(differing.loc["residual"]) == ["True", "False", "True"]
    app.selectbox("over").set_value("characters").run()
    assert "characters read" in chart(app)
    for axis in ("log_x", "log_y"):
        before = chart(app)
        app.toggle(axis).set_value(True).run()
        assert chart(app).count('"type":"log"') == before.count('"type":"log"') + 1

    record = (tiny_checkpoint / "loss_record.csv").read_bytes()
    app.file_uploader("record").upload("mine.csv", record, "text/csv").run()
    assert not app.exception and not app.error
    assert "your record, validation" in chart(app)
    app.file_uploader("record").upload("mine.csv", record[:-4] + b"high\n", "text/csv").run()
    assert ["line 4" in sentence for sentence in errors(app)] == [True]
    app.file_uploader("record").upload("mine.csv", b"\xff\xfe", "text/csv").run()
    assert errors(app) == ["The loss record cannot be read: it is not UTF-8 text."]
    assert "your record" not in chart(app)


def test_an_uploaded_record_stays_until_it_is_removed(app, tiny_checkpoint):
    turn_to(app, COMPARE)
    record = (tiny_checkpoint / "loss_record.csv").read_bytes()
    app.file_uploader("record").upload("my_own.csv", record, "text/csv").run()
    assert not app.button
    turn_to(turn_to(app, CURVES), COMPARE)
    assert "your record, validation" in chart(app)
    assert app.button[0].label.replace("\\", "") == "Remove my_own.csv from the chart"
    app.button[0].click().run()
    assert not app.exception and "your record" not in chart(app) and not app.button
