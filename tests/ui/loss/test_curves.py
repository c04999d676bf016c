"""The Curves tab of the Loss record page."""

from dataclasses import replace

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.ui.charts.loss import MAX_TABLE_ROWS
from tests.ui.pages import COMPARE, CURVES, LOSS_RECORD, charts, open_page, open_tab, tabs


def test_only_the_open_tab_is_drawn(app):
    open_tab(app, LOSS_RECORD, CURVES)
    assert tabs(app) == [CURVES, COMPARE]
    assert app.metric and not app.multiselect and not app.text_area
    open_tab(app, LOSS_RECORD, COMPARE)
    assert app.multiselect and not app.metric and not app.text_area


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


def test_the_page_of_a_long_record_sends_little(
    app, monkeypatch, tmp_path, model, tokenizer, training
):
    record = [
        LossRow(step, 64 * step, step / 9, 1e-3, 1.5, *[2 + (step * 7 % 101) / 300] * 3)
        for step in range(20_000)
    ]
    checkpoint.save(tmp_path / "long", Checkpoint(model, tokenizer, record, training))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "long"))
    open_tab(app, LOSS_RECORD, CURVES)
    assert not app.exception
    assert sum(len(chart) for chart in charts(app)) < 500_000
    assert len(app.dataframe[0].value) == MAX_TABLE_ROWS
    assert any("1,000 of 20,000 estimates" in caption.value for caption in app.caption)
    open_tab(app, LOSS_RECORD, COMPARE)
    assert len(charts(app)[0]) < 500_000
