"""The tab that writes a text."""

import re

import pytest
import torch

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from tests.ui.shown import press, shown_texts, written


def test_the_text_follows_the_settings(app):
    app.run()
    first = written(app)
    app.text_area("prompt").set_value("ba do").run()
    app.number_input("length").set_value(30).run()
    press(app, "Write")
    assert not app.exception
    text = written(app)
    assert text.startswith("ba do") and len(text) == len("ba do") + 30
    assert text != first
    press(app, "Write")
    assert written(app) == text
    app.text_area("prompt").set_value("ba").run()
    assert any("You changed the prompt" in caption.value for caption in app.caption)
    app.text_area("prompt").set_value("ba do").run()
    assert not any("earlier" in caption.value for caption in app.caption)
    app.number_input("seed").set_value(2).run()
    assert written(app) == text, "a setting alone must not take the text away"
    assert any("You changed the settings" in caption.value for caption in app.caption)
    press(app, "Write")
    assert written(app) != text


def test_the_caption_names_the_engine(app):
    app.run()
    press(app, "Write")
    paths = "PyTorch|NumPy|C, 1 thread|C, [0-9]+ threads"
    assert any(
        re.search(rf"characters/s · engine: ({paths}), float32 ·", caption.value)
        for caption in app.caption
    )


def test_a_vocabulary_can_have_one_character(app, monkeypatch, tmp_path, loss_record, training):
    config = GPTConfig(vocab_size=1, block_size=4, n_layer=1, n_head=1, n_embd=4)
    torch.manual_seed(0)
    folder = tmp_path / "one"
    checkpoint.save(folder, Checkpoint(GPT(config), CharTokenizer("a"), loss_record, training))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    app.run()
    assert not app.exception and written(app).startswith("aaaa")


@pytest.mark.parametrize("length", ["600", "40"])
def test_the_text_of_a_fallback_checkpoint_is_not_called_earlier(app, length):
    app.query_params["repo"] = "no repo at all"
    app.query_params["length"] = length
    app.run()
    assert not app.exception and len(app.error) == 1
    app.run()
    assert len(shown_texts(app)[0][1]) == min(400, int(length))
    assert not any("earlier" in caption.value for caption in app.caption)


def test_a_button_writes_a_text_with_another_seed(app):
    app.run()
    before = written(app)
    press(app, "Try another seed")
    assert not app.exception
    assert app.number_input("seed").value != 1 and written(app) != before


def test_a_text_branches_at_another_character_and_back(app):
    app.run()
    first = app.session_state["generated_text"]
    before, text = shown_texts(app)[0]
    app.session_state["selected_character"] = (first, 7)
    app.run()
    assert any(each.value == "Other characters at position 8" for each in app.subheader)
    instead = app.selectbox(f"instead of 7 in {first.name}")
    assert len(instead.options) == 27
    instead.select_index(3).run()
    press(app, "Branch here")
    assert not app.exception
    (new_before, new), (old_before, old) = shown_texts(app)
    assert (old_before, old) == (before, text)
    assert new_before[:-1] == before + text[:7] and new_before[-1] != text[7]
    assert len(new) == 400 and app.text_area("prompt").value == new_before
    press(app, "Go back to this text")
    assert shown_texts(app) == [(before, text)] and app.text_area("prompt").value == before
