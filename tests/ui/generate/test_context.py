"""The loss by the length of the context."""

from tests.ui.shown import PAGES, captions, drawn, on_tab


def test_the_result_is_kept_until_the_text_changes(app):
    on_tab(app, "Context length", PAGES[0], "view")
    app.text_area("context_text").set_value("ba do ke li mu. ba do ke li mu.").run()
    assert not app.exception
    first, kept = drawn(app), app.session_state["context_surprisal"]
    assert "after 1" in app.dataframe[0].value and len(app.dataframe[0].value) == 30
    assert drawn(app.run()) == first and app.session_state["context_surprisal"] is kept
    app.text_area("context_text").set_value("mu li ke do ba. mu li ke do ba.").run()
    assert not app.exception and drawn(app) != first
    app.text_area("context_text").set_value("b").run()
    assert not app.exception and "at least two characters" in captions(app) and not drawn(app)
