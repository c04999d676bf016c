"""The tour: ten steps that open views in a state of their own."""

import dataclasses
import re

import pytest

from microgpt.checkpoint.runs import IDEAS
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.cache.checkpoints import bundled_checkpoint, bundled_runs
from microgpt.ui.inside.tour_stops import STOPS
from tests.ui.pages import (
    ATTENTION,
    GENERATE,
    INSIDE,
    LOSS_RECORD,
    TAB_KEYS,
    captions,
    first_text,
    new_app,
    open_page,
    open_tab,
    press,
    tabs,
)

TOUR = "Tour"
VIEWS = [
    (GENERATE, "Write"),
    (INSIDE, "Through the model"),
    (ATTENTION, "The life of a head"),
    (ATTENTION, "Ablation"),
    (INSIDE, "Neurons"),
    (LOSS_RECORD, "Compare runs"),
    (INSIDE, "Layer by layer"),
    (INSIDE, "Why this character"),
    (LOSS_RECORD, "Snapshots"),
    (INSIDE, "Through the model"),
]
ROW = re.compile(r"\*\*Tour, step (\d+) of 10: ")


@pytest.fixture
def bundled(monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT", raising=False)
    return new_app()


def row(app):
    """The number in the row of the tour; None if there is no row."""
    found = (ROW.match(each.value) for each in app.markdown)
    return next((int(each[1]) for each in found if each), None)


def follow(app):
    """Open the page that the last press requested, which the test runner does not do by itself."""
    if "requested_page" in app.session_state:
        page, link = app.session_state["requested_page"]
        del app.session_state["requested_page"]
        open_page(app, page)
        return dict(link)
    return {}


def text_of(app):
    """The heading and the sentences of the step that is shown."""
    heading = next(each.value for each in app.subheader if " of 10: " in each.value)
    return heading, " ".join(re.sub("<[^>]*>", "", each.value) for each in app.markdown)


def action(app):
    return next(
        each for each in app.button if each.proto.type == "primary" and not each.label.isdigit()
    )


def test_the_tour_leads_through_all_views(bundled):
    app = open_tab(bundled, INSIDE, TOUR)
    seen = []
    for number, (page, view) in enumerate(VIEWS, start=1):
        heading, about = text_of(app)
        assert heading.startswith(f"{number} of 10: ") and row(app) is None
        seen.append(about)
        action(app).click().run()
        follow(app)
        assert not app.exception and not app.error
        assert app.session_state[TAB_KEYS[page]] == view and view in tabs(app)
        assert row(app) == number == app.session_state["tour_step"]
        if number == 1:
            assert first_text(app).startswith("GARDENER:")
        if number < len(VIEWS):
            press(app, "Next")
            follow(app)
    assert len(set(seen)) == len(VIEWS)
    assert not any(button.label == "Next" for button in app.button)
    press(app, "End")
    assert row(app) is None and app.session_state["tour_step"] == 0


def test_back_leads_to_the_step_that_opened_the_view(bundled):
    app = open_tab(bundled, INSIDE, TOUR)
    press(app, "Next")
    press(app, "Next")
    assert text_of(app)[0].startswith("3 of 10")
    action(app).click().run()
    follow(app)
    assert row(app) == 3
    press(app, "Back")
    follow(app)
    assert text_of(app)[0].startswith("3 of 10")
    press(app, "Back")
    assert text_of(app)[0].startswith("2 of 10")


def test_a_link_opens_a_step(app):
    app.query_params |= {TAB_KEYS[INSIDE]: TOUR, "tour_step": "5"}
    open_page(app, INSIDE)
    assert text_of(app)[0].startswith("5 of 10")
    press(app, "9")
    assert text_of(app)[0].startswith("9 of 10")


def test_no_row_is_shown_without_a_tour(app):
    app.run()
    assert row(app) is None


def test_a_link_with_a_step_shows_its_row(app):
    app.query_params["tour_step"] = "2"
    assert row(open_page(app, LOSS_RECORD)) == 2


def test_the_figures_are_those_of_the_runs_and_of_the_checkpoint(bundled):
    app = open_tab(bundled, INSIDE, TOUR)
    press(app, "6")
    about = text_of(app)[1]
    for run in bundled_runs():
        if run.name in IDEAS:
            assert f"{run.training.val_loss_full:.3f}" in about
    press(app, "3")
    about, loaded = text_of(app)[1], bundled_checkpoint()
    assert f"{loaded.training.val_loss_full:.2f}" in about
    assert f"{loaded.baselines.val_loss['bigram']:.2f}" in about


def test_the_tour_of_another_checkpoint_has_its_own_figures(app):
    """The small checkpoint has neither scores nor snapshots nor baselines."""
    open_tab(app, INSIDE, TOUR)
    for number, stop in enumerate(STOPS, start=1):
        press(app, str(number))
        heading, about = text_of(app)
        assert heading == f"{number} of 10: {stop.title}" and "None" not in about
        assert len(re.findall(r"[.?](?: |$)", about)) >= 2
    press(app, "9")
    assert "from 3.25 to 2.55" in text_of(app)[1]
    action(app).click().run()
    follow(app)
    assert app.session_state[TAB_KEYS[LOSS_RECORD]] == "Curves" and row(app) == 9


def test_a_neuron_that_recognises_one_character_is_named_by_its_sign(use_model, tiny_config):
    """A text of two kinds of white space has no letters."""
    use_model(dataclasses.replace(tiny_config, vocab_size=2), CharTokenizer("\t\x0b"))
    app = open_tab(new_app(), INSIDE, TOUR)
    press(app, "5")
    assert "of layer 1 recognises the character " in text_of(app)[1]


def test_the_tour_ends_in_the_visitors_own_text(app):
    open_tab(app, INSIDE, TOUR)
    press(app, "10")
    app.text_area("text").set_value("ba do").run()
    action(app).click().run()
    assert row(app) == 10 and app.text_area("text").value == "ba do"
    assert "The text is empty" not in captions(app)


def test_the_tabs_have_the_same_place_with_and_without_the_row(bundled):
    def place(app):
        return next(at for at, each in app.main.children.items() if each.type == "tab_container")

    app = open_tab(bundled, INSIDE, TOUR)
    press(app, "Next")
    without = place(app)
    action(app).click().run()
    follow(app)
    assert row(app) == 2 and place(app) == without
