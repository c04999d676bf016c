"""What a callback chooses lasts until the browser has received it.

AppTest plays the browser: with `stale`, it sends the value of a widget from before.
"""

import pytest
from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from microgpt.ui.choices import choose, end_choices, keep_choices, mark_drawn

    def pressed(value):
        choose("size", value)

    keep_choices()
    for value in (1, 2):
        st.button(f"Choose {value}", on_click=pressed, args=(value,))
    if st.session_state.get("interrupted"):
        st.stop()
    if not st.session_state.get("without"):
        mark_drawn("size")
        st.number_input("Size", 0, 9, 5, key="size")
    end_choices()


@pytest.fixture
def app():
    return AppTest.from_function(page).run()


def interrupted_press(app, label):
    """Press a button; the run ends before it has drawn the widget, as if the browser sent more."""
    app.session_state["interrupted"] = True
    next(each for each in app.button if each.label == label).click().run()
    app.session_state["interrupted"] = False


def sent_from_before(app, value, received):
    """A run that the browser asks for with the values that it had then."""
    app.session_state["size"] = value
    app.session_state["number of the received run"] = received
    return app.run()


def test_a_choice_outlasts_an_older_value(app):
    interrupted_press(app, "Choose 1")
    assert sent_from_before(app, 5, received=1).number_input("size").value == 1
    # The browser had not received that run either.
    assert sent_from_before(app, 5, received=1).number_input("size").value == 1


def test_the_last_of_two_choices_outlasts_the_values_before_both(app):
    interrupted_press(app, "Choose 1")
    app.session_state["size"] = 5  # the browser has not received the first choice
    interrupted_press(app, "Choose 2")
    assert sent_from_before(app, 5, received=1).number_input("size").value == 2
    assert sent_from_before(app, 1, received=1).number_input("size").value == 2


def test_a_value_that_the_visitor_sets_is_kept(app):
    app.button[0].click().run()
    assert app.number_input("size").value == 1
    assert app.number_input("size").set_value(5).run().number_input("size").value == 5
    interrupted_press(app, "Choose 1")
    assert sent_from_before(app, 7, received=1).number_input("size").value == 7


def test_a_choice_for_another_page_ends_with_the_run(app):
    app.session_state["without"] = True
    app.button[0].click().run()
    app.session_state["without"] = False
    assert sent_from_before(app, 5, received=1).number_input("size").value == 5
