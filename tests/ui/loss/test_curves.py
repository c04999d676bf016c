"""The loss curves."""

from dataclasses import replace

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.data import TINY_SHAKESPEARE_SHA256
from tests.ui.shown import COMPARE, CURVES, MEASURE, PAGES, chart, turn_to, views


def test_only_the_open_tab_is_drawn(app):
    turn_to(app, CURVES)
    assert views(app) == [CURVES, COMPARE, MEASURE]
    assert app.metric and not app.multiselect and not app.text_area
    turn_to(app, COMPARE)
    assert app.multiselect and not app.metric and not app.text_area
    turn_to(app, MEASURE)
    assert app.text_area and not app.metric and not app.multiselect


def test_the_controls_change_the_loss_chart(app):
    turn_to(app, CURVES)
    shown = chart(app)
    for change, expected in (
        (lambda: app.selectbox("over").set_value("characters"), "characters read"),
        (lambda: app.selectbox("over").set_value("training time"), "training time (s)"),
        (lambda: app.slider("smoothing").set_value(0.9), "training batch, smoothed"),
        (lambda: app.toggle("log_x").set_value(True), '"type":"log"'),
        (lambda: app.toggle("log_y").set_value(True), '"type":"log"'),
    ):
        change().run()
        assert not app.exception
        assert chart(app) != shown
        shown = chart(app)
        assert expected in shown
    assert "gradient norm" in chart(app, 1)
    turn_to(app, COMPARE)
    assert "training time (s)" in chart(app) and chart(app).count('"type":"log"') == 2


def test_the_loss_of_the_original_is_shown_only_for_its_own_corpus(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    app.switch_page(PAGES[2]).run()
    assert "the original" not in app.get("plotly_chart")[0].proto.spec
    ours = replace(training, data_sha256=TINY_SHAKESPEARE_SHA256)
    checkpoint.save(tmp_path / "ours", Checkpoint(model, tokenizer, loss_record, ours))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "ours"))
    app.run()
    assert "the original, validation 1.4815" in app.get("plotly_chart")[0].proto.spec
