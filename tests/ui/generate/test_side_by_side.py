"""The same prompt under two settings."""

from tests.ui.shown import shown_texts


def test_each_text_has_at_most_400_characters(app):
    app.query_params["view"] = "Side by side"
    app.query_params["length"] = "600"
    app.run()
    assert any("writes at most 400 characters" in caption.value for caption in app.caption)
    assert [len(text) for _, text in shown_texts(app)] == [400, 400]
    app.number_input("length").set_value(40).run()
    assert not any("writes at most" in caption.value for caption in app.caption)
