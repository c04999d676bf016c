"""The cells in the data of the lens table, and those that the browser picks."""

import base64

import numpy as np
import pytest

from microgpt.ui.components.lens_table.lens_table import packed
from tests.ui.pages import run_script, trigger


def test_a_cell_is_packed_as_character_probability_and_divergence():
    likeliest = np.array([[3, 0], [2, 1]])
    probs = np.array([[1.0, 0.5], [0.0, 0.25]])
    divergences = np.array([[0.0, 1.2344], [99.0, 0.0006]])
    cells = np.frombuffer(base64.b64decode(packed(likeliest, probs, divergences)), "<u2")
    assert cells.reshape(2, 2, 3).tolist() == [
        [[3, 65535, 0], [0, 32768, 1234]],
        [[2, 0, 65535], [1, 16384, 1]],
    ]


def table_page():
    """A script that shows a table of two points and three positions and stores what was picked."""
    import numpy as np
    import streamlit as st

    from microgpt.ui.components.lens_table.lens_table import lens_table

    def pick(*cell):
        st.session_state["picked"] = cell

    zeros = np.zeros((2, 3))
    args = ("lens", "abc", ["one", "two"], "abc", zeros.astype(int), zeros, zeros, 0, 0)
    lens_table(*args, on_pick=pick)


def test_a_picked_cell_is_passed_on():
    app = trigger(run_script(table_page), "picked", [1, 2])
    assert app.session_state["picked"] == (1, 2)


@pytest.mark.parametrize(
    "cell",
    [[2, 0], [0, 3], [0, -1], [1.0, 0], [True, 0], [0], [0, 1, 1], "01"],
    ids=str,
)
def test_what_is_not_a_cell_of_the_table_is_not_passed_on(cell):
    app = trigger(run_script(table_page), "picked", cell)
    assert not app.exception and "picked" not in app.session_state
