"""The Side by side tab of the Generate page."""

from tests.ui.pages import (
    GENERATE,
    INSIDE,
    captions,
    component,
    generated_texts,
    open_tab,
    trigger,
)


def test_each_text_has_at_most_400_characters(app):
    app.query_params["length"] = "600"
    open_tab(app, GENERATE, "Side by side")
    assert "writes at most 400 characters" in captions(app)
    assert [len(text) for _, text in generated_texts(app)] == [400, 400]
    app.number_input("length").set_value(40).run()
    assert "writes at most" not in captions(app)


def test_a_character_of_either_text_can_be_explained(app):
    app.query_params |= {"prompt": "ba", "length": "20"}
    open_tab(app, GENERATE, "Side by side")
    left, right = (component(app, at) for at in (0, 1))
    assert left["explains"] and right["explains"]
    trigger(app, "asked", {"name": right["name"], "at": 4}, 1)
    written = generated_texts(app)[1][1]
    page, link = app.session_state["requested_page"]
    assert page == INSIDE and link["query"] == "6" and link["text"] == f"ba{written[:5]}"
