"""The neurons of a layer in the data of their component."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.pages import component, trigger


def page():
    import numpy as np
    import streamlit as st

    from microgpt.ui.components.neurons.neurons import Passage, Row, neurons

    neurons(
        "neurons",
        Passage("ab\n", np.array([0.12345, 2, 0]), at=1),
        [Row("vowels", 3, 0.98765, 0.51234), Row("spaces", 7, 1.0, 0.5)],
        7,
        [Passage("c", np.array([4.5678]), at=0, start=12)],
        "In another text",
        lambda neuron: st.session_state.update(pressed=neuron),
    )


@pytest.fixture
def app():
    return AppTest.from_function(page).run()


def test_texts_and_scores_are_rounded_and_the_peak_is_that_of_all_texts(app):
    data = component(app)
    assert data["text"] == {
        "labels": ["a", "b", "⏎"],
        "lines": [2],
        "values": [0.123, 2.0, 0.0],
        "at": 1,
        "start": 0,
    }
    assert data["passages"][0]["start"] == 12 and data["peak"] == 4.57
    assert data["rows"][0] == {"name": "vowels", "neuron": 3, "score": 0.988, "chance": 0.512}
    assert data["chosen"] == 7


@pytest.mark.parametrize("sent", [4, -1, "3", None, {}])
def test_only_a_neuron_of_the_list_can_be_chosen(app, sent):
    assert "pressed" not in trigger(app, "neuron", sent).session_state
    assert trigger(app, "neuron", 3).session_state["pressed"] == 3
