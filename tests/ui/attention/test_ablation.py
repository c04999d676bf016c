"""The Ablation tab of the Attention page."""

from tests.ui.pages import ATTENTION, charts, generated_texts, open_tab, press, trigger


def test_ablated_heads_change_the_predictions(app):
    open_tab(app, ATTENTION, "Ablation")
    (original,) = generated_texts(app)
    chart = charts(app)[0]
    trigger(app, "off", [[0, 0], [0, 2]])
    assert not app.exception
    assert charts(app)[0] != chart
    assert app.metric[0].delta != "+0.000" and float(app.metric[1].value) > 0
    before, after = generated_texts(app)
    assert before == original and after != original
    press(app, "Switch off one head at a time")
    assert not app.exception
    ranked = app.dataframe[-1].value
    assert len(ranked) == 6 and ranked.iloc[:, 3].is_monotonic_decreasing
    press(app, "All on")
    assert generated_texts(app) == [original]
