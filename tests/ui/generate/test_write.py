"""The Write tab of the Generate page."""

import dataclasses
import re

import pytest

from microgpt.config import GPTConfig
from microgpt.tokenizer import CharTokenizer
from tests.ui.pages import captions, first_text, generated_texts, press


def test_the_text_follows_the_settings(app):
    app.run()
    initial = first_text(app)
    app.text_area("prompt").set_value("ba do").run()
    app.number_input("length").set_value(30).run()
    press(app, "Write")
    assert not app.exception
    text = first_text(app)
    assert text.startswith("ba do") and len(text) == len("ba do") + 30
    assert text != initial
    press(app, "Write")
    assert first_text(app) == text
    app.text_area("prompt").set_value("ba").run()
    assert "You changed the prompt" in captions(app)
    app.text_area("prompt").set_value("ba do").run()
    assert "You changed" not in captions(app)
    app.number_input("seed").set_value(2).run()
    assert first_text(app) == text, "the text stays until the next one is written"
    assert "You changed the settings" in captions(app)
    press(app, "Write")
    assert first_text(app) != text


def test_the_caption_names_the_engine(app):
    app.run()
    press(app, "Write")
    paths = "PyTorch|NumPy|C, 1 thread|C, [0-9]+ threads"
    assert re.search(rf"characters/s · engine: ({paths}), float32 ·", captions(app))


def test_a_vocabulary_can_have_one_character(app, use_model):
    config = GPTConfig(vocab_size=1, block_size=4, n_layer=1, n_head=1, n_embd=4)
    use_model(config, CharTokenizer("a"))
    app.run()
    assert not app.exception and first_text(app).startswith("aaaa")


@pytest.mark.parametrize("length", ["600", "40"])
def test_the_text_of_a_fallback_checkpoint_is_not_called_outdated(app, length):
    app.query_params["repo"] = "no repo at all"
    app.query_params["length"] = length
    app.run()
    assert not app.exception and len(app.error) == 1
    app.run()
    assert len(generated_texts(app)[0][1]) == min(400, int(length))
    assert "You changed" not in captions(app)


def test_a_button_writes_a_text_with_another_seed(app):
    app.run()
    before = first_text(app)
    press(app, "New seed")
    assert not app.exception
    assert app.number_input("seed").value != 1 and first_text(app) != before


def test_a_text_branches_at_another_character_and_back(app):
    app.run()
    original = app.session_state["generated_text"]
    prompt, text = generated_texts(app)[0]
    app.session_state["selected_character"] = (original, 7)
    app.run()
    assert "Other characters at position 8" in [each.value for each in app.subheader]
    alternatives = app.selectbox(f"instead of 7 in {original.name}")
    assert len(alternatives.options) == 27
    alternatives.select_index(3).run()
    press(app, "Branch here")
    assert not app.exception
    (new_prompt, new_text), old = generated_texts(app)
    assert old == (prompt, text)
    assert new_prompt[:-1] == prompt + text[:7] and new_prompt[-1] != text[7]
    assert len(new_text) == 400 and app.text_area("prompt").value == new_prompt
    press(app, "Go back to this text")
    assert generated_texts(app) == [(prompt, text)] and app.text_area("prompt").value == prompt


def test_a_stopped_text_goes_on_as_if_it_had_not_been_stopped(app):
    app.query_params["length"] = "60"
    app.run()
    whole, text = first_text(app), app.session_state["generated_text"]
    stopped = dataclasses.replace(text, growing=text.predictions[:20])
    app.session_state["generated_text"] = stopped
    app.run()
    assert "20 characters after the prompt, stopped before 60" in captions(app)
    app.slider("temperature").set_value(1.5).run()
    press(app, "Go on")
    assert not app.exception and first_text(app) == whole
    app.slider("temperature").set_value(0.8).run()
    press(app, "Go on")
    longer = first_text(app)
    assert longer.startswith(whole) and len(longer) == len(whole) + 400
    assert "You changed" not in captions(app), "the number of characters follows the text"
    press(app, "Write")
    assert first_text(app) == longer
    app.number_input("length").set_value(500).run()
    press(app, "Go on")
    assert len(generated_texts(app)[0][1]) == 500, "as many as requested"
