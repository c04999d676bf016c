"""The switches of the heads, on the Ablation tab and under the life of a head."""

import dataclasses

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.head_scores import Ablation
from microgpt.checkpoint import Checkpoint
from tests.ui.pages import ATTENTION, captions, component, generated_texts, open_tab, press, trigger


@pytest.fixture
def folder(tiny_checkpoint, scored_checkpoint, tmp_path):
    """A checkpoint with two previous-character heads, and one head with the largest effect."""
    loaded = checkpoint.load(scored_checkpoint(2, 3))
    scores = loaded.head_scores
    previous = torch.full((2, 3), 0.05)
    previous[0, :2] = 0.6
    tables = {name: 0 * table for name, table in scores.scores.items()} | {"previous": previous}
    change = torch.zeros(2, 3)
    change[1, 2] = 0.1
    scores = dataclasses.replace(scores, scores=tables, ablation=Ablation(10, change))
    folder = tmp_path / "presets"
    parts = (loaded.model, loaded.tokenizer, loaded.loss_record, loaded.training)
    checkpoint.save(folder, Checkpoint(*parts, head_scores=scores))
    return folder


def switch_buttons(app):
    """The buttons above the switches: name to whether it can be pressed."""
    names = [each.label for each in app.button]
    first = names.index("All on")
    return {each.label: not each.disabled for each in app.button[first : first + 5]}


def test_each_preset_has_a_button_that_switches_its_heads_off(open_attention, folder):
    app = open_attention(folder, "Ablation")
    assert switch_buttons(app) == {
        "All on": False,
        "Previous-character heads": True,
        "Head with the largest effect": True,
        "Same-character head": False,
        "Induction head": False,
    }
    assert "This model has no same-character head" in captions(app)
    (original,) = generated_texts(app)
    for name, off, about in (
        ("Previous-character heads", [[0, 0], [0, 1]], "These 2 heads give"),
        (
            "Head with the largest effect",
            [[1, 2]],
            "Without this head the loss on",
        ),
    ):
        press(app, name)
        assert not app.exception and component(app)["off"] == off and about in captions(app)
        assert generated_texts(app)[0] == original != generated_texts(app)[1]
    press(app, "All on")
    assert component(app)["off"] == [] and generated_texts(app) == [original]


def test_a_switch_has_the_badge_of_its_head(open_attention, folder):
    badges = component(open_attention(folder, "Ablation"))["badges"]
    assert badges[0][0] == {"name": "previous", "score": 0.6, "strong": True}
    assert badges[1][0] == {"name": "previous", "score": 0.05, "strong": False}


def test_without_head_scores_there_are_only_switches(open_attention):
    app = open_attention(tab="Ablation")
    assert component(app)["badges"] == [[None] * 3] * 2
    assert "Induction head" not in [each.label for each in app.button]


def test_the_heads_of_a_link_are_off(open_attention):
    app = open_attention(tab="Ablation", off_1=["H1", "H3"], off_2="H2")
    assert component(app)["off"] == [[0, 0], [0, 2], [1, 1]]
    assert len(generated_texts(app)) == 2


def test_a_switch_changes_the_value_that_is_in_the_link(open_attention):
    app = open_attention(tab="Ablation", off_1=["H1"])
    trigger(app, "off", [[0, 2], [1, 1]])
    assert not app.exception and component(app)["off"] == [[0, 2], [1, 1]]
    assert (app.pills("off_1").value, app.pills("off_2").value) == ([3], [2])


def test_all_heads_of_another_checkpoint_are_on(open_attention):
    app = open_attention(tab="Ablation", off_1=["H1", "H3"], off_2="H2")
    app.selectbox("checkpoint").set_value("Repeated letters").run()
    assert not app.exception and component(app)["off"] == []
    app.selectbox("checkpoint").set_value("This app's own").run()
    assert not app.exception and component(app)["off"] == []


def test_the_switches_are_the_same_under_the_life_of_a_head(app):
    open_tab(app, ATTENTION, "Ablation")
    trigger(app, "off", [[1, 1]])
    open_tab(app, ATTENTION, "The life of a head")
    boards = [each for each in app.get("bidi_component") if '"off"' in each.proto.json]
    assert ['"off": [[1, 1]]' in board.proto.json or board.proto.json for board in boards] == [True]
