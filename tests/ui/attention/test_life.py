"""The life of a head, the first tab of the Attention page."""

import base64
import dataclasses

import numpy as np
import pytest

from microgpt import checkpoint
from microgpt.analysis.ablation import ablated_logits
from microgpt.analysis.attention import attention_maps, in_bytes
from microgpt.analysis.predictions import of_text
from microgpt.config import GPTConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.attention.life import LIFE
from tests.ui.pages import (
    ATTENTION,
    captions,
    component,
    map_title,
    new_app,
    open_page,
    open_tab,
    press,
    tabs,
    trigger,
)

PASSAGE = "Ba do\nke limu."
T = len(PASSAGE)


@pytest.fixture
def lived(checkpoint_with_history, monkeypatch):
    """The checkpoint with a history of its heads; the app opens it."""
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_history))
    return checkpoint.load(checkpoint_with_history)


def open_life(**query):
    app = new_app()
    for key, value in query.items():
        app.query_params[key] = value
    return open_page(app, ATTENTION)


def sent_maps(app):
    """The maps that the browser receives, without their masked part."""
    data = component(app, 1)
    assert data["name"] == component(app)["maps"]
    return np.frombuffer(base64.b64decode(data["maps"]), np.uint8)


def shown(app):
    """The keys of the components on the page."""
    return [each.key for each in app.get("bidi_component")]


def choose(app, label):
    """Choose an option of the presets."""
    app.pills("preset").set_value(label).run()
    assert not app.exception


def switch(app, state):
    app.segmented_control("head_switch").set_value(state).run()
    assert not app.exception


def surprisal(loaded, text, heads=()):
    ids = loaded.tokenizer.encode(text)
    return of_text(ids, ablated_logits(loaded.model, ids, heads)).surprisal


def test_the_page_opens_with_the_passage_and_the_head_with_the_largest_effect(lived):
    app = open_life()
    data = component(app)
    assert tabs(app)[0] == LIFE and app.session_state["attention_view"] == LIFE
    assert data["title"] == "Layer 2, head 3"
    assert app.pills("preset").value == "Head with the largest effect"
    assert "".join(data["labels"]) == PASSAGE.replace(" ", "␣").replace("\n", "⏎")
    assert data["steps"] == [0, 10, 20] and data["step"] == 2 and data["moving"]
    assert data["ablation"] is None and not app.error


def test_the_maps_of_the_layer_are_sent_for_all_steps(lived):
    app = open_life(layer="1", head="2")
    rows, columns = np.tril_indices(T)
    expected = lived.snapshots.maps[:, 0][..., rows, columns]
    np.testing.assert_array_equal(sent_maps(app), expected.ravel())


def test_the_curves_hold_what_was_measured_at_each_step(lived):
    data = component(open_life(layer="1", head="2"))
    loss, effect = data["curves"]
    assert loss["values"] == [3.25, 2.9, 2.55] and loss["unit"] == "nats per character"
    assert effect["values"] == [0, 0, 0]
    assert data["score"] == "previous"
    assert data["scores"]["previous"]["values"] == [0.1, 0.2, 0.6]
    chance = lived.head_scores.uniform["previous"]
    assert data["scores"]["previous"]["chance"] == pytest.approx([chance] * 3, abs=1e-5)
    other = component(open_life(layer="2", head="3"))
    assert other["curves"][1]["values"] == [0.01, 0.02, 0.03]


def test_the_badges_and_the_sentence_are_those_of_each_step(lived):
    data = component(open_life(layer="1", head="2"))
    assert [step[1]["score"] for step in data["badges"]] == [0.1, 0.2, 0.6]
    assert [step[1]["strong"] for step in data["badges"]] == [False, False, True]
    weak = "No kind of character gets much of this head’s attention."
    assert data["about"] == [weak, weak, "60 % of its attention goes to the character before."]


def test_a_step_that_was_not_measured_has_no_badges(lived, tmp_path, monkeypatch):
    folder = tmp_path / "no history"
    checkpoint.save(folder, dataclasses.replace(lived, snapshot_scores=None))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    data = component(open_life(layer="1", head="3"))
    assert data["badges"][:2] == [[None] * 3] * 2 and data["about"][:2] == ["", ""]
    assert data["badges"][2][0]["name"] == "previous" and data["about"][2]


def test_a_preset_chooses_its_first_head_and_ends_with_another_one(lived):
    app = open_life()
    choose(app, "Previous-character heads")
    data = component(app)
    assert data["title"] == "Layer 1, head 1" and data["members"] == [0, 1]
    *earlier, last = data["about"]
    assert last.startswith("These 2 heads give 0.600")
    assert earlier == [f"In the finished model, {last[0].lower()}{last[1:]}"] * 2
    app.selectbox("head").set_value(2).run()
    assert app.pills("preset").value == "Previous-character heads"
    app.selectbox("head").set_value(3).run()
    assert app.pills("preset").value == "One head" and component(app)["members"] == []
    assert app.selectbox("layer").value == 1


def test_a_preset_without_heads_shows_its_sentence_above_the_head(lived):
    app = open_life()
    choose(app, "Induction head")
    (info,) = app.info
    assert info.value.startswith("This model has no induction head: the best score is")
    assert info.value.endswith("Choose “Repeated letters” in the sidebar to see one.")
    assert info.value not in "".join(component(app)["about"])
    app.selectbox("head").set_value(2).run()
    assert app.pills("preset").value == "One head" and component(app)["head"] == 1
    assert not app.info


def test_the_head_is_the_head_of_the_other_tabs(lived):
    app = open_life()
    trigger(app, "head", 1)
    assert component(app)["title"] == "Layer 2, head 2"
    open_tab(app, ATTENTION, "All heads")
    assert map_title(app) == "Layer 2, head 2"


def test_the_switch_shows_the_surprisal_with_and_without_the_head(lived):
    app = open_life()
    switch(app, "Head off")
    ablation = component(app)["ablation"]
    assert ablation["heads"] == "L2 H3"
    assert len(ablation["steps"]) == 3 and all(ablation["steps"])
    for step, heads in zip(ablation["steps"][-1], ((), [(1, 2)]), strict=True):
        np.testing.assert_allclose(step, surprisal(lived, PASSAGE, heads), atol=0.02)
    open_tab(app, ATTENTION, "Ablation")
    assert (app.pills("off_1").value, app.pills("off_2").value) == ([], [3])
    open_tab(app, ATTENTION, LIFE)
    switch(app, "Head on")
    assert component(app)["ablation"] is None
    open_tab(app, ATTENTION, "Ablation")
    assert app.pills("off_2").value == []


def test_several_heads_are_switched_together_and_measured_with_the_finished_model(lived):
    app = open_life(preset="Previous-character heads", layer="1", head="2")
    switch(app, "2 heads off")
    ablation = component(app)["ablation"]
    first, second, last = ablation["steps"]
    assert first is None and second is None and ablation["heads"] == "L1 H1 and L1 H2"
    assert ablation["missing"] == (
        "The predictions without these heads were measured only at the end of the training. Here "
        "the colours show the attention."
    )
    np.testing.assert_allclose(last[0], surprisal(lived, PASSAGE), atol=0.01)
    np.testing.assert_allclose(last[1], surprisal(lived, PASSAGE, [(0, 0), (0, 1)]), atol=1e-3)
    assert app.pills("off_1").value == [1, 2]


def test_snapshots_without_the_effect_of_each_head_show_that_of_the_finished_model(
    lived, tmp_path, monkeypatch
):
    older = dataclasses.replace(lived.snapshots, surprisal_without=None)
    folder = tmp_path / "older"
    checkpoint.save(folder, dataclasses.replace(lived, snapshots=older))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    app = open_life()
    switch(app, "Head off")
    ablation = component(app)["ablation"]
    assert ablation["steps"][:2] == [None, None] and ablation["steps"][2]
    assert "without this head were measured only at the end" in ablation["missing"]


def test_a_link_with_only_a_preset_opens_that_preset(lived):
    app = open_life(preset="Previous-character heads")
    assert app.pills("preset").value == "Previous-character heads"
    assert component(app)["title"] == "Layer 1, head 1" and component(app)["members"] == [0, 1]
    app = open_life(preset="Induction head")  # this model has none
    assert app.pills("preset").value == "Induction head"
    assert component(app)["title"] == "Layer 2, head 3" and "induction" in app.info[0].value


def test_if_a_head_is_off_another_one_is_off_instead(lived):
    app = open_life()
    switch(app, "Head off")
    trigger(app, "head", 0)
    assert component(app)["ablation"]["heads"] == "L2 H1"
    assert app.segmented_control("head_switch").value == "Head off"
    choose(app, "Previous-character heads")
    assert component(app)["ablation"]["heads"] == "L1 H1 and L1 H2"
    assert app.pills("off_2").value == []


def test_heads_that_were_switched_off_elsewhere_are_named(lived):
    app = open_life(off_1=["H3"], off_2=["H3"])
    assert component(app)["ablation"]["heads"] == "L1 H3 and L2 H3"
    app.selectbox("layer").set_value(1).run()
    assert app.segmented_control("head_switch").value == "Head off", "layer 1, head 3"
    app.selectbox("head").set_value(1).run()
    assert component(app)["ablation"] is None
    assert "L1 H3 and L2 H3 are switched off, but only the Ablation tab shows" in captions(app)


def test_the_step_and_the_query_of_a_link_are_shown(lived):
    data = component(open_life(step="10", query="4"))
    assert data["step"] == 1 and data["query"] == 3
    app = open_life()
    trigger(app, "step", 0)
    trigger(app, "query", 5)
    assert component(app)["step"] == 0 and component(app)["query"] == 5
    assert app.session_state["step"] == 0 and app.session_state["query"] == 6


@pytest.mark.parametrize(("step", "nearest"), [("16", 20), ("14", 10), ("-3", 0), ("999", 20)])
def test_a_step_without_a_snapshot_becomes_the_nearest_one(lived, step, nearest):
    app = open_life(step=step)
    assert app.select_slider("step").value == nearest and len(app.toast) == 1


@pytest.mark.parametrize("what", ["head", "query", "step"])
@pytest.mark.parametrize("value", [-1, 99, None, "x", 1.5])
def test_a_choice_from_the_browser_that_is_none_changes_nothing(lived, what, value):
    app = open_life(layer="1", head="2", query="4", step="10")
    before = component(app)
    trigger(app, what, value)
    assert not app.exception and component(app) == before


def test_a_text_of_the_visitor_has_no_slider(lived):
    app = open_life(text="ba do ba")
    data = component(app)
    assert not data["moving"] and data["step"] == 2 and data["steps"] == [0, 10, 20]
    weights = attention_maps(lived.model, lived.tokenizer.encode("ba do ba")).weights
    rows, columns = np.tril_indices(8)
    expected = in_bytes(weights[1]).numpy()[..., rows, columns]
    np.testing.assert_array_equal(sent_maps(app), expected.ravel())
    assert "hold another text" in data["note"] and data["back"]
    switch(app, "Head off")
    last = component(app)["ablation"]["steps"][-1]
    np.testing.assert_allclose(last[1], surprisal(lived, "ba do ba", [(1, 2)]), atol=1e-3)
    trigger(app, "back", True)
    data = component(app)
    assert data["moving"] and (data["note"], data["back"]) == ("", "")
    assert app.text_area("text").value == PASSAGE


@pytest.mark.parametrize("text", ["", "ba €"])
def test_a_text_that_cannot_be_shown_says_so_and_leads_back(lived, text):
    app = open_life()
    app.text_area("text").set_value(text).run()
    assert not app.exception and shown(app) == ["switchboard"]
    assert "cannot be shown" in app.info[0].value
    press(app, "Back to the checkpoint’s passage")
    assert component(app)["moving"]


def test_a_checkpoint_without_optional_files_shows_the_map_and_says_what_is_missing(app):
    open_page(app, ATTENTION)
    data = component(app)
    assert data["title"] == "Layer 1, head 1" and not data["moving"] and data["scores"] == {}
    assert "no head scores" in captions(app) and "no snapshots" in data["note"]
    assert data["badges"] == [[None] * 3] and data["about"] == [""]
    switch(app, "Head off")
    assert component(app)["ablation"]["steps"] and not app.exception


def test_snapshots_without_scores_have_a_slider_and_a_sentence(
    checkpoint_with_snapshots, monkeypatch
):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    app = open_life()
    data = component(app)
    assert (
        data["moving"]
        and data["scores"] == {}
        and [c["title"] for c in data["curves"]] == ["Validation loss"]
    )
    assert "only after the training" not in captions(app) and "no head scores" in captions(app)


@pytest.mark.parametrize("text", ["a", "ab"])
def test_a_model_of_one_head_and_a_text_of_one_character(use_model, text):
    tokenizer = CharTokenizer("ab")
    use_model(GPTConfig(2, block_size=4, n_layer=1, n_head=1, n_embd=4), tokenizer)
    app = open_life(text=text)
    assert component(app)["labels"] == list(text)
    switch(app, "Head off")
    assert (component(app)["ablation"] is None) is (text == "a")


def test_a_passage_longer_than_the_window_is_not_used(lived, tmp_path, monkeypatch):
    config = dataclasses.replace(lived.config, block_size=8)
    small = type(lived.model)(config)
    folder = tmp_path / "short window"
    checkpoint.save(folder, dataclasses.replace(lived, model=small))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    app = open_life()
    switch(app, "Head off")
    assert not component(app)["moving"] and len(component(app)["labels"]) == 8


def test_the_continuations_mark_their_first_difference(lived):
    app = open_life(preset="Previous-character heads", layer="1", head="1")
    assert not [each for each in app.get("html") if "<mark>" in each.proto.body]
    switch(app, "2 heads off")
    marked = [each.proto.body for each in app.get("html") if "<mark>" in each.proto.body]
    assert len(marked) == 2
    first, second = (each.split("<mark>") for each in marked)
    assert first[0] == second[0] and first[1] != second[1]
    assert "The mark shows where they first differ" in captions(app)


def test_the_next_steps_show_the_same_head_and_text(lived):
    for label, tab in (
        ("Compare it with all heads", "All heads"),
        ("See its scores", "Head scores"),
        ("See how its attention is computed", "Stages"),
    ):
        app = open_life(layer="1", head="2")
        press(app, label)
        assert not app.exception and app.session_state["attention_view"] == tab
        assert app.text_area("text").value == PASSAGE and map_title(app) == "Layer 1, head 2"


def test_the_tables_hold_the_numbers_of_the_picture(lived):
    app = open_life(step="10", query="4", layer="1", head="2", off_1="H2")
    text, steps = (each.value for each in app.dataframe[:2])
    np.testing.assert_allclose(
        text["attention of the query"][:4], lived.snapshots.maps[1, 0, 1, 3, :4] / 255
    )
    assert text["attention of the query"][4:].isna().all()
    np.testing.assert_allclose(
        text["surprisal without (nats)"][1:], lived.snapshots.surprisal_without[1, 0, 1], atol=1e-3
    )
    assert steps["step"].tolist() == [0, 10, 20]
    assert steps["previous score (of attention)"].tolist() == pytest.approx([0.1, 0.2, 0.6])


def test_an_induction_head_opens_where_it_attends_to_what_followed_the_same_character():
    app = open_life(checkpoint="Repeated letters", preset="Induction head")
    data = component(app)
    text, query = data["labels"], data["query"]
    rows, _ = np.tril_indices(len(text))
    last = sent_maps(app)[-len(rows) :].reshape(-1)  # the only head of the layer at the last step
    row = last[rows == query]
    [*_, copied] = [at for at in range(1, query) if text[at - 1] == text[query]]
    assert query >= len(text) // 2 and row[copied] == row.max() > 255 / 2
