"""A page opens with any link and any saved view, on the nearest allowed values."""

import importlib
import json
import pkgutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from microgpt import ui
from microgpt.ui import controls
from microgpt.ui.generate import controls as generate_controls
from tests.ui.pages import (
    ATTENTION,
    GENERATE,
    INSIDE,
    LOSS_RECORD,
    TAB_KEYS,
    captions,
    errors,
    map_title,
    new_app,
    open_file,
    open_page,
    open_tab,
    tabs,
)

# The tabs of the small checkpoint, which has no optional parts.
TABS = {
    GENERATE: ["Write", "Side by side", "Score a text", "Context length"],
    ATTENTION: [
        *("The life of a head", "All heads", "On the text", "Head scores", "Ablation", "Stages"),
        *("Combined", "Compare"),
    ],
    INSIDE: ["Through the model", "Layer by layer", "Why this character", "Neurons", "Tour"],
    LOSS_RECORD: ["Curves", "Compare runs"],
}
EVERY_TAB = [(page, tab) for page, names in TABS.items() for tab in names]
WRONG = ["", "inf", "-inf", "nan", "1e400", "-1", "0", "1.5", "9" * 30, "true", "mean", "ba"]
VIEW = {"kind": "microGPT attention view", "checkpoint": "", "commit": "", "weights_sha256": ""}
REPOS = ["", "inf", "no repo", "a//b", "x" * 300]


@pytest.fixture(scope="module", autouse=True)
def _small(tiny_checkpoint):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
        patch.setattr(generate_controls, "MAX_CHARACTERS", 500)  # a link may ask for all
        yield


for module in pkgutil.walk_packages(ui.__path__, "microgpt.ui."):
    importlib.import_module(module.name)  # declares its controls
DECLARED = [each for each in controls._CONTROLS.values() if each.url and not each.numbered]
TEXTS = [each.key for each in DECLARED if each.url == "short"]
KEYS = [each.key for each in DECLARED if each.key not in TEXTS] + ["off_1", "off_2"]


@st.composite
def links(draw):
    texts = st.lists(st.sampled_from(WRONG) | st.text(max_size=9), min_size=1, max_size=2)
    link = {key: draw(texts) for key in KEYS if draw(st.booleans())}
    link |= {key: [draw(st.sampled_from(REPOS))] for key in link if key.endswith("repo")}
    # Most texts are possible, because a tab without a text shows few of its controls.
    possible = st.sampled_from(["ba do ke li mu na", "do", "b"])
    return link | {key: draw(st.lists(possible | st.text(max_size=3), max_size=1)) for key in TEXTS}


def every(text):
    """A link in which every parameter that is not a text has this value."""
    return {key: [text] for key in KEYS}


@pytest.mark.parametrize(("page", "tab"), EVERY_TAB)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(links())
@example(every("inf"))
@example(every("-inf"))
@example(every(""))
def test_every_link_opens(page, tab, link):
    app = new_app()
    app.query_params |= link | {TAB_KEYS[page]: [tab]}
    open_page(app, page)
    assert tabs(app) == TABS[page] and app.session_state[TAB_KEYS[page]] == tab
    for widget in [*app.number_input, *app.slider]:
        assert widget.min <= widget.value <= widget.max
    for widget in [*app.selectbox, *app.segmented_control]:
        assert str(widget.value) in map(str, widget.options)
    assert not app.run().exception and not app.toast  # the next run finds allowed values


@pytest.mark.parametrize("name", ["Snapshots", "", "\u202e"])
@pytest.mark.parametrize("page", TABS)
def test_a_link_to_a_tab_that_the_checkpoint_does_not_have_opens_the_first_one(page, name):
    app = new_app()
    app.query_params |= {TAB_KEYS[page]: name, "length": "9"}
    open_page(app, page)
    assert app.session_state[TAB_KEYS[page]] == TABS[page][0] and len(app.toast) == 1
    assert tabs(app.run()) == TABS[page] and not app.toast


def test_a_link_opens_on_the_nearest_values_and_the_page_says_so():
    app = new_app()
    link = {"length": "999", "seed": "-inf", "temperature": "7", "exact": "perhaps", "top_p": "0.5"}
    app.query_params |= link
    app.run()
    assert [each.value.replace("\\", "") for each in app.toast] == [
        "temperature cannot be 7 here, so the page uses 2.0.",
        "length cannot be 999 here, so the page uses 500.",
        "seed cannot be -inf here, so the page uses 0.",
        "exact cannot be perhaps here, so the page uses false.",
    ]
    shown = {each.key: each.value for each in [*app.number_input, *app.slider, *app.toggle]}
    assert shown | {"length": 500, "seed": 0, "temperature": 2.0, "exact": False} == shown
    assert shown["top_p"] == 0.5
    assert app.query_params["length"] == "500" and "exact" not in app.query_params


def test_a_value_from_a_link_can_be_changed():
    app = new_app()
    app.query_params["length"] = "inf"
    app.run().number_input("length").set_value(20).run()
    assert app.number_input("length").value == 20 and not app.toast


def test_a_saved_view_opens_on_the_nearest_values_and_the_page_says_so():
    app = open_page(new_app(), ATTENTION)
    choices = {"attention_view": "Combined", "scale": "purple", "up_to": 9, "combine": "rollout"}
    content = {
        "kind": "microGPT attention view",
        "checkpoint": "",
        "commit": "",
        "choices": choices,
    }
    open_file(app, "view", {**content, "weights_sha256": ""})
    assert [each.value.replace("\\", "") for each in app.toast][-2:] == [
        "scale cannot be 'purple' here, so the page uses linear.",
        "up_to cannot be 9 here, so the page uses 2.",
    ]
    assert app.number_input("up_to").value == 2
    assert not app.run().toast


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e400"])
def test_a_saved_view_with_a_number_that_is_not_finite_is_one_sentence(number):
    app = open_page(new_app(), ATTENTION)
    text = json.dumps({**VIEW, "choices": {"up_to": 0}})
    open_file(app, "view", text.replace('"up_to": 0', f'"up_to": {number}'))
    assert errors(app) == [
        "The view cannot be opened: it holds a choice that the page does not offer."
    ]


def test_a_value_that_no_longer_fits_the_text_changes_without_a_note():
    app = open_tab(new_app(), ATTENTION, "Stages")
    app.text_area("text").set_value("ba do ke").run()
    app.slider("query").set_value(5).run()
    app.text_area("text").set_value("ba").run()
    assert not app.exception and not app.toast
    assert app.slider("query").value == 2
    assert map_title(app) and captions(app)


def test_a_text_that_is_too_long_for_the_server_is_refused():
    """The browser would send it with each message, and the server would close the connection."""
    app = open_page(new_app(), ATTENTION)
    open_file(app, "view", {**VIEW, "choices": {"text": "ba" * 50_001}})
    assert errors(app) == [
        "The view cannot be opened: it holds a choice that the page does not offer."
    ]
    app = new_app().run()
    record = {"kind": "microGPT text", "checkpoint": "", "commit": "", "weights_sha256": ""}
    settings = {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "seed": 1, "exact": False}
    content = {**record, "settings": settings, "length": 9, "prompt": "ba" * 50_001}
    open_file(app, "record", content)
    assert errors(app) == [
        "The record cannot be opened: its prompt has more than 100,000 characters."
    ]
    assert {each.key: each.proto.max_chars for each in app.text_area} == {"prompt": 100_000}
