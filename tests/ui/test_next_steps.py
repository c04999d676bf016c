"""The next steps of a view open another view with the same text and head."""

import re

import pytest

from tests.ui.pages import (
    ATTENTION,
    GENERATE,
    INSIDE,
    LOSS_RECORD,
    SNAPSHOTS,
    TAB_KEYS,
    TITLES,
    component,
    first_text,
    generated_texts,
    map_title,
    new_app,
    open_page,
    open_tab,
    press,
    run_script,
    tabs,
    trigger,
)


@pytest.fixture
def small(tiny_checkpoint, monkeypatch):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    return new_app()


def press_in_text(app, label):
    """Press the button of the written or scored text."""
    assert component(app)["step"][0] == label
    trigger(app, "step", True)


def take(app, label, page, tab, push=press):
    """Push a button, and assert that it opens this view."""
    push(app, label)
    if "requested_page" in app.session_state:  # the test runner opens no other page by itself
        requested, link = app.session_state["requested_page"]
        assert requested == page and link[TAB_KEYS[page]] == tab
        del app.session_state["requested_page"]
        open_page(app, page)
    assert not app.exception and app.title[0].value == TITLES[page]
    assert tab in tabs(app) and app.session_state[TAB_KEYS[page]] == tab


def test_the_end_of_a_generated_text_can_be_looked_inside(small):
    app = small.run()
    text = first_text(app)
    label, about = component(app)["step"]
    take(app, "Look inside", ATTENTION, "The life of a head", press_in_text)
    shown = app.text_area("text").value
    most = int(re.findall(r"\d+", about)[0])
    assert label == "Look inside"
    assert len(text) > len(shown) == most and text.endswith(shown)
    open_tab(app, ATTENTION, "Stages")
    assert app.text_area("text").value == shown


def test_the_text_of_the_attention_page_can_be_continued(small):
    app = open_tab(small, ATTENTION, "All heads")
    app.text_area("text").set_value("ba do ke").run()
    take(app, "Continue this text", GENERATE, "Write")
    assert app.text_area("prompt").value == "ba do ke" and first_text(app).startswith("ba do ke")
    take(app, "Score this text", GENERATE, "Score a text")
    assert app.text_area("scored").value.startswith("ba do ke")
    take(app, "Look inside", ATTENTION, "The life of a head", press_in_text)


@pytest.mark.parametrize(("side", "at"), [("left", 0), ("right", 1)])
def test_a_text_of_side_by_side_is_written_with_its_settings(small, side, at):
    app = open_tab(small, GENERATE, "Side by side")
    for key, value in (("length", 30), ("seed", 5)):
        app.number_input(key).set_value(value)
    app.slider("temperature").set_value(0.5)
    app.slider("other_temperature").set_value(1.5)
    app.slider("other_top_k").set_value(7)
    app.text_area("prompt").set_value("ba do").run()
    text = "".join(generated_texts(app)[at])
    take(app, f"Write with the {side} settings", GENERATE, "Write")
    assert first_text(app) == text and len(text) == 35
    assert app.slider("temperature").value == (0.5, 1.5)[at]


@pytest.mark.parametrize(
    ("label", "page", "tab", "key"),
    [
        ("Score this text", GENERATE, "Score a text", "scored"),
        ("Look inside", ATTENTION, "The life of a head", "text"),
    ],
)
def test_the_text_of_the_context_length_can_be_scored_and_looked_inside(
    small, label, page, tab, key
):
    app = open_tab(small, GENERATE, "Context length")
    app.text_area("context_text").set_value("ba do ke li").run()
    take(app, label, page, tab, press)
    assert app.text_area(key).value == "ba do ke li"


@pytest.mark.parametrize("tab", ["Write", "Score a text"])
def test_a_character_of_a_text_can_be_asked_about(small, tab):
    """The window has 16 characters, so the text is cut to the last of them."""
    app = open_tab(small, GENERATE, tab)
    text = first_text(app)
    start = len(text) - len(generated_texts(app)[0][1])
    most = 16
    for at in (0, 30):
        trigger(app, "asked", {"name": component(app)["name"], "at": at})
        asked = text[: start + at + 1][-most:]
        _, link = app.session_state["requested_page"]
        assert link["text"] == asked and link["query"] == str(len(asked) - 1)
        del app.session_state["requested_page"]
        app.query_params = link  # as st.switch_page sets it
        open_page(app, INSIDE)
        assert app.session_state["inside_view"] == "Why this character"
        assert app.text_area("text").value == asked
        assert app.slider("query").value == len(asked) - 1
        character = {" ": "␣", "\n": "⏎"}.get(asked[-1], asked[-1])
        assert f"The logit of “**{character}**” is " in app.markdown[0].value.replace("\\", "")
        app.selectbox("target").set_value("a").run()
        app.slider("query").set_value(1).run()
        open_tab(app, GENERATE, tab)


@pytest.mark.parametrize("asked", [{"name": "another", "at": 0}, {"at": 5_000}, None])
def test_a_character_that_the_text_does_not_have_is_not_asked_about(small, asked):
    app = small.run()
    if asked is not None:
        asked = {"name": component(app)["name"]} | asked
    trigger(app, "asked", asked)
    assert not app.exception and "requested_page" not in app.session_state


@pytest.mark.parametrize("tab", ["All heads", "On the text", "Head scores", "Stages"])
def test_the_head_of_a_tab_can_be_switched_off(small, tab):
    app = open_tab(small, ATTENTION, tab)
    app.selectbox("layer").set_value(2).run()
    app.selectbox("head").set_value(2).run()
    take(app, "Switch it off", ATTENTION, "Ablation")
    assert app.session_state["off_1"] == [] and app.session_state["off_2"] == [2]
    take(app, "See all heads", ATTENTION, "All heads")
    assert map_title(app) == "Layer 2, head 2"


@pytest.mark.parametrize("tab", ["Combined", "Compare"])
def test_every_tab_of_maps_leads_to_all_heads(small, tab):
    app = open_tab(small, ATTENTION, tab)
    app.text_area("text").set_value("ba do ke").run()
    label = "See all heads" if tab == "Combined" else "Compare it with all heads"
    take(app, label, ATTENTION, "All heads")
    assert app.text_area("text").value == "ba do ke"


@pytest.mark.parametrize("tab", ["Curves", "Snapshots", "Baselines", "Compare runs"])
def test_every_tab_of_the_loss_record_leads_to_the_others(monkeypatch, tab):
    monkeypatch.delenv("MICROGPT_CHECKPOINT", raising=False)
    app = open_tab(new_app(), LOSS_RECORD, tab)
    targets = {
        "Curves": "See the loss curves",
        "Snapshots": "Watch the model learn",
        "Baselines": "Compare with simple models",
        "Compare runs": "Compare with other runs",
    }
    labels = [button.label for button in app.button]
    assert [label in labels for label in targets.values()] == [each != tab for each in targets]
    other = "Curves" if tab != "Curves" else "Baselines"
    take(app, targets[other], LOSS_RECORD, other)
    take(app, "Watch one head form", ATTENTION, "The life of a head")


def test_a_checkpoint_without_snapshots_leads_to_none(small):
    app = open_tab(small, LOSS_RECORD, "Curves")
    labels = [button.label for button in app.button]
    assert "Compare with other runs" in labels and "Watch the model learn" not in labels


def test_a_mean_of_heads_cannot_be_switched_off(small):
    app = open_tab(small, ATTENTION, "All heads")
    app.selectbox("head").set_value("mean").run()
    labels = [button.label for button in app.button]
    assert "See the scores" in labels and "Switch it off" not in labels


def test_the_head_of_the_snapshots_is_shown_in_the_finished_model(monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT", raising=False)
    app = open_page(new_app(), LOSS_RECORD)
    open_tab(app, LOSS_RECORD, SNAPSHOTS)
    layer, head = (app.session_state[name] for name in ("layer", "head"))
    take(app, "See its map in the finished model", ATTENTION, "All heads")
    assert map_title(app) == f"Layer {layer}, head {head}"


def long_step():
    """A script with a button that opens a page with a short and a long text."""
    import streamlit as st

    from microgpt.ui.frame import PAGE
    from microgpt.ui.generate.controls import TAB
    from microgpt.ui.next_steps import ATTENTION, GENERATE, Step, next_steps

    st.session_state[PAGE] = ATTENTION
    link = {"prompt": "\u5b57" * 1000, "scored": "\u5b57"}
    next_steps(Step("Go", GENERATE, TAB, "Write", link=link))


def test_a_text_that_is_too_long_for_a_link_is_left_out_of_it():
    app = run_script(long_step)
    press(app, "Go")
    link = {"view": "Write", "scored": "\u5b57"}
    assert app.session_state["requested_page"] == (GENERATE, link)
