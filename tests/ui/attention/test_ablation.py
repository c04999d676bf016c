"""Heads switched off."""

from tests.ui.shown import on_tab, press, shown_texts


def test_ablated_heads_change_the_predictions(app):
    on_tab(app, "Ablation")
    (whole,) = shown_texts(app)  # nothing is off yet
    drawn = app.get("plotly_chart")[0].proto.spec
    next(pills for pills in app.pills if pills.label == "Layer 1").set_value([1, 3]).run()
    assert not app.exception
    assert app.get("plotly_chart")[0].proto.spec != drawn
    assert app.metric[0].delta != "+0.000" and float(app.metric[1].value) > 0
    before, after = shown_texts(app)
    assert before == whole and after != whole
    press(app, "Switch off one head at a time")
    assert not app.exception
    ranked = app.dataframe[-1].value
    assert len(ranked) == 6 and ranked.iloc[:, 3].is_monotonic_decreasing
    press(app, "Switch all on")
    assert shown_texts(app) == [whole]
