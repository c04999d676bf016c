"""The text area for a text that the model reads."""

import pytest

from microgpt.config import GPTConfig
from microgpt.tokenizer import CharTokenizer
from tests.ui.pages import ATTENTION, GENERATE, captions, errors, first_text, open_page, press


@pytest.mark.parametrize("page, key", [(GENERATE, "prompt"), (ATTENTION, "text")])
@pytest.mark.parametrize("text", ["", "€", "ba" * 40, "b", "ba\nÉ" * 3000])
def test_any_text_gives_a_result_or_a_message(app, page, key, text):
    open_page(app, page)
    app.text_area(key).set_value(text).run()
    assert not app.exception
    if page == GENERATE and "€" not in text and "É" not in text:
        app.number_input("length").set_value(5).run()
        press(app, "Write")
        assert not app.exception and not app.error
        assert first_text(app) == text + first_text(app)[-5:]
    elif page == ATTENTION and text in ("b", "ba" * 40):
        assert not app.error and app.get("bidi_component")
    elif text == "":
        assert "Type at least one character" in captions(app)
    else:
        assert len(app.error) == 1


def test_a_button_replaces_unknown_characters(app):
    app.run()
    app.text_area("prompt").set_value("ba é€").run()
    (error,) = errors(app)
    assert "é" in error and "€" in error and "position 4" in error
    press(app, "Replace them")
    assert app.text_area("prompt").value == "ba e"
    assert not app.error


@pytest.mark.parametrize(("count", "others"), [(128, False), (129, True)])
def test_the_error_lists_the_characters_of_the_vocabulary(app, use_model, count, others):
    tokenizer = CharTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + count))))
    use_model(GPTConfig(count, block_size=16, n_layer=1, n_head=1, n_embd=8), tokenizer)
    app.run()
    app.text_area("prompt").set_value("a").run()
    (known,) = (each.value for each in app.caption if each.value.startswith("The model knows"))
    assert known == f"The model knows {tokenizer.characters[:128]}" + " and others" * others
