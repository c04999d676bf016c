"""What all pages share: the navigation, the header and the tabs."""

import dataclasses
import re
import shutil

import pytest
import streamlit as st

from microgpt import checkpoint, hub
from microgpt.interop.assemble import Choices
from microgpt.interop.importing import import_model
from microgpt.ui import repo
from microgpt.ui.page import _model_of, in_words
from tests.interop.other_programs import NanoGPT, randomised
from tests.interop.test_importing import nanogpt_checkpoint
from tests.loopback_hub import running
from tests.pair_checkpoint import STEPS
from tests.ui.pages import (
    APP,
    ATTENTION,
    CROSS_ATTENTION,
    GENERATE,
    INSIDE,
    LOSS_RECORD,
    TITLES,
    captions,
    charts,
    component,
    errors,
    new_app,
    open_page,
    open_tab,
    sidebar_text,
    tabs,
)

SCRIPTS = sorted(f"pages/{path.name}" for path in (APP.parent / "pages").glob("*.py"))
RESULTS = ("bidi_component", "dataframe", "plotly_chart", "metric")


def test_every_page_is_in_the_navigation():
    assert sorted(TITLES) == SCRIPTS


@pytest.mark.parametrize("page", SCRIPTS)
def test_a_page_opens_with_a_result_and_without_messages(app, page):
    open_page(app, page)
    assert not app.error and not app.warning
    assert app.title[0].value
    assert any(app.get(each) for each in RESULTS)


@pytest.fixture(scope="module")
def imported_checkpoint(tmp_path_factory):
    """A model of nanoGPT, imported: it has no loss record, baselines, snapshots or head scores."""
    folder = tmp_path_factory.mktemp("imported")
    nanogpt_checkpoint(folder, randomised(NanoGPT()))
    made = import_model("nanogpt", folder / "ckpt.pt", Choices(folder / "meta.pkl"))
    checkpoint.save(folder / "mine", made, exact=True)
    return folder / "mine"


@pytest.mark.parametrize("page", [GENERATE, ATTENTION, INSIDE, LOSS_RECORD])
def test_every_tab_opens_on_an_imported_model(monkeypatch, imported_checkpoint, page):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(imported_checkpoint))
    app = open_page(new_app(), page)
    assert "imported from" in sidebar_text(app)
    names = tabs(app)
    assert names
    for tab in names:
        open_tab(app, page, tab)
        assert not app.error and not app.warning
        results = any(app.get(each) for each in RESULTS)
        assert results or tab == "Tour" or "kept no loss record" in app.info[0].value


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (999, "999"),
        (1_234, "1.23 thousand"),
        (999_600, "1 million"),
        (10_788_929, "10.8 million"),
        (1_234_567_890, "1230 million"),
    ],
)
def test_a_number_of_parameters_has_three_digits(count, words):
    assert in_words(count) == words


def test_a_title_with_a_full_stop_ends_the_sentence_with_one(tiny_checkpoint):
    made = checkpoint.load(tiny_checkpoint)
    training = dataclasses.replace(made.training, data="It was cold.")
    sentence = _model_of(dataclasses.replace(made, training=training))
    assert "It was cold" in sentence and sentence.count(".", sentence.index("It")) == 1


def test_the_first_visit_of_a_server_keeps_all_values_of_a_link(app):
    app.query_params |= {"off_1": ["H1", "H3"], "attention_view": "Ablation"}
    open_page(app, ATTENTION)
    assert app.session_state["off_1"] == [1, 3]


@pytest.mark.parametrize("page", SCRIPTS)
def test_a_page_passes_its_own_path_to_the_header(page):
    """page_header goes to app.py and from there back to the page that it was given."""
    script = (APP.parent / page).read_text(encoding="utf-8")
    assert re.search(rf'page_header\(\s*"{re.escape(page)}"', script)


EXTRA = """
import streamlit as st

from microgpt.ui.controls import control
from microgpt.ui.page import page_header, show_views

TAB = control("extra_view")
checkpoint = page_header("pages/extra.py", "Extra", "One more page.")
show_views(checkpoint, {"One": lambda loaded: st.metric("Layers", loaded.config.n_layer)}, TAB)
"""


def test_a_page_is_added_with_a_script_and_a_line_in_app_py(monkeypatch, tmp_path, tiny_checkpoint):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    shutil.copytree(APP.parent / "pages", tmp_path / "pages")
    (tmp_path / "assets").symlink_to(APP.parent / "assets")
    (tmp_path / "pages" / "extra.py").write_text(EXTRA, encoding="utf-8")
    source = APP.read_text(encoding="utf-8")
    last = source.index("    ]\n")
    line = '        st.Page("pages/extra.py", title="Extra"),\n'
    (tmp_path / "app.py").write_text(source[:last] + line + source[last:], encoding="utf-8")
    app = new_app(tmp_path / "app.py").run()
    app.switch_page("pages/extra.py").run()
    assert not app.exception and app.title[0].value == "Extra" and app.metric[0].value == "2"


def test_settings_are_kept_while_another_page_is_open(app):
    app.run()
    app.text_area("prompt").set_value("ke li").run()
    app.slider("temperature").set_value(1.5).run()
    open_page(app, LOSS_RECORD)
    open_page(app, GENERATE)
    assert app.text_area("prompt").value == "ke li"
    assert app.slider("temperature").value == 1.5


def test_a_choice_beyond_the_checkpoint_is_limited_to_it(app):
    app.session_state["layer"] = 6
    app.session_state["top_k"] = 65
    app.run()
    assert not app.exception
    open_page(app, ATTENTION)
    assert app.selectbox("layer").value == 2


@pytest.fixture
def both_kinds(monkeypatch, tiny_checkpoint, pair_checkpoint):
    """A small checkpoint of each kind comes with the program; the GPT is the first."""
    monkeypatch.delenv("MICROGPT_CHECKPOINT", raising=False)
    monkeypatch.setattr(hub, "BUNDLED", [tiny_checkpoint, pair_checkpoint])
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_a_page_uses_a_bundled_checkpoint_of_its_kind_and_says_so(both_kinds):
    app = open_page(new_app(), CROSS_ATTENTION)
    assert "An encoder–decoder of" in captions(app)
    assert "words.txt, a GPT, has no cross-attention." in captions(app)
    app.selectbox("checkpoint").select("Dates in words").run()
    assert "has no cross-attention" not in captions(app) and not app.error
    app = new_app()
    app.query_params["checkpoint"] = "Dates in words"
    open_page(app, ATTENTION)
    assert "Dates in words, an encoder–decoder, is shown on the page Cross" in captions(app)
    assert component(app)["title"] == "Layer 1, head 1" and not app.error


def test_the_loss_record_of_an_encoder_decoder_has_curves(both_kinds):
    app = new_app()
    app.query_params["checkpoint"] = "Dates in words"
    open_page(app, LOSS_RECORD)
    assert tabs(app) == ["Curves", "Compare runs"] and charts(app) and not app.error


def test_without_a_bundled_checkpoint_of_its_kind_a_page_says_so(both_kinds, monkeypatch):
    monkeypatch.setattr(hub, "BUNDLED", hub.BUNDLED[:1])
    st.cache_resource.clear()
    app = open_page(new_app(), CROSS_ATTENTION)
    assert errors(app) == [
        "This page cannot show words.txt, and the bundled checkpoint for it is missing."
    ]


def test_an_encoder_decoder_opens_from_the_hub(both_kinds, pair_checkpoint, monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path))
    monkeypatch.setattr(repo, "WAIT_SECONDS", 600.0)
    with running(monkeypatch) as server:
        server.add("someone/dates", pair_checkpoint)
        app = new_app()
        app.query_params["repo"] = "someone/dates"
        open_page(app, CROSS_ATTENTION)
        assert "**someone/dates**" in sidebar_text(app) and not app.error
        assert "has no cross-attention" not in captions(app)
        assert component(app)["steps"] == STEPS
