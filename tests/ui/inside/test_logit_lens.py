"""The Layer by layer tab of the Inside page."""

import base64
import dataclasses
import json
import re

import numpy as np
import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.logit_lens import LogitLens, logit_lens
from microgpt.analysis.residuals import residual_stream
from microgpt.ui.inside.controls import point_names
from microgpt.ui.inside.logit_lens import decision
from tests.ui.pages import ATTENTION, INSIDE, captions, charts, component, open_tab, trigger

TAB, TEXT = "Layer by layer", "ba do ke"


def expected(folder, text=TEXT):
    loaded = checkpoint.load(folder)
    stream = residual_stream(loaded.model, loaded.tokenizer.encode(text))
    return loaded, logit_lens(loaded.model, stream.points)


def cells(app):
    """The characters and the probabilities of the table."""
    data = component(app)
    packed = np.frombuffer(base64.b64decode(data["cells"]), "<u2")
    packed = packed.reshape(len(data["rows"]), len(data["text"]), 3)
    return [[data["characters"][i] for i in row] for row in packed[..., 0]], packed[..., 1] / 65535


def test_the_table_shows_the_likeliest_character_after_each_layer(open_inside, tiny_checkpoint):
    app = open_inside(TAB, text=TEXT)
    loaded, lens = expected(tiny_checkpoint)
    for shown in (lens.per_layer(), lens):
        labels, probs = cells(app)
        visible = {" ": "␣", "\n": "⏎"}
        characters = [[loaded.tokenizer.characters[i] for i in row] for row in shown.likeliest]
        assert labels == [[visible.get(char, char) for char in row] for row in characters]
        np.testing.assert_allclose(probs, shown.probs, atol=1e-5)
        app.toggle("half_layers").set_value(True).run()
    assert component(app)["rows"] == [
        *("embeddings", "attention 1", "layer 1", "attention 2", "layer 2")
    ]


def test_a_cell_chooses_the_position_and_the_point(open_inside, tiny_checkpoint):
    app = open_inside(TAB, text=TEXT)
    assert (component(app)["row"], component(app)["at"]) == (2, 7)
    before = charts(app)
    trigger(app, "picked", [1, 3])
    assert not app.exception and (component(app)["row"], component(app)["at"]) == (1, 3)
    assert app.slider("query").value == 4 and app.selectbox("after").value == "layer 1"
    assert charts(app) != before
    _, lens = expected(tiny_checkpoint)
    assert json.loads(charts(app)[0])["data"][0]["y"] is not None
    table = app.dataframe[-1].value
    np.testing.assert_allclose(table["probability"], lens.per_layer().probs[:, 3], rtol=1e-9)
    np.testing.assert_allclose(table["divergence"], lens.per_layer().divergences[:, 3])


@pytest.mark.parametrize("cell", [[9, 0], [0, 99], ["a", None], [-1, 0]])
def test_a_cell_that_the_table_does_not_have_is_ignored(open_inside, cell):
    app = open_inside(TAB, text=TEXT)
    trigger(app, "picked", cell)
    assert not app.exception and (component(app)["row"], component(app)["at"]) == (2, 7)


def test_a_link_opens_a_cell(open_inside):
    app = open_inside(
        TAB, text=TEXT, query="3", after="the attention of layer 2", half_layers="true"
    )
    assert (component(app)["row"], component(app)["at"]) == (3, 2) and not app.toast
    app = open_inside(TAB, text=TEXT, query="3", after="the attention of layer 2")
    assert (component(app)["row"], component(app)["at"]) == (2, 2) and len(app.toast) == 1


def test_the_text_and_the_position_are_those_of_the_attention_page(open_inside):
    app = open_inside(TAB, text=TEXT)
    trigger(app, "picked", [1, 3])
    open_tab(app, ATTENTION, "Stages")
    assert app.text_area("text").value == TEXT and app.slider("query").value == 4
    app.text_area("text").set_value("mu na ro").run()
    open_tab(app, INSIDE, TAB)
    assert "".join(component(app)["text"]) == "mu␣na␣ro" and component(app)["at"] == 3
    assert app.selectbox("after").value == "layer 1"


def lens_of(*ids):
    shape = (len(ids), 1)
    return LogitLens(torch.tensor(ids).view(shape), torch.ones(shape), torch.zeros(shape))


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ([1, 1, 1, 1], "Already after the embeddings the likeliest character is b. No layer …"),
        ([0, 0, 1, 1], "After layer 2 the likeliest character is b. No later layer changes it. "
         "Before that, it is a after the embeddings."),
        ([0, 2, 2, 1], "b is the likeliest character only after layer 3. Before that, it is a "
         "after the embeddings, then ␣ after layer 1."),
        ([0, 1, 0, 1, 0, 1, 1], "After layer 5 the likeliest character is b. No later layer "
         "changes it. Before that, it changes 4 times."),
    ],
)  # fmt: skip
def test_a_sentence_says_where_the_model_makes_up_its_mind(model, ids, sentence):
    config = dataclasses.replace(model.config, n_layer=len(ids) - 1)
    found = decision(lens_of(*ids), point_names(config)[::2], 0, "ab ")
    found = re.sub(r"[*“”]", "", found)
    assert found.startswith(sentence.removesuffix("…")) and len(found) < len(sentence) + 25


def test_the_sentence_is_about_the_chosen_position(open_inside, tiny_checkpoint):
    app = open_inside(TAB, text=TEXT)
    loaded, lens = expected(tiny_checkpoint)
    names = point_names(loaded.config)[::2]
    for at in (7, 2):
        app.slider("query").set_value(at + 1).run()
        assert decision(lens.per_layer(), names, at, loaded.tokenizer.characters) in [
            each.value for each in app.markdown
        ]


def test_a_model_without_residual_connections_has_a_table_and_a_note(
    use_model, model, tokenizer, app
):
    use_model(dataclasses.replace(model.config, residual=False), tokenizer)
    open_tab(app, INSIDE, TAB)
    assert "no residual connections" in captions(app) and component(app)["rows"]


def test_a_text_of_one_character_has_one_column(open_inside):
    app = open_inside(TAB, text="b")
    assert component(app)["text"] == ["b"] and component(app)["at"] == 0
