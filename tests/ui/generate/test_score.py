"""The Score a text tab of the Generate page."""

from tests.ui.pages import GENERATE, captions, first_text, open_tab


def test_only_the_start_of_a_long_text_is_scored(app):
    open_tab(app, GENERATE, "Score a text")
    app.text_area("scored").set_value("ba do" * 2500).run()
    assert not app.exception and not app.error
    assert "12,500 characters; the page uses the first 10,000" in captions(app)
    assert first_text(app) == "ba do" * 2000


def test_the_score_is_kept_until_the_text_changes(app):
    open_tab(app, GENERATE, "Score a text")
    app.text_area("scored").set_value("ba do ke li").run()
    assert not app.exception
    loss, result = app.metric[0].value, app.session_state["scored_text"]
    assert app.run().metric[0].value == loss and app.session_state["scored_text"] is result
    table = app.dataframe[0].value
    assert table["probability"].is_monotonic_increasing and table["position"].between(2, 11).all()
    app.text_area("scored").set_value("ba do ke mu").run()
    assert not app.exception and app.metric[0].value != loss
