"""The head grid on a page of its own; a browser test drives its JavaScript."""

import json

import pytest

from microgpt.ui.components import Badge
from tests.ui.pages import run_script, trigger

BADGES = [[None, Badge("same", 0.58, True)], [Badge("first", 0.21, False), None]]


def grid_page(layer, head):
    """A script that shows a grid of two layers with two heads and stores what was picked."""
    import streamlit as st

    from microgpt.ui.components.head_grid.head_grid import head_grid
    from tests.ui.components.test_head_grid import BADGES

    def pick(*place):
        st.session_state["picked"] = place

    head_grid("grid", BADGES, layer, head, b"a picture", "the_map", on_pick=pick)


@pytest.mark.parametrize(("layer", "head"), [(1, 0), (1, None), (None, None)])
def test_the_grid_gets_its_badges_and_the_chosen_map(layer, head):
    grid, images = run_script(grid_page, layer, head).get("bidi_component")
    badges = [
        [None, {"name": "same", "score": 0.58, "strong": True}],
        [{"name": "first", "score": 0.21, "strong": False}, None],
    ]
    expected = {"badges": badges, "layer": layer, "head": head, "large": "the_map"}
    assert json.loads(grid.proto.json) == expected
    assert images.proto.bytes == b"a picture"


@pytest.mark.parametrize("place", [[0, 1], [1, None], [None, None]], ids=str)
def test_a_picked_map_is_passed_on(place):
    app = trigger(run_script(grid_page, 0, 0), "picked", place)
    assert not app.exception and app.session_state["picked"] == tuple(place)


@pytest.mark.parametrize(
    "place",
    [[None, 1], [2, 0], [0, 2], [-1, 0], [0.0, 1], [True, 1], [0], [0, 1, 1], "01"],
    ids=str,
)
def test_what_is_not_the_place_of_a_map_is_not_passed_on(place):
    app = trigger(run_script(grid_page, 0, 0), "picked", place)
    assert not app.exception and "picked" not in app.session_state


def test_a_rerun_picks_nothing():
    app = run_script(grid_page, 0, 0)
    assert "picked" not in app.session_state
    trigger(app, "picked", [0, 1])
    del app.session_state["picked"]
    assert "picked" not in app.run().session_state
