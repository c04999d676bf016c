"""The tables below the picture of the whole model hold the numbers of the picture."""

import base64

import numpy as np
import pytest

from tests.ui.pages import INSIDE, component, open_tab


def floats(packed):
    return np.frombuffer(base64.b64decode(packed), "<f4")


def test_the_tables_hold_the_same_numbers(app):
    app.session_state["text"] = "ba do ke"
    opened = open_tab(app, INSIDE, "Through the model")
    assert not app.dataframe  # they are made when they are opened
    app.session_state["number_tables"] = True
    sent = component(opened.run(), 1)
    stream, attention, following = (each.value for each in app.dataframe)
    shares = [part["share"] for block in sent["blocks"] for part in block["attention"]]
    rows = stream[stream["after"].str.endswith("attention")]
    assert rows["share"].tolist() == shares
    heads = floats(sent["opened"]["weight"]).reshape(3, -1)
    assert attention["attention"].tolist() == heads[sent["head"]].tolist()
    assert following["logit"].iloc[0] == floats(sent["logits"]).max()
    assert following["probability"].sum() == pytest.approx(1)
