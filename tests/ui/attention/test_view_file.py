"""The file view.json of the Attention page."""

import pytest

from microgpt import checkpoint
from microgpt.formats import FORMAT
from microgpt.ui.attention.life import LIFE
from tests.ui.pages import ATTENTION, captions, errors, map_title, open_file, open_tab

LONG = "ba do ke li mu.\n" * 400


@pytest.fixture
def app(app):
    """The app on the All heads tab of its Attention page."""
    return open_tab(app, ATTENTION, "All heads")


def view(folder, **choices):
    """The content of a file of format 1, made with a checkpoint."""
    return {
        "format": "microGPT attention view",
        "checkpoint": "tiny",
        "commit": "",
        "weights_sha256": checkpoint.load(folder).weights_sha256,
        "choices": choices,
    }


def test_a_text_too_long_for_a_link_opens_the_panel_that_saves_a_file(app):
    def panel_is_open():
        (expander,) = (each for each in app.expander if each.label.startswith("Save this view"))
        return expander.proto.expanded

    assert not panel_is_open()
    app.text_area("text").set_value(LONG).run()
    assert not app.exception and panel_is_open()
    assert "too long for a link" in captions(app)


CHOICES = {
    "text": LONG,
    "layer": 2,
    "head": "mean",
    "scale": "log",
    "query": 5,
    "combine": "maximum",
    "combined_heads": ["L1 H2"],
    "off_1": [1, 3],
}


@pytest.mark.parametrize(
    ("tab", "kind", "key"),
    [
        ("All heads", "selectbox", "layer"),
        ("All heads", "selectbox", "head"),
        ("All heads", "slider", "query"),
        ("Compare", "segmented_control", "scale"),
        ("Combined", "segmented_control", "combine"),
        ("Combined", "multiselect", "combined_heads"),
        ("Ablation", "pills", "off_1"),
    ],
)
def test_a_file_restores_all_its_choices(app, tiny_checkpoint, tab, kind, key):
    open_file(app, "view", view(tiny_checkpoint, attention_view=tab, **CHOICES))
    assert not app.error and app.text_area("text").value == LONG
    assert getattr(app, kind)(key).value == CHOICES[key]


def test_only_the_heads_that_a_file_ablates_are_ablated(app, tiny_checkpoint):
    open_tab(app, ATTENTION, "Ablation")
    app.pills("off_2").set_value([2]).run()
    open_file(app, "view", view(tiny_checkpoint, off_1=[3]))
    assert (app.pills("off_1").value, app.pills("off_2").value) == ([3], [])


@pytest.mark.parametrize(
    ("tab", "controls"),
    [
        ("All heads", ["layer", "head", "query"]),
        ("On the text", ["layer", "head"]),
        ("Head scores", ["layer", "head"]),
        ("Ablation", []),
        ("Stages", ["layer", "head", "query"]),
        ("Combined", ["up_to", "query"]),
        ("Compare", ["layer", "head"]),
    ],
)
def test_the_choices_of_a_larger_checkpoint_are_limited_to_this_one(
    app, tiny_checkpoint, tab, controls
):
    choices = {"layer": 6, "head": 6, "query": 200, "up_to": 6, "off_1": [5, 2], "off_6": [1]}
    choices |= {"combined_heads": ["L6 H1", "L1 H1"], "query_left": 200}
    values = view(tiny_checkpoint, attention_view=tab, text="ba do", **choices)
    open_file(app, "view", {**values, "weights_sha256": "0" * 64})
    assert not app.error and "comes from another checkpoint" in app.toast[0].value
    assert app.session_state["attention_view"] == tab
    limits = {"layer": 2, "head": 3, "query": 5, "up_to": 2}
    values = {each.key: each.value for each in (*app.selectbox, *app.slider, *app.number_input)}
    assert {key: values.get(key) for key in controls} == {key: limits[key] for key in controls}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": "microGPT attention view", "choices": []}',
        b'{"format": "microGPT text"}',
        b"[" * 100_000,
        b'{"format": "microGPT attention view", "checkpoint": "\\ud800/a", "commit": "main", '
        b'"weights_sha256": "", "choices": {}}',
    ],
    ids=lambda content: content[-40:],
)
def test_a_malformed_file_is_an_error(app, content):
    title = map_title(app)
    open_file(app, "view", content)
    assert errors(app) == [
        "The view cannot be opened: it is not a view.json of the Attention page."
    ]
    assert map_title(app) == title


@pytest.mark.parametrize(
    "choice",
    [
        {"text": 5},
        {"text": "\ud800"},
        {"layer": "first"},
        {"layer": True},
        {"query": 0},
        {"off_1": 3},
        {"off_1": ["a"]},
        {"combined_heads": [[]]},
    ],
    ids=str,
)
def test_a_choice_of_the_wrong_type_is_an_error(app, tiny_checkpoint, choice):
    text = app.text_area("text").value
    open_file(app, "view", view(tiny_checkpoint, scale="log", **choice))
    assert errors(app) == [
        "The view cannot be opened: it holds a choice that the page does not offer."
    ]
    assert app.text_area("text").value == text
    assert app.segmented_control("scale").value == "linear"


@pytest.mark.parametrize("key", ["app_started", "off_", "off_0", "off_٣"])
def test_an_unknown_choice_is_an_error(app, tiny_checkpoint, key):
    open_file(app, "view", view(tiny_checkpoint, scale="log", **{key: [1]}))
    assert errors(app) == [f"The view cannot be opened: unknown choice '{key}' in view.json."]
    assert app.segmented_control("scale").value == "linear"


def test_a_file_of_a_newer_format_opens_if_its_unknown_choices_are_optional(app, tiny_checkpoint):
    newer = {**view(tiny_checkpoint, scale="log", zoom=2), "kind": "microGPT attention view"}
    newer["format"] = FORMAT + 1
    open_file(app, "view", newer)
    (sentence,) = errors(app)
    assert "view.json has the choice 'zoom'" in sentence
    assert sentence.endswith(f"reads up to {FORMAT}: update microGPT.")
    open_file(app, "view", {**newer, "optional": ["zoom"]})
    assert not app.error and app.segmented_control("scale").value == "log"


def test_an_option_that_a_control_does_not_offer_is_ignored(app, tiny_checkpoint):
    open_file(
        app, "view", view(tiny_checkpoint, scale="sepia", attention_view="Nowhere", text="ba")
    )
    assert not app.error and app.session_state["attention_view"] == LIFE
    assert app.text_area("text").value == "ba"
    open_tab(app, ATTENTION, "All heads")
    assert app.segmented_control("scale").value == "linear"


@pytest.mark.parametrize(
    ("tab", "choices"),
    [
        ("Combined", {"combine": "sum"}),
        ("Combined", {"combine": "mean", "combined_heads": ["L6 H1"]}),
        ("Combined", {"combine": "mean", "combined_heads": ["nothing"]}),
        ("Compare", {"compared_checkpoint": "none"}),
        ("Head scores", {"scores_from": "elsewhere"}),
    ],
    ids=str,
)
def test_every_tab_is_drawn_despite_unknown_options(app, tiny_checkpoint, tab, choices):
    open_file(app, "view", view(tiny_checkpoint, attention_view=tab, **choices))
    assert not app.error and app.session_state["attention_view"] == tab


def test_the_query_of_a_file_does_not_follow_the_end_of_the_text(app, tiny_checkpoint):
    app.text_area("text").set_value("ba do").run()
    assert app.slider("query").value == 5
    open_file(app, "view", view(tiny_checkpoint, text="ba do ba do", query=5))
    assert app.slider("query").value == 5
    app.text_area("text").set_value("ba do ba").run()
    assert app.slider("query").value == 5


def test_the_head_of_a_file_wins_over_the_most_important_head(
    app, tiny_checkpoint, scored_checkpoint, monkeypatch
):
    assert (app.selectbox("layer").value, app.selectbox("head").value) == (1, 1)
    values = view(tiny_checkpoint, layer=1, head=1)
    open_file(app, "view", values)  # while the file's own checkpoint is not loaded yet
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(scored_checkpoint(2, 3)))
    app.run()
    assert (app.selectbox("layer").value, app.selectbox("head").value) == (1, 1)


def test_a_file_restores_the_choices_of_tabs_that_were_not_drawn_yet(app, tiny_checkpoint):
    open_file(
        app, "view", view(tiny_checkpoint, other_text="ke li", up_to=1, off_2=[3], query_left=2)
    )
    assert not app.error and app.session_state["attention_view"] == "All heads"
    for tab, kind, key, value in (
        ("Compare", "text_area", "other_text", "ke li"),
        ("Compare", "slider", "query_left", 2),
        ("Combined", "number_input", "up_to", 1),
        ("Ablation", "pills", "off_2", [3]),
    ):
        open_tab(app, ATTENTION, tab)
        assert getattr(app, kind)(key).value == value
