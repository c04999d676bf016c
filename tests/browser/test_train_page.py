"""A visitor trains a model on a text of their own, and takes it along."""

import io
import re
import zipfile
from urllib.parse import urlencode

import pytest

from tests.browser.driving import download, generated_text, go_to, visit, wait_for_run
from tests.ui.pages import TITLES

pytestmark = pytest.mark.browser

# About ten seconds of training on two cores; longer on a machine that is busy.
STEPS = 1000
PATIENCE = 300_000  # ms


@pytest.fixture(scope="module")
def server(app_server, tiny_checkpoint):
    """A server that trains, whatever the memory of this machine."""
    with app_server({"MICROGPT_CHECKPOINT": str(tiny_checkpoint), "MICROGPT_TRAINING": "1"}) as url:
        yield url


def start(page, server, corpus):
    """Paste a text and train a small model on it."""
    visit(
        page,
        f"{server}/train?{urlencode({'train_size': 'Small', 'train_steps_2': STEPS})}",
        "Train",
    )
    page.get_by_label("Your text").fill(corpus)
    page.get_by_label("Your text").press("Control+Enter")
    page.get_by_text(f"The model will see {len(corpus):,} characters").wait_for()
    page.get_by_role("button", name="Train", exact=True).click()


def validation_loss(page):
    """The last validation loss of the chart, when there is one."""
    shown = page.locator(".readout .val", has_text=re.compile(r"\d"))
    return float(shown.inner_text().split()[1])


def sample(page):
    """The step of the newest sample, and its text, when there is one."""
    shown = page.locator(".sample[data-step]")
    return int(shown.get_attribute("data-step")), shown.inner_text()


def assert_open(page, name):
    """Assert that the pages show the visitor's checkpoint."""
    chosen = page.get_by_test_id("stSidebar").get_by_text(name)
    chosen.first.wait_for(state="attached")


def test_a_text_becomes_a_model_that_every_page_opens(new_page, server, corpus, tmp_path):
    page = new_page()
    page.set_default_timeout(PATIENCE)
    start(page, server, corpus)
    before, (_, first) = validation_loss(page), sample(page)
    page.wait_for_function(
        """() => [...document.querySelectorAll('*')].some((node) => {
            const shown = node.shadowRoot?.querySelector('.sample');
            return shown && Number(shown.dataset.step) > 100;
        })""",
    )
    assert validation_loss(page) < before and sample(page)[1] != first
    page.reload()  # the address finds the run again
    page.get_by_role("button", name="Open it").wait_for()
    wait_for_run(page)
    assert validation_loss(page) < before
    step, last = sample(page)
    assert step == STEPS and last != first
    name, picture = download(page.locator(".run").get_by_role("button", name="Save as SVG"))
    assert name.endswith("-loss.svg")
    for drawn in (
        b"polyline",
        b"bigram: knows",
        f"validation {validation_loss(page):.3f}".encode(),
    ):
        assert drawn in picture
    name, picture = download(page.locator(".curves").get_by_role("button", name="Save as SVG").last)
    assert name.endswith("-heads.svg")
    assert b"Layer 3, head 4" in picture and picture.count(b"<polyline") > 12
    name, content = download(page.get_by_role("button", name="Download"))
    assert name.endswith(".zip")
    files = {path.rsplit("/")[-1] for path in zipfile.ZipFile(io.BytesIO(content)).namelist()}
    assert {"config.json", "model.safetensors", "snapshots.npz", "snapshot_scores.json"} <= files

    title = corpus.splitlines()[0].rstrip(".")  # it can end a sentence
    page.get_by_role("button", name="Open it").click()
    page.get_by_role("heading", name="Generate", exact=True).wait_for()
    wait_for_run(page)
    assert_open(page, title)
    assert len(generated_text(page)) > 10
    for heading in set(TITLES.values()) - {"Generate", "Train"}:
        go_to(page, heading)
        assert_open(page, title)
        assert page.get_by_test_id("stAlertContentError").count() == 0

    (tmp_path / name).write_bytes(content)
    other = new_page()
    other.set_default_timeout(PATIENCE)
    visit(other, server, "Generate")
    upload = other.get_by_test_id("stSidebar").locator("input[type=file]")
    upload.set_input_files(tmp_path / name)
    assert_open(other, name.removesuffix(".zip"))
    wait_for_run(other)
    assert len(generated_text(other)) > 10


def test_on_a_phone_the_buttons_of_a_run_stay_in_reach(phone, server, corpus):
    phone.set_default_timeout(PATIENCE)
    start(phone, server, corpus)
    buttons = phone.locator(".st-key-run_controls")
    buttons.get_by_role("button", name="Stop and keep").wait_for()
    for position in (0, 10_000):
        phone.get_by_test_id("stMain").evaluate("(main, to) => main.scrollTo(0, to)", position)
        for name in ("Pause", "Stop and keep", "Give up"):
            box = buttons.get_by_role("button", name=name).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390
            assert box["y"] >= 0 and box["y"] + box["height"] <= 844
    assert phone.get_by_test_id("stMain").evaluate("main => main.scrollWidth") <= 390
    buttons.get_by_role("button", name="Give up").tap()
    phone.locator(".vocabulary").wait_for()
    assert "run=" not in phone.url


def test_the_preview_of_a_file_has_the_direction_of_its_letters(page, server):
    visit(page, f"{server}/train?text_from=Upload", "Train")
    arabic = "اللغة العربية جميلة\n" * 300
    upload = page.get_by_test_id("stMain").locator("input[type=file]")
    upload.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": arabic.encode()})
    preview = page.get_by_test_id("stCode").locator("code")
    preview.wait_for()
    left, right = preview.evaluate(
        """code => {
            const box = code.closest('pre').getBoundingClientRect(), range = document.createRange();
            const text = document.createTreeWalker(code, NodeFilter.SHOW_TEXT).nextNode();
            range.setStart(text, 0);
            range.setEnd(text, 1);
            const first = range.getBoundingClientRect();
            return [first.left - box.left, box.right - first.right];
        }"""
    )
    assert right < left


def test_a_size_has_its_own_settings_after_the_settings_were_open(new_page, server):
    """In a closed popover, the browser keeps the values that the settings had."""
    page = new_page()
    visit(page, f"{server}/train", "Train")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Steps", exact=True).wait_for()
    page.keyboard.press("Escape")
    for size, about in (("Small", "read 8 characters"), ("Bigram", "the last character alone")):
        page.get_by_role("radio", name=size, exact=True).click()
        page.get_by_text(about).wait_for()
        wait_for_run(page)
