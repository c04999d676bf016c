"""The head grid on a page of its own; a browser test drives its JavaScript."""

import json

import pytest

from tests.ui.pages import run_script, trigger

LABELS = [["", "same 0.58"], ["first 0.31", ""]]


def grid_page(layer, head):
    """A script that shows a grid of two layers with two heads and stores what was picked."""
    import streamlit as st

    from microgpt.ui.components.head_grid.head_grid import head_grid
    from tests.ui.components.test_head_grid import LABELS

    def pick(*place):
        st.session_state["picked"] = place

    head_grid("grid", LABELS, layer, head, b"a picture", on_pick=pick)


@pytest.mark.parametrize(("layer", "head"), [(1, 0), (1, None), (None, None)])
def test_the_grid_is_told_its_labels_and_the_chosen_map(layer, head):
    grid, images = run_script(grid_page, layer, head).get("bidi_component")
    assert json.loads(grid.proto.json) == {"labels": LABELS, "layer": layer, "head": head}
    assert images.proto.bytes == b"a picture"


@pytest.mark.parametrize("place", [[0, 1], [1, None], [None, None]], ids=str)
def test_a_picked_map_is_passed_on(place):
    app = trigger(run_script(grid_page, 0, 0), "picked", place)
    assert not app.exception and app.session_state["picked"] == tuple(place)


def test_a_rerun_picks_nothing():
    app = run_script(grid_page, 0, 0)
    assert "picked" not in app.session_state
    trigger(app, "picked", [0, 1])
    del app.session_state["picked"]
    assert "picked" not in app.run().session_state
