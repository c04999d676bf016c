"""The rows in the data of the bars."""

from streamlit.testing.v1 import AppTest

from tests.ui.pages import component, trigger


def page():
    import streamlit as st

    from microgpt.ui.components.effect_bars.effect_bars import Bar, effect_bars

    effect_bars(
        "bars",
        "Parts",
        [Bar("L1 H1", 0.123456, -123.456, "L1 H1"), Bar("bias", -0.5)],
        ["direct", "total"],
        "L1 H1",
        lambda opens: st.session_state.update(opened=opens),
    )


def test_numbers_have_four_digits_and_a_row_may_lack_the_second():
    data = component(AppTest.from_function(page).run())
    first, last = data["bars"]
    assert first == {"name": "L1 H1", "value": 0.1235, "second": -123.5, "opens": "L1 H1"}
    assert (last["value"], last["second"], last["opens"]) == (-0.5, None, None)
    assert (data["label"], data["columns"], data["chosen"]) == (
        "Parts",
        ["direct", "total"],
        "L1 H1",
    )


def test_a_press_sends_what_the_row_opens():
    app = AppTest.from_function(page).run()
    assert "opened" not in app.session_state
    assert trigger(app, "picked", "L1 H1").session_state["opened"] == "L1 H1"
