"""The switchboard on a page of its own; a browser test drives its JavaScript."""

import pytest

from microgpt.ui.components import Badge
from tests.ui.pages import component, run_script, trigger

BADGES = [[Badge("previous", 0.43, True), None], [None, Badge("space", 0.22, False)]]


def board_page():
    """A script that shows a board of two layers with two heads and stores which are off."""
    import streamlit as st

    from microgpt.ui.components.switchboard.switchboard import switchboard
    from tests.ui.components.test_switchboard import BADGES

    def switch(off):
        st.session_state["off"] = off

    switchboard("board", BADGES, st.session_state.get("off", {(1, 0)}), switch)


def test_the_board_gets_the_badges_and_the_heads_that_are_off():
    assert component(run_script(board_page)) == {
        "badges": [
            [{"name": "previous", "score": 0.43, "strong": True}, None],
            [None, {"name": "space", "score": 0.22, "strong": False}],
        ],
        "off": [[1, 0]],
    }


def test_all_heads_that_are_off_are_passed_on():
    app = trigger(run_script(board_page), "off", [[1, 1], [0, 0]])
    assert not app.exception and app.session_state["off"] == {(0, 0), (1, 1)}
    assert component(app)["off"] == [[0, 0], [1, 1]]
    trigger(app, "off", [])
    assert app.session_state["off"] == frozenset()


def test_a_rerun_switches_nothing():
    app = trigger(run_script(board_page), "off", [[0, 0]])
    del app.session_state["off"]
    assert "off" not in app.run().session_state


@pytest.mark.parametrize("sent", [5, "H1", [[0, 0, 0]], [[0, "x"]], [[2, 0]], [[0, -1]], [0]])
def test_a_head_that_does_not_exist_switches_nothing(sent):
    app = trigger(run_script(board_page), "off", sent)
    assert not app.exception and "off" not in app.session_state
