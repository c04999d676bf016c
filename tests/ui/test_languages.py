"""The app on checkpoints of other languages."""

import pytest

from microgpt import checkpoint
from microgpt.cli import main
from microgpt.config import MODEL_LIMITS, GPTConfig
from microgpt.tokenizer import CharTokenizer
from tests.languages import LANGUAGES, text_in
from tests.small_run import train_command
from tests.ui.pages import (
    ATTENTION,
    GENERATE,
    INSIDE,
    generated_texts,
    open_tab,
    press,
)

# The page, the tab, the key of its text area and the length of its example.
TEXT_AREAS = [
    (GENERATE, "Write", "prompt", 48),
    (GENERATE, "Score a text", "scored", 177),
    (GENERATE, "Context length", "context_text", 500),
    (ATTENTION, "All heads", "text", 35),
    (ATTENTION, "Compare", "other_text", 34),
    (INSIDE, "Through the model", "text", 35),
    (INSIDE, "Layer by layer", "text", 35),
    (INSIDE, "Why this character", "text", 35),
    (INSIDE, "Neurons", "text", 35),
]
WINDOW = 64
MOST = int(MODEL_LIMITS["vocab_size"][1])


@pytest.fixture(scope="module", params=LANGUAGES)
def folder(request, tmp_path_factory):
    """The checkpoint of a small run on a text in one language."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "text.txt").write_text(text_in(request.param), encoding="utf-8", newline="")
    command = train_command(folder / "text.txt", folder / "run", steps=1, block_size=WINDOW)
    assert main(command) == 0
    return folder / "run"


def test_every_tab_opens_with_the_passage_of_the_checkpoint(app, monkeypatch, folder):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    loaded = checkpoint.load(folder)
    passage = loaded.tokenizer.decode(loaded.snapshots.passage)
    assert len(passage) == WINDOW and passage == loaded.passage
    app.run()
    for page, tab, key, length in TEXT_AREAS:
        open_tab(app, page, tab)
        shown = app.text_area(key).value
        assert shown in passage and len(shown) >= min(length, WINDOW - 36) // 2, key
        assert not app.error


@pytest.fixture
def largest(app, use_model):
    """The app on a model with the largest vocabulary."""
    tokenizer = CharTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + MOST))))
    use_model(GPTConfig(MOST, block_size=32, n_layer=1, n_head=1, n_embd=8), tokenizer)
    return app.run()


def test_a_vocabulary_of_the_largest_size_opens_on_every_tab(largest):
    for page, tab, key, _ in TEXT_AREAS:
        open_tab(largest, page, tab)
        assert largest.text_area(key).value and not largest.error


def test_a_text_of_a_large_vocabulary_is_shorter(largest):
    largest.number_input("length").set_value(10_000).run()
    press(largest, "Write")
    assert not largest.exception
    assert len(generated_texts(largest)[0][1]) == 10_000 * 1024 // MOST
