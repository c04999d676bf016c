"""Right-to-left text, and characters without a glyph, in every view of a text."""

import pytest

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import GPTConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.training.snapshots import stack, take_snapshot
from tests.browser.driving import visit
from tests.models import random_model

pytestmark = pytest.mark.browser

# The pages open with this passage. The first line is Hebrew with an English word.
PASSAGE = "שלום abc ועוד 12 עולם.\nab\u200d\ufeff\0\ufe0f\r\n"
VIEWS = {
    "tokens": ("?view=Score+a+text", "Generate", ".tokens .page .text .char"),
    "life": ("attention", "Attention", ".life .cell"),
    "strip": ("attention?attention_view=On+the+text", "Attention", ".strip .cell"),
    "scrubber": ("loss_record?record_view=Snapshots", "Loss record", ".scrubber .letter"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, training):
    tokenizer = CharTokenizer.from_text(PASSAGE)
    shape = GPTConfig(tokenizer.vocab_size, block_size=64, n_layer=1, n_head=2, n_embd=8)
    model, ids = random_model(shape, seed=0), tokenizer.encode(PASSAGE)
    snapshots = stack([take_snapshot(model, tokenizer, ids, step) for step in (0, 1)], ids)
    record = [LossRow(step, step, 0.0, train_loss=3.0, val_loss=3.0) for step in (0, 1)]
    folder = tmp_path_factory.mktemp("checkpoint") / "hebrew"
    checkpoint.save(folder, Checkpoint(model, tokenizer, record, training, snapshots=snapshots))
    return folder


@pytest.fixture
def open_view(page, server):
    """Open a view; return the page and the boxes of its characters."""

    def open_it(name):
        path, heading, selector = VIEWS[name]
        visit(page, f"{server}/{path}", heading)
        page.locator(selector).first.wait_for()
        return page.locator(selector)

    return open_it


def boxes(characters):
    """Left and right edge of each character."""
    return characters.evaluate_all(
        "nodes => nodes.map(n => n.getBoundingClientRect()).map(box => [box.left, box.right])"
    )


@pytest.mark.parametrize("view", VIEWS)
def test_the_words_of_a_right_to_left_line_have_their_own_direction(open_view, view):
    # The scored text has no first character, because that one is not predicted.
    skipped = 1 if view == "tokens" else 0
    found = boxes(open_view(view))
    left = dict(zip(range(skipped, len(PASSAGE)), (edge for edge, _ in found), strict=True))
    parts = ("ם ", "abc", "ועוד", "12", "עולם", ".")
    last, a, more, number, world, stop = map(PASSAGE.index, parts)
    assert left[1] > left[2] > left[last], "Hebrew runs from right to left"
    assert left[last] > left[a], "the English word follows on the left"
    assert left[a] < left[a + 1] < left[a + 2], "English runs from left to right"
    assert left[a] > left[more] > left[number] < left[number + 1], "so does a number"
    assert left[number] > left[world] > left[stop], "the full stop is at the left end"


@pytest.mark.parametrize("view", VIEWS)
def test_every_character_can_be_pointed_at(open_view, view):
    assert all(right - left > 3 for left, right in boxes(open_view(view)))


def test_a_sign_does_not_change_what_is_copied(page, open_view):
    open_view("tokens")
    text = page.locator(".tokens .page .text").evaluate("node => node.textContent")
    assert page.locator(".tokens .page .before").evaluate("node => node.textContent") == PASSAGE[0]
    assert text == PASSAGE[1:]


def test_names_in_a_sentence_isolate_right_to_left_characters(page, open_view):
    cells = open_view("strip")
    cells.nth(2).hover()
    summary = page.locator(".strip .summary", has_text="ו").inner_text()
    assert summary.startswith("\u2068ו\u2069 (3) attends to ")
    open_view("life").nth(2).hover()
    summary = page.locator(".life .summary", has_text="ו").inner_text()
    assert summary.startswith("\u2068ו\u2069 (3) attends most to ")
    scrubber = open_view("scrubber")
    scrubber.nth(2).click()
    assert page.locator(".scrubber .weight").inner_text().startswith("\u2068ו\u2069 (3) attends")


def test_the_left_arrow_key_goes_forward_in_right_to_left_text(page, open_view):
    open_view("tokens")
    page.locator(".tokens .page").press("ArrowLeft")
    page.locator(".tokens .position", has_text="character 1 of").wait_for()
    page.locator(".tokens .page").press("ArrowLeft")
    page.locator(".tokens .position", has_text="character 2 of").wait_for()
    open_view("life").nth(2).click()
    page.locator(".life .text").press("ArrowLeft")
    page.locator(".life .summary", has_text="(4) attends most to").wait_for()
    letters = open_view("scrubber")
    letters.nth(2).click()
    letters.nth(2).press("ArrowLeft")
    assert page.locator('.scrubber .letter[aria-pressed="true"]').inner_text() == "ם"


def test_what_a_visitor_types_has_the_direction_of_its_letters(page, open_view):
    open_view("strip")
    area = page.locator('[data-testid="stTextArea"] textarea')
    assert area.evaluate("node => getComputedStyle(node).unicodeBidi") == "plaintext"
