"""The Cross-attention page: what is translated and shown, and what a choice changes."""

import base64

import numpy as np
import pytest

from microgpt import checkpoint
from microgpt.analysis.ablation import head_mask
from microgpt.analysis.cross_attention import translation
from microgpt.analysis.translation_maps import (
    changed_characters,
    translation_maps,
)
from microgpt.dates import EXAMPLES
from tests.pair_checkpoint import CONFIG, STEPS, TOKENIZER
from tests.ui.pages import captions, component, errors, press, trigger

FIRST, OTHER = EXAMPLES[0], "7 May 1999"


@pytest.fixture(scope="module")
def loaded(pair_checkpoint):
    return checkpoint.load_pairs(pair_checkpoint)


def expected(loaded, text, off=()):
    mask = head_mask(CONFIG, off) if off else None
    return translation_maps(translation(loaded.model, TOKENIZER, text, cross_head_mask=mask))


def sent(app, kind, step=-1):
    """The maps of a kind that the browser receives, as one row of numbers."""
    maps = component(app, 1)["maps"][step][kind]
    return np.frombuffer(base64.b64decode(maps), np.uint8)


def test_the_page_opens_with_an_example_at_every_step_of_the_training(open_cross, loaded):
    app = open_cross()
    data = component(app)
    assert "".join(data["input"]) == FIRST.replace(" ", "␣")
    assert data["steps"] == STEPS and data["step"] == 2 and data["note"] == ""
    assert data["shown"] == {"encoder": 0, "decoder": 0, "cross": 6} and data["off"] == []
    at = loaded.snapshots.example_texts(TOKENIZER).index(FIRST)
    for step in (0, 1):
        found = loaded.snapshots.maps(TOKENIZER, step, at)
        for kind, maps in found.maps.items():
            np.testing.assert_array_equal(sent(app, kind, step), maps.ravel())
    for kind, maps in expected(loaded, FIRST).maps.items():
        np.testing.assert_array_equal(sent(app, kind), maps.ravel())


def test_the_curves_are_the_exact_dates_and_the_loss(open_cross, loaded):
    exact, loss = component(open_cross())["curves"]
    assert exact["values"] == pytest.approx(loaded.cross_scores.exact[:, 0].tolist())
    assert loss["values"] == [3.25, None, 2.55] and loss["texts"][1:] == [
        "not measured",
        "2.550 nats",
    ]


def test_another_text_is_translated_without_a_slider(open_cross, loaded):
    app = open_cross(date=OTHER)
    data = component(app)
    assert data["steps"] == [STEPS[-1]] and "hold only the examples" in data["note"]
    found = expected(loaded, OTHER)
    assert "".join(data["written"][0]["labels"]).startswith(found.output.replace(" ", "␣"))
    np.testing.assert_array_equal(sent(app, "cross"), found.maps["cross"].ravel())
    trigger(app, "back", True)
    assert component(app)["steps"] == STEPS and app.text_input("date").value == FIRST


def test_a_head_that_is_off_changes_the_output_and_the_maps(open_cross, loaded):
    app = open_cross()
    trigger(app, "off", [[0, 1], [1, 2]])
    data = component(app)
    off = [(0, 1), (1, 2)]
    whole, without = expected(loaded, FIRST), expected(loaded, FIRST, off)
    assert data["off"] == [[0, 1], [1, 2]] and app.pills("cross_off").value == ["L1 H2", "L2 H3"]
    assert data["written"][0]["changed"] == changed_characters(without.output, whole.output)
    np.testing.assert_array_equal(sent(app, "cross"), without.maps["cross"].ravel())
    assert "".join(data["before"][0]) == whole.output.replace(" ", "␣") + "■"
    assert data["effect"].startswith("Without L1 H2 and L2 H3, ")
    assert "all heads on" in data["note"] and data["back"] == "All heads on"
    trigger(app, "back", True)
    assert component(app)["off"] == [] and component(app)["steps"] == STEPS


def test_the_choices_of_a_link_are_shown(open_cross):
    link = {
        "date": FIRST,
        "encoder_head": "L1 H2",
        "decoder_head": "mean",
        "cross_head": "L2 H1",
        "character": "output 3",
        "cross_step": "10",
    }
    data = component(open_cross(**link))
    assert data["shown"] == {"encoder": 1, "decoder": 6, "cross": 3}
    assert data["point"] == "output 3" and data["step"] == 1
    assert component(open_cross(cross_off=["L2 H2"]))["off"] == [[1, 1]]


def test_a_choice_in_the_component_is_kept(open_cross):
    app = open_cross()
    for what, value in (("cross", 4), ("encoder", 6), ("step", 0), ("point", "input 2")):
        trigger(app, what, value)
    assert app.selectbox("cross_head").value == "L2 H2"
    assert app.selectbox("encoder_head").value == "mean"
    assert app.select_slider("cross_step").value == 0
    assert app.selectbox("character").value == "input 2"
    trigger(app, "point", "")
    assert app.selectbox("character").value == "none" and component(app)["point"] == ""


def test_a_checkpoint_without_measurements_says_what_it_lacks(open_cross, bare_pair_checkpoint):
    app = open_cross(bare_pair_checkpoint)
    data = component(app)
    assert data["written"][0]["scores"] == [None] * 6 and data["without"] == []
    assert "no snapshots" in data["note"] and data["back"] == "" and len(data["steps"]) == 1
    assert "has no scores of its heads" in captions(app) and not app.error


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the text is empty; write at least one character."),
        (
            "1 May " * 20,
            "the text has 120 characters, and this model reads at most 48; shorten it.",
        ),
        (
            "1 Mai 2000 €",
            "not in the vocabulary: '€' (position 12). The model cannot read such characters: "
            "change the text, or press “Replace them” below.",
        ),
    ],
)
def test_a_text_that_cannot_be_translated_ends_in_one_sentence(open_cross, text, sentence):
    app = open_cross()
    app.text_input("date").set_value(text).run()
    assert errors(app) == [f"A date in words: {sentence}"] and not app.exception
    assert not [each for each in app.get("bidi_component") if each.key == "translation"]


def test_unknown_characters_are_replaced(open_cross):
    app = open_cross(date="1 May 2000€")
    press(app, "Replace them")
    assert app.text_input("date").value == "1 May 2000" and not app.error


def test_an_example_is_a_button(open_cross):
    app = open_cross()
    press(app, EXAMPLES[1])
    data = component(app)
    assert "".join(data["input"]) == EXAMPLES[1].replace(" ", "␣") and data["steps"] == STEPS
