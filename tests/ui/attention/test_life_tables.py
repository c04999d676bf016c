"""The tables of the life of a head."""

import math

from streamlit.testing.v1 import AppTest


def page():
    import numpy as np

    from microgpt.ui.attention.life_tables import steps_table, text_table
    from microgpt.ui.components.life.life import Curve

    text_table("ab c", np.array([0.25, 0.75]), (np.array([1, 2, 3]), np.array([1.5, 2, 9])))
    steps_table(
        [0, 10],
        [Curve("Loss", "nats", [3.0, 2.0], "loss"), Curve("Score", "", [None, 0.5], "score")],
    )


def test_a_row_for_each_character_and_for_each_step():
    text, steps = (each.value for each in AppTest.from_function(page).run().dataframe)
    assert text["character"].tolist() == ["a", "b", "␣", "c"]
    attention = text["attention of the query"].tolist()
    assert attention[:2] == [0.25, 0.75] and all(map(math.isnan, attention[2:]))
    assert text["surprisal without (nats)"].tolist()[1:] == [1.5, 2, 9]
    assert steps["Loss (nats)"].tolist() == [3, 2]
    assert math.isnan(steps["Score"][0]) and steps["Score"][1] == 0.5
