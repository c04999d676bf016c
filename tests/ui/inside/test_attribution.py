"""The Why this character tab of the Inside page."""

import dataclasses

import pytest

from microgpt import checkpoint
from microgpt.analysis.attribution import (
    Contrast,
    direct_effects,
    parts_of,
    source_effects,
    total_effects,
)
from microgpt.analysis.position import position_at
from microgpt.analysis.residuals import residual_stream
from microgpt.ui.cache import inside
from microgpt.ui.inside import attribution as tab
from microgpt.ui.inside.attribution import part_name
from tests.ui.pages import ATTENTION, INSIDE, component, open_tab, press, trigger

TAB, TEXT = "Why this character", "ba do ke"


def expected(folder, at, target, against):
    """The direct and the total effects on the logits of the text, by the name of the part."""
    loaded = checkpoint.load(folder)
    ids = loaded.tokenizer.encode(TEXT)
    stream = residual_stream(loaded.model, ids)
    contrast = Contrast(*loaded.tokenizer.encode(target + against))
    position = position_at(loaded.model, ids, stream, at)
    direct = direct_effects(loaded.model, position, contrast)
    total = contrast.of(total_effects(loaded.model, stream)[:, at])
    names = map(part_name, parts_of(loaded.config))
    return {
        name: pytest.approx(pair, abs=2e-3)
        for name, *pair in zip(names, direct.tolist(), total.tolist(), strict=True)
    }


def shown(app, at=0):
    return {bar["name"]: [bar["value"], bar["second"]] for bar in component(app, at)["bars"]}


def test_each_part_has_its_direct_and_its_total_effect(open_inside, tiny_checkpoint):
    app = open_inside(TAB, text=TEXT, query="4", target="k", against="o")
    assert shown(app) == expected(tiny_checkpoint, 3, "k", "o")
    sizes = [abs(bar["value"]) for bar in component(app)["bars"]]
    assert sizes == sorted(sizes, reverse=True)
    app.slider("query").set_value(6).run()
    app.selectbox("target").set_value("d").run()
    assert not app.exception and shown(app) == expected(tiny_checkpoint, 5, "d", "o")


def test_the_total_effects_of_a_large_model_are_computed_when_asked_for(open_inside, monkeypatch):
    monkeypatch.setattr(tab, "_MOST_WORK", 0)
    app = open_inside(TAB, text="ba do ke la", query="4")  # a text that no other test computed
    assert {second for _, second in shown(app).values()} == {None}
    press(app, "Compute the total effects")
    assert None not in {second for _, second in shown(app).values()}
    assert "Compute the total effects" not in [button.label for button in app.button]


def test_the_next_character_of_the_text_is_compared_with_the_likeliest_other(
    open_inside, tiny_checkpoint
):
    app = open_inside(TAB, text=TEXT, query="4")
    loaded = checkpoint.load(tiny_checkpoint)
    logits = residual_stream(loaded.model, loaded.tokenizer.encode(TEXT)).logits
    characters = loaded.tokenizer.characters

    def other(at, target):
        order = (characters[i] for i in logits[at].argsort(descending=True))
        return next(each for each in order if each != target)

    assert shown(app) == expected(tiny_checkpoint, 3, "o", other(3, "o"))
    app.slider("query").set_value(8).run()  # the end: the likeliest is explained
    likeliest = other(7, "")
    assert shown(app) == expected(tiny_checkpoint, 7, likeliest, other(7, likeliest))


def test_a_part_opens_by_a_click_and_by_a_link(open_inside, tiny_checkpoint):
    app = open_inside(TAB, text=TEXT, query="6", target="d", against="o")
    trigger(app, "picked", "L2 H3")
    assert not app.exception and app.subheader[0].value == "Layer 2, head 3"
    loaded = checkpoint.load(tiny_checkpoint)
    ids = loaded.tokenizer.encode(TEXT)
    stream = residual_stream(loaded.model, ids)
    position, values = position_at(loaded.model, ids, stream, 5), stream.values[1, 2, :6]
    contrast = Contrast(*loaded.tokenizer.encode("do"))
    sources = source_effects(loaded.model, position, values, 1, 2, contrast).tolist()
    names = [f"{'␣' if char == ' ' else char} ({at})" for at, char in enumerate(TEXT, 1)]
    found = {name: value for name, (value, _) in shown(app, 1).items()}
    assert found == {
        name: pytest.approx(value, rel=1e-3, abs=1e-6)
        for name, value in zip(names, sources, strict=False)
    }
    total = dict(zip(shown(app), shown(app).values(), strict=True))["L2 H3"][0]
    assert sum(found.values()) == pytest.approx(total, abs=2e-3)

    app = open_inside(TAB, text=TEXT, query="6", target="d", against="o", part="L1 MLP")
    assert app.subheader[0].value == "Layer 1, MLP" and component(app)["chosen"] == "L1 MLP"
    opened = shown(app, 1)
    assert len(opened) == 20 + 2 and f"{4 * 24 - 20} other neurons" in opened and "bias" in opened
    sums = sum(value for value, _ in opened.values())
    assert sums == pytest.approx(shown(app)["L1 MLP"][0], abs=2e-3)


def test_an_open_mlp_leads_to_its_largest_neuron(open_inside):
    app = open_inside(TAB, text=TEXT, query="6", target="d", against="o", part="L2 MLP")
    name = component(app, 1)["bars"][0]["name"]
    app.query_params.clear()
    press(app, f"See what {name} fires on")
    assert app.session_state["inside_view"] == "Neurons"
    assert app.selectbox("neuron_layer").value == 2
    assert app.number_input("neuron").value == int(name.removeprefix("neuron "))


def test_an_open_head_leads_to_its_map(open_inside):
    app = open_inside(TAB, text=TEXT, query="6", target="d", against="o", part="L2 H3")
    press(app, "See its map in the finished model")
    page, link = app.session_state["requested_page"]
    assert page == ATTENTION and link == {"attention_view": "All heads", "text": TEXT}
    assert (app.session_state["layer"], app.session_state["head"]) == (2, 3)


@pytest.mark.parametrize("name", ["L9 H9", "token embedding", 3, None])
def test_a_part_that_cannot_be_opened_is_ignored(open_inside, name):
    app = open_inside(TAB, text=TEXT, query="6", target="d", against="o")
    before = app.subheader[0].value
    trigger(app, "picked", name)
    assert not app.exception and app.subheader[0].value == before


def test_the_difference_to_the_mean_and_the_logit_itself(open_inside, tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    logits = residual_stream(loaded.model, loaded.tokenizer.encode(TEXT)).logits[3]
    logit = logits[loaded.tokenizer.encode("k")[0]].item()
    app = open_inside(TAB, text=TEXT, query="4", target="k", against="nothing")
    direct = [bar["value"] for bar in component(app)["bars"]]
    assert sum(direct) == pytest.approx(logit, abs=1e-2)
    app.selectbox("against").set_value("mean of all").run()
    direct = [bar["value"] for bar in component(app)["bars"]]
    assert sum(direct) == pytest.approx(logit - logits.mean().item(), abs=1e-2)


def test_total_effects_of_a_large_vocabulary_are_computed_for_one_position(
    open_inside, tiny_checkpoint, monkeypatch
):
    monkeypatch.setattr(inside, "_MOST_EFFECTS", 0)
    inside._total_effects.clear()
    app = open_inside(TAB, text=TEXT, query="4", target="k", against="o")
    assert shown(app) == expected(tiny_checkpoint, 3, "k", "o")


def test_a_model_without_residual_connections_has_no_attribution(use_model, model, tokenizer, app):
    use_model(dataclasses.replace(model.config, residual=False), tokenizer)
    open_tab(app, INSIDE, TAB)
    assert "not a sum over its parts" in app.info[0].value
    assert not app.get("bidi_component")


def test_a_text_of_one_character_has_an_answer(open_inside):
    app = open_inside(TAB, text="b")
    assert len(component(app)["bars"]) > 5 and len(component(app, 1)["bars"]) >= 1
