"""The checkpoint of a session, and the sidebar that shows it."""

import gc
import os
import shutil
import weakref
from dataclasses import replace

import pytest
import streamlit as st

from microgpt import checkpoint, hub
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.hub import parse_repo
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.attention.view_file import view_json
from microgpt.ui.cache.checkpoints import bundled_checkpoint, folder_checkpoint, visitor_checkpoints
from microgpt.ui.cache.writing import written_text
from microgpt.ui.generate.generated_text import GeneratedText
from microgpt.ui.generate.record import record_json
from tests.models import random_model
from tests.ui.pages import (
    ATTENTION,
    GENERATE,
    LOSS_RECORD,
    SNAPSHOTS,
    TITLES,
    component,
    errors,
    first_text,
    open_file,
    open_page,
    sidebar_text,
    tabs,
)


def test_the_sidebar_shows_the_checkpoint_and_its_training(app, tiny_checkpoint, training):
    text = sidebar_text(app.run())
    for part in (tiny_checkpoint.name, training.data, "20 steps", "2.5512"):
        assert part in text
    assert training.hardware not in text
    assert str(tiny_checkpoint.parent) not in text


def test_a_damaged_optional_file_is_a_warning_in_the_sidebar(
    app, monkeypatch, checkpoint_with_snapshots, tmp_path
):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    assert not app.run().sidebar.warning
    damaged = shutil.copytree(checkpoint_with_snapshots, tmp_path / "damaged")
    (damaged / "snapshots.npz").write_bytes(b"damaged")
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(damaged))
    app.run()
    assert not app.exception and not app.error
    (note,) = app.sidebar.warning
    assert note.value.replace("\\", "") == (
        "snapshots.npz is damaged: its SHA-256 is not the one in config.json; "
        "snapshots.npz is left out."
    )


def test_a_folder_without_a_checkpoint_is_an_error(app, monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path))
    app.run()
    assert not app.exception
    messages = [message.value for message in [*app.warning, *app.error]]
    assert any("config" in message for message in messages)


def test_a_missing_folder_is_an_error_without_its_path(app, monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "missing"))
    app.run()
    assert errors(app) == ["there is no checkpoint folder 'missing'."]
    assert "Tiny Shakespeare" in sidebar_text(app)


def test_a_folder_whose_name_is_not_utf8_is_opened_and_shown(
    app, monkeypatch, tiny_checkpoint, tmp_path
):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    app.run()
    assert errors(app) == ["there is no checkpoint folder 'caf?'."]
    shutil.copytree(tiny_checkpoint, folder)
    app.run()
    assert not app.exception and not app.error
    assert "caf?" in sidebar_text(app)


@pytest.fixture
def two_bundled(monkeypatch, tiny_checkpoint, checkpoint_with_snapshots, training, tmp_path):
    """Two small checkpoints that come with the program, trained on words.txt and on verses.txt."""
    monkeypatch.delenv("MICROGPT_CHECKPOINT")
    loaded = checkpoint.load(checkpoint_with_snapshots)
    verses = replace(training, data="verses.txt", steps=4321)
    model = random_model(loaded.config, seed=7)
    checkpoint.save(tmp_path / "verses", replace(loaded, model=model, training=verses))
    monkeypatch.setattr(hub, "BUNDLED", [tiny_checkpoint, tmp_path / "verses"])
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_a_bundled_checkpoint_is_chosen_by_name(app, two_bundled):
    choice = app.run().selectbox("checkpoint")
    assert (choice.options, choice.value) == (["words.txt", "verses.txt"], "words.txt")
    assert "2 layers, " in sidebar_text(app) and "20 steps" in sidebar_text(app)
    choice.select("verses.txt").run()
    assert "4,321 steps" in sidebar_text(app)


def test_a_link_opens_a_bundled_checkpoint_that_visitors_share(app, two_bundled):
    app.query_params["checkpoint"] = "verses.txt"
    assert "4,321 steps" in sidebar_text(open_page(app, LOSS_RECORD))
    assert SNAPSHOTS in tabs(app)
    assert bundled_checkpoint("verses.txt") is bundled_checkpoint("verses.txt")
    assert bundled_checkpoint() is bundled_checkpoint("words.txt")


def test_the_link_to_a_text_names_the_bundled_checkpoint(app, two_bundled):
    app.query_params["checkpoint"] = "verses.txt"
    assert component(app.run())["link"]["checkpoint"] == "verses.txt"


def test_the_operators_checkpoint_is_the_first_choice(
    app, two_bundled, monkeypatch, full_checkpoint
):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(full_checkpoint))
    choice = app.run().selectbox("checkpoint")
    assert choice.options == ["This app's own", "words.txt", "verses.txt"]
    assert "**full**" in sidebar_text(app)
    choice.select("verses.txt").run()
    assert "4,321 steps" in sidebar_text(app) and "**" not in sidebar_text(app)


def test_the_choice_of_a_bundled_checkpoint_leaves_the_repo(app, two_bundled, server):
    commit = server.add("someone/mine", hub.BUNDLED[0])
    app.query_params["repo"] = "someone/mine"
    assert commit[:12] in sidebar_text(app.run())
    app.selectbox("checkpoint").select("verses.txt").run()
    assert "4,321 steps" in sidebar_text(app) and commit[:12] not in sidebar_text(app)
    assert app.sidebar.text_input[0].value == ""


@pytest.mark.parametrize("noun", ["record", "view"])
def test_a_saved_file_opens_with_the_bundled_checkpoint_that_made_it(app, two_bundled, noun):
    made = bundled_checkpoint("verses.txt")
    if noun == "record":
        text = written_text(made, "ba", 20, SamplingConfig())
        generated = GeneratedText.complete(made, "ba", 20, SamplingConfig(), text)
        content = record_json(made, generated)
        open_page(app, GENERATE)
    else:
        content = view_json(made, {"text": "ba do"})
        open_page(app, ATTENTION)
    app.sidebar.text_input[0].set_value("no repo at all").run()
    open_file(app, noun, content)
    assert not app.error and not app.toast
    assert app.selectbox("checkpoint").value == "verses.txt"
    assert app.sidebar.text_input[0].value == ""
    if noun == "record":
        assert first_text(app) == "ba" + made.tokenizer.decode(text.tokens)


def test_a_saved_file_of_the_operators_folder_opens_with_it(
    app, two_bundled, monkeypatch, full_checkpoint, model
):
    own = replace(checkpoint.load(full_checkpoint), model=random_model(model.config, seed=8))
    checkpoint.save(full_checkpoint, own)
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(full_checkpoint))
    open_page(app, ATTENTION)
    app.selectbox("checkpoint").select("verses.txt").run()
    open_file(app, "view", view_json(folder_checkpoint(full_checkpoint), {"text": "ba do"}))
    assert not app.error and not app.toast
    assert app.selectbox("checkpoint").value == "This app's own"


def test_widgets_do_not_keep_a_checkpoint_in_memory(
    app, server, checkpoint_with_snapshots, open_as_another_visitor
):
    server.add("someone/mine", checkpoint_with_snapshots)
    app.query_params["repo"] = "someone/mine"
    for page in TITLES:
        open_page(app, page)
    assert not app.error
    fetch = visitor_checkpoints().join(parse_repo("someone/mine")).fetch
    assert fetch.wait()
    model = weakref.ref(fetch.loaded.model)
    server.add("someone/theirs", checkpoint_with_snapshots)
    open_as_another_visitor("someone/theirs")
    gc.collect()
    assert model() is None


def test_a_folder_that_has_changed_is_loaded_again(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    folder = tmp_path / "mine"
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training))
    assert "20 steps" in sidebar_text(app.run())
    longer = replace(training, steps=4321)
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, longer))
    assert "4,321 steps" in sidebar_text(app.run())


def test_unchanged_settings_get_the_defaults_of_another_checkpoint(
    app, monkeypatch, tiny_checkpoint, tokenizer, use_model
):
    app.run()
    assert app.slider("top_k").value == tokenizer.vocab_size
    other = CharTokenizer("\n ,:ABCDEFGHILMNOPRSTabcdefghijklmnopqrstuvw")
    use_model(GPTConfig(other.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8), other)
    app.run()
    assert not app.error and not app.exception
    assert app.slider("top_k").value == other.vocab_size
    assert app.text_area("prompt").value.startswith(2 * other.characters[:24])
    app.slider("top_k").set_value(5)
    app.text_area("prompt").set_value("a").run()
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    app.run()
    assert app.slider("top_k").value == 5 and app.text_area("prompt").value == "a"
