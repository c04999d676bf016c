"""The distribution of the next character on the Generate page."""

from tests.ui.pages import captions, charts, first_text, press


def test_the_sliders_change_the_distribution(app):
    app.run()
    chart, text = charts(app)[0], first_text(app)
    app.slider("top_k").set_value(3).run()
    assert charts(app)[0] != chart
    assert "allow 3 of 28 characters" in captions(app)
    app.slider("top_p").set_value(0.0).run()
    assert "allow 1 of 28 characters" in captions(app)
    assert first_text(app) == text


def test_a_new_text_clears_the_selected_character(app):
    app.run()
    app.session_state["selected_character"] = (app.session_state["generated_text"], 3)
    app.run()
    press(app, "Write")
    assert not app.exception
    assert "The first character after the prompt" in [each.value for each in app.subheader]


def test_a_button_clears_the_selected_character(app):
    app.run()
    app.session_state["selected_character"] = (app.session_state["generated_text"], 0)
    app.run()
    press(app, "Close")
    assert "The first character after the prompt" in [each.value for each in app.subheader]
