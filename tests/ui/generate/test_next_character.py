"""The distribution of the next character."""

from tests.ui.shown import press, written


def test_the_sliders_change_the_distribution(app):
    app.run()
    before = app.get("plotly_chart")[0].proto.spec
    text = written(app)
    app.slider("top_k").set_value(3).run()
    assert app.get("plotly_chart")[0].proto.spec != before
    assert any("allow 3 of 28 characters" in caption.value for caption in app.caption)
    app.slider("top_p").set_value(0.0).run()
    assert any("allow 1 of 28 characters" in caption.value for caption in app.caption)
    assert written(app) == text


def test_a_new_text_clears_the_selected_character(app):
    app.run()
    app.session_state["selected_character"] = (app.session_state["generated_text"], 3)
    app.run()
    press(app, "Write")
    assert not app.exception
    assert any(each.value == "The first character after the prompt" for each in app.subheader)


def test_a_button_clears_the_selected_character(app):
    app.run()
    app.session_state["selected_character"] = (app.session_state["generated_text"], 0)
    app.run()
    press(app, "Close")
    assert any(each.value == "The first character after the prompt" for each in app.subheader)
