"""The Curves tab of the Loss record page."""

from dataclasses import replace

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.data import TINY_SHAKESPEARE_SHA256
from tests.ui.pages import COMPARE, CURVES, LOSS_RECORD, MEASURE, charts, open_page, open_tab, tabs


def test_only_the_open_tab_is_drawn(app):
    open_tab(app, LOSS_RECORD, CURVES)
    assert tabs(app) == [CURVES, COMPARE, MEASURE]
    assert app.metric and not app.multiselect and not app.text_area
    open_tab(app, LOSS_RECORD, COMPARE)
    assert app.multiselect and not app.metric and not app.text_area
    open_tab(app, LOSS_RECORD, MEASURE)
    assert app.text_area and not app.metric and not app.multiselect


def test_the_controls_change_the_loss_chart(app):
    open_tab(app, LOSS_RECORD, CURVES)
    chart = charts(app)[0]
    for change, expected in (
        (lambda: app.selectbox("over").set_value("characters"), "characters read"),
        (lambda: app.selectbox("over").set_value("training time"), "training time (s)"),
        (lambda: app.slider("smoothing").set_value(0.9), "training batch, smoothed"),
        (lambda: app.toggle("log_x").set_value(True), '"type":"log"'),
        (lambda: app.toggle("log_y").set_value(True), '"type":"log"'),
    ):
        change().run()
        assert not app.exception
        before, chart = chart, charts(app)[0]
        assert chart != before and expected in chart
    assert "gradient norm" in charts(app)[1]
    open_tab(app, LOSS_RECORD, COMPARE)
    assert "training time (s)" in charts(app)[0] and charts(app)[0].count('"type":"log"') == 2


def test_the_loss_of_the_original_is_shown_only_for_its_own_corpus(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    open_page(app, LOSS_RECORD)
    assert "the original" not in charts(app)[0]
    ours = replace(training, data_sha256=TINY_SHAKESPEARE_SHA256)
    checkpoint.save(tmp_path / "ours", Checkpoint(model, tokenizer, loss_record, ours))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "ours"))
    app.run()
    assert "the original, validation 1.4815" in charts(app)[0]
