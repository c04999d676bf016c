"""The input of a text that the model reads."""

import pytest
import torch

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from tests.ui.shown import PAGES, errors, press, written


@pytest.mark.parametrize("page, key", [(PAGES[0], "prompt"), (PAGES[1], "text")])
@pytest.mark.parametrize("text", ["", "€", "ba" * 40, "b", "ba\nÉ" * 3000])
def test_any_text_gives_a_result_or_a_message(app, page, key, text):
    app.run()
    if page != PAGES[0]:
        app.switch_page(page).run()
    app.text_area(key).set_value(text).run()
    assert not app.exception
    if page == PAGES[0] and "€" not in text and "É" not in text:
        app.number_input("length").set_value(5).run()
        press(app, "Write")
        assert not app.exception and not app.error
        assert written(app) == text + written(app)[-5:]
    elif page == PAGES[1] and text in ("b", "ba" * 40):
        assert not app.error and app.get("plotly_chart")
    elif text == "":
        assert any("Type at least one character" in caption.value for caption in app.caption)
    else:
        assert len(app.error) == 1


def test_a_button_replaces_unknown_characters(app):
    app.run()
    app.text_area("prompt").set_value("ba é€").run()
    assert (
        "é" in errors(app)[0]
        and "€" in errors(app)[0]
        and "position 4" in errors(app)[0].replace("\\", "")
    )
    next(b for b in app.button if b.label == "Replace them").click().run()
    assert app.text_area("prompt").value == "ba e"
    assert not app.error


@pytest.mark.parametrize(("count", "others"), [(128, False), (129, True)])
def test_the_error_lists_the_characters_of_the_vocabulary(
    app, monkeypatch, tmp_path, loss_record, training, count, others
):
    tokenizer = CharTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + count))))
    config = GPTConfig(vocab_size=count, block_size=16, n_layer=1, n_head=1, n_embd=8)
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "known", Checkpoint(GPT(config), tokenizer, loss_record, training))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "known"))
    app.run()
    app.text_area("prompt").set_value("a").run()
    (known,) = (each.value for each in app.caption if each.value.startswith("The model knows"))
    assert known == f"The model knows {tokenizer.characters[:128]}" + " and others" * others
