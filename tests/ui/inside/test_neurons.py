"""The Neurons tab of the Inside page."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis import residuals
from microgpt.analysis.neuron_scores import Found
from microgpt.config import GPTConfig
from microgpt.ui.charts import style
from microgpt.ui.inside import neurons as tab
from tests.ui.pages import (
    INSIDE,
    TAB_KEYS,
    captions,
    charts,
    component,
    new_app,
    open_page,
    open_tab,
    press,
    trigger,
)

NEURONS = "Neurons"
TEXT = "Ba do ke.\nBa do"


@pytest.fixture
def open_neurons(app):
    """Open the tab on the small checkpoint, with the parameters of a link."""

    def start(**query):
        app.query_params |= {"text": TEXT, **query, TAB_KEYS[INSIDE]: NEURONS}
        return open_page(app, INSIDE)

    return start


@pytest.fixture
def loaded(tiny_checkpoint):
    return checkpoint.load(tiny_checkpoint)


def of_neuron(loaded, text, layer, neuron):
    """The activations (T,) of a neuron, caught while the model runs."""
    caught = []
    mlp = loaded.model.blocks[layer].mlp
    hook = mlp.down.register_forward_pre_hook(lambda _, args: caught.append(args[0][0, :, neuron]))
    loaded.model(torch.tensor([loaded.tokenizer.encode(text)]))
    hook.remove()
    return caught[0].numpy()


def test_the_text_is_shaded_by_the_neuron_in_the_link(open_neurons, loaded):
    app = open_neurons(neuron_layer="2", neuron="7")
    data = component(app)
    assert data["chosen"] == 6 and data["text"]["labels"] == style.visible(TEXT)
    expected = of_neuron(loaded, TEXT, 1, 6)
    assert data["text"]["values"] == pytest.approx(expected.tolist(), rel=6e-3, abs=1e-6)
    assert data["text"]["at"] == int(expected.argmax())
    assert app.number_input("neuron").value == 7 and app.selectbox("neuron_layer").value == 2


def test_a_found_neuron_is_chosen_with_a_press(open_neurons, loaded):
    app = open_neurons()
    before = component(app)
    row = next(each for each in before["rows"] if each["neuron"] != before["chosen"])
    trigger(app, "neuron", row["neuron"])
    after = component(app)
    assert after["chosen"] == row["neuron"] and after["text"]["values"] != before["text"]["values"]
    assert app.query_params["neuron"] in (str(row["neuron"] + 1), [str(row["neuron"] + 1)])
    expected = of_neuron(loaded, TEXT, 0, row["neuron"])
    assert after["text"]["values"] == pytest.approx(expected.tolist(), rel=6e-3, abs=1e-6)
    trigger(app, "neuron", 10**6)  # no row has it
    assert component(app)["chosen"] == row["neuron"]


def test_the_largest_activation_that_is_sent_has_the_end_of_the_scale(open_neurons):
    app = open_neurons()
    for neuron in range(1, 9):
        data = component(app.number_input("neuron").set_value(neuron).run())
        sent = [each["values"] for each in (data["text"], *data["passages"])]
        assert data["peak"] == max(map(max, sent))


def test_another_neuron_or_layer_needs_no_forward_pass(open_neurons, monkeypatch):
    app = open_neurons()
    passes = []
    forward = residuals.residual_stream

    def counted(*args):
        passes.append(args)
        return forward(*args)

    monkeypatch.setattr(residuals, "residual_stream", counted)
    monkeypatch.setattr("microgpt.analysis.neurons.residual_stream", counted)
    shown = [component(app)["text"]["values"]]
    app.number_input("neuron").set_value(11).run()
    shown.append(component(app)["text"]["values"])
    app.selectbox("neuron_layer").set_value(2).run()
    shown.append(component(app)["text"]["values"])
    assert not app.exception and not passes
    assert shown[0] != shown[1] != shown[2]
    app.text_area("text").set_value("do ba").run()
    assert passes, "a new text needs one"


def test_the_neurons_are_scored_on_a_text_of_the_visitor(open_neurons):
    app = open_neurons()
    written = component(app)
    app.segmented_control("neurons_on").set_value("your own text").run()
    app.text_area("neuron_text").set_value("ba do. " * 30).run()
    own = component(app)
    assert not app.exception
    names = [row["name"] for row in own["rows"]]
    assert {"spaces", "the character ."} <= set(names) and "newlines" not in names
    assert own["rows"] != written["rows"] and "210 characters" in captions(app)
    assert all(0 <= row["score"] <= 1 and 0.5 <= row["chance"] <= 1 for row in own["rows"])
    marks = {"".join(each["labels"])[each["at"]] for each in own["passages"]}
    assert own["passages"] and marks <= set("bado.␣")


def test_only_a_neuron_above_chance_is_said_to_recognise_a_kind():
    above = tab._about(1, Found("vowels", 4, 0.9, 0.7))
    below = tab._about(1, Found("vowels", 4, 0.6, 0.7))
    assert "Neuron 5 of layer 2 recognises vowels." in above and "90 %" in above
    assert "recognises no kind of character" in below and "60 %" in below and "70 %" in below


def test_the_sentence_names_a_kind_for_which_the_list_has_the_neuron(open_neurons):
    app = open_neurons()
    for neuron in {row["neuron"] for row in component(app)["rows"]}:
        app.number_input("neuron").set_value(neuron + 1).run()
        rows = [row for row in component(app)["rows"] if row["neuron"] == neuron]
        said = [f"recognises {row['name']}." for row in rows]
        said += [f"For {row['name']}, it" for row in rows]
        assert any(each in captions(app) for each in said)


def test_a_short_text_scores_no_neuron(open_neurons):
    app = open_neurons(neurons_on="this text", text="ba")
    assert component(app)["rows"] == [] and "too short to score" in captions(app)
    assert charts(app), "the effect of the neuron is shown"


def test_the_validation_split_is_offered_if_the_corpus_is_on_the_server(
    use_model, tiny_config, tokenizer, corpus, corpus_file, monkeypatch
):
    digest = hashlib.sha256(corpus.encode()).hexdigest()
    use_model(tiny_config, tokenizer, data_sha256=digest)
    app = open_tab(new_app(), INSIDE, NEURONS)
    options = app.segmented_control("neurons_on").options
    assert "validation split" not in options and "is not on this server" in captions(app)
    use_model(dataclasses.replace(tiny_config, n_embd=12), tokenizer, data_sha256=digest)
    monkeypatch.setenv("MICROGPT_DATA", str(corpus_file))
    app = open_tab(new_app(), INSIDE, NEURONS)
    app.segmented_control("neurons_on").set_value("validation split").run()
    assert not app.exception and "is not on this server" not in captions(app)
    assert "validation split (" in captions(app)
    part = component(app)["passages"][0]
    shown = "".join(part["labels"]).replace("␣", " ").replace("⏎", "\n")
    start = int(0.9 * len(corpus)) + part["start"]
    assert corpus[start : start + len(shown)] == shown


@pytest.mark.parametrize(
    "changes",
    [{"norm": "blocks"}, {"norm": "none"}, {"residual": False}, {"n_head": 1, "mlp_ratio": 1}],
    ids=str,
)
def test_every_shape_of_a_model_has_neurons(use_model, tiny_config, tokenizer, changes):
    use_model(dataclasses.replace(tiny_config, **changes), tokenizer)
    app = open_tab(new_app(), INSIDE, NEURONS)
    no_path = "only neurons of its last layer reach the logits"
    assert component(app)["rows"] and (no_path in captions(app)) == ("residual" in changes)
    assert bool(charts(app)) == ("residual" not in changes)
    app.selectbox("neuron_layer").set_value(2).run()
    assert not app.exception and charts(app) and no_path not in captions(app)


def test_a_model_of_one_layer_and_a_tiny_window_opens(use_model, tokenizer):
    use_model(GPTConfig(tokenizer.vocab_size, 2, 1, 1, 1, mlp_ratio=1), tokenizer)
    app = open_tab(new_app(), INSIDE, NEURONS)
    assert not app.exception and len(component(app)["text"]["labels"]) == 2


def test_the_chart_has_the_characters_that_the_neuron_changes_most(open_neurons, loaded):
    """The effect is that of the last layer on a model whose final LayerNorm is frozen."""
    app = open_neurons(neuron_layer="2", neuron="7")
    values = of_neuron(loaded, TEXT, 1, 6)
    at = int(values.argmax())
    model = loaded.model
    stream = residuals.residual_stream(model, loaded.tokenizer.encode(TEXT)).points[-1, at]
    added = float(values[at]) * model.blocks[1].mlp.down.weight[:, 6]
    scale = model.ln_final.weight / stream.std(unbiased=False)
    logits = (model.head.weight @ (scale * (added - added.mean()))).numpy()
    order = np.argsort(-logits)
    labels = style.visible(loaded.tokenizer.characters)
    chart = charts(app)[0]
    assert chart.index(labels[order[0]]) and labels[order[-1]] in chart
    table = app.dataframe[0].value
    assert table["character"].tolist()[0].strip("\u2060") == labels[order[0]]
    expected = np.sort(logits - logits.mean())[::-1]
    assert table["added to the logit"].tolist() == pytest.approx(expected.tolist(), abs=2e-3)


def test_the_tab_leads_to_the_other_views(open_neurons):
    app = open_neurons()
    press(app, "See the prediction layer by layer")
    assert app.session_state[TAB_KEYS[INSIDE]] == "Layer by layer"
    assert app.text_area("text").value == TEXT


def test_a_layer_of_too_many_values_is_not_offered(open_neurons, monkeypatch):
    def labels(app):
        return [each.proto.label for each in app.get("download_button")]

    app = open_neurons()
    assert "layer.csv" in labels(app)
    monkeypatch.setattr(tab, "_MOST_VALUES", 100)
    assert "layer.csv" not in labels(app.run())
    assert "would have more than 100 values" in captions(app)
