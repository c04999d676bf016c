"""The tab that scores a text."""

from tests.ui.shown import PAGES, on_tab, shown_texts


def test_only_the_start_of_a_long_text_is_scored(app):
    app.query_params["view"] = "Score a text"
    app.run()
    app.text_area("scored").set_value("ba do" * 2500).run()
    assert not app.exception and not app.error
    assert any(
        "12,500 characters; the page uses the first 10,000." in caption.value
        for caption in app.caption
    )
    ((before, text),) = shown_texts(app)
    assert before + text == "ba do" * 2000


def test_the_score_is_kept_until_the_text_changes(app):
    on_tab(app, "Score a text", PAGES[0], "view")
    app.text_area("scored").set_value("ba do ke li").run()
    assert not app.exception
    loss, kept = app.metric[0].value, app.session_state["scored_text"]
    assert app.run().metric[0].value == loss and app.session_state["scored_text"] is kept
    table = app.dataframe[0].value
    assert table["probability"].is_monotonic_increasing and table["position"].between(2, 11).all()
    app.text_area("scored").set_value("ba do ke mu").run()
    assert not app.exception and app.metric[0].value != loss
