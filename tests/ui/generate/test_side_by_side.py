"""The Side by side tab of the Generate page."""

from tests.ui.pages import GENERATE, captions, generated_texts, open_tab


def test_each_text_has_at_most_400_characters(app):
    app.query_params["length"] = "600"
    open_tab(app, GENERATE, "Side by side")
    assert "writes at most 400 characters" in captions(app)
    assert [len(text) for _, text in generated_texts(app)] == [400, 400]
    app.number_input("length").set_value(40).run()
    assert "writes at most" not in captions(app)
