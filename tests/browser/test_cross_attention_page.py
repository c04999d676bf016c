"""The Cross-attention page in a browser: the whole lesson, by mouse, by keyboard and on a phone."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import pytest

from microgpt.analysis.cross_attention import translation
from microgpt.analysis.translation_maps import translation_maps
from microgpt.dates import EXAMPLES
from microgpt.ui.charts import style
from tests.browser.driving import download, visit, wait_for_run
from tests.pair_checkpoint import TOKENIZER

pytestmark = pytest.mark.browser

PART = ".translation"
TEXT = "7 May 1999"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def folder(pair_checkpoint):
    return pair_checkpoint


def open_cross(page, server, **query):
    visit(page, f"{server}/cross_attention?{urlencode(query, doseq=True)}", "Cross-attention")
    page.locator(f"{PART} .map").first.wait_for()
    return page


def part(page, name, text=None):
    """A part of the component by its class, once it has this text."""
    found = page.locator(f"{PART} .{name}", has_text=text and re.compile(re.escape(text)))
    found.wait_for()
    return found


def cells(page, text):
    return page.locator(f"{PART} .{text} .cell")


def wait_for_url(page, text):
    page.wait_for_url(re.compile(re.escape(text)), wait_until="commit")
    wait_for_run(page)


def looked_at(loaded, text, at):
    """The name of the input character that a character of the output looks at most, on average."""
    found = translation_maps(translation(loaded.model, TOKENIZER, text))
    return style.position_names(text)[found.maps["cross"][-1, at].argmax()]


def test_the_lesson(page, new_page, server, loaded):
    """Type a date, point, switch a head off, go back in the training, and pass on the link."""
    open_cross(page, server)
    field = page.get_by_label("A date in words", exact=True)
    assert field.input_value() == EXAMPLES[0]
    field.fill(TEXT)
    field.press("Enter")
    part(page, "note", "hold only the examples")
    assert cells(page, "input").all_inner_texts() == style.visible(TEXT)
    cells(page, "output").nth(2).hover()
    part(page, "summary", f"looks most at {looked_at(loaded, TEXT, 2)}")
    assert page.locator(f"{PART} .mark:visible").count() == 2, "a row of two maps"
    cells(page, "output").nth(2).click()
    wait_for_url(page, "character=output+3")

    page.get_by_role("button", name="Back to the example").click()
    part(page, "step", "Step 20")
    assert field.input_value() == EXAMPLES[0]
    page.locator(f"{PART} .pick").nth(1).click()
    wait_for_url(page, "cross_head=L1+H2")
    page.get_by_role("switch", name=re.compile("^L1 H2")).click()
    part(page, "effect", "Without L1 H2, ")
    changed = page.locator(f"{PART} .changed").count()
    assert page.locator(f"{PART} .before").is_visible() == (changed > 0)
    wait_for_url(page, "cross_off=L1+H2")
    page.get_by_role("button", name="All heads on", exact=True).click()
    part(page, "effect", "Switch a head off")
    slider = page.locator(f"{PART} .slider")
    slider.press("Home")
    part(page, "step", "Step 0")
    wait_for_url(page, "cross_step=0")

    other = new_page()
    other.goto(page.url)
    part(other, "step", "Step 0")
    for name in ("summary", "verdict", "values"):
        part(other, name, part(page, name).inner_text().splitlines()[0])
    assert cells(other, "output").all_inner_texts() == cells(page, "output").all_inner_texts()
    assert other.locator(f'{PART} .pick[aria-checked="true"]').inner_text().startswith("L1 H2")


def test_everything_works_by_keyboard_and_the_picture_holds_both_texts(page, server):
    open_cross(page, server, date=TEXT)
    page.get_by_role("group", name=re.compile("^The output")).focus()
    page.keyboard.press("End")
    wait_for_url(page, f"character=output+{cells(page, 'output').count()}")
    page.keyboard.press("Home")
    part(page, "summary", f"To write {cells(page, 'output').first.inner_text()} (1)")
    page.keyboard.press("Escape")
    part(page, "summary", "Point at a character")
    page.get_by_role("group", name=re.compile("^The input")).focus()
    page.keyboard.press("ArrowRight")
    part(page, "summary", f"{TEXT[0]} (1) is looked at most")
    page.locator(f'{PART} .pick[aria-checked="true"]').focus()
    page.keyboard.press("ArrowUp")
    wait_for_url(page, "cross_head=L2+H3")
    name, content = download(page.get_by_role("button", name="Save as SVG"))
    assert name == "microgpt-translation-step-20.svg"
    texts = [each.text for each in ElementTree.fromstring(content).iter(f"{SVG}text")]
    shown = cells(page, "input").all_inner_texts()
    assert any(texts[at : at + len(shown)] == shown for at in range(len(texts)))
    assert len(list(ElementTree.fromstring(content).iter(f"{SVG}image"))) == 3
    assert any(text.startswith("✗ Wrong: it is") for text in texts if text)


def test_the_picture_has_no_labels_that_the_page_hides(page, server):
    open_cross(page, server, date="Wednesday, the twenty-second of May 2000")
    hidden = page.locator(f"{PART} .rows.crowded span").first
    hidden.evaluate("(label) => (label.textContent = 'hidden')")
    _, content = download(page.get_by_role("button", name="Save as SVG"))
    texts = [each.text for each in ElementTree.fromstring(content).iter(f"{SVG}text")]
    assert "hidden" not in texts and "Encoder self-attention" in texts


def test_crowded_labels_are_the_numbers_of_positions(page, server):
    """Where the characters of a text would overlap; the one that is pointed at has its label."""
    date = "Wednesday, the twenty-second of May 2000"
    open_cross(page, server, date=date)
    rows = page.locator(f"{PART} .encoder .rows")
    numbers = [str(at) for at in range(5, len(date) + 1, 5)]
    assert rows.locator(".place").all_inner_texts() == numbers
    cells(page, "input").nth(9).hover()
    rows.locator(".query", has_text=",").wait_for()
    shown = rows.locator(".place").all_inner_texts()
    assert "10" not in shown and set(shown) < set(numbers)
    page.locator(f"{PART} .panel-title").first.hover()
    rows.locator(".place", has_text="10").wait_for()


def test_the_output_is_written_again_one_character_at_a_time(page, server):
    open_cross(page, server, date=TEXT)
    count = cells(page, "output").count()
    page.get_by_role("button", name="Write it again").click()
    page.locator(f"{PART} .output.writing").wait_for()
    page.locator(f"{PART} .output:not(.writing)").wait_for()
    assert page.locator(f"{PART} .unwritten").count() == 0
    assert cells(page, "output").count() == count


def test_a_small_weight_has_a_line_only_at_the_character_that_is_pointed_at(page, server, loaded):
    open_cross(page, server, date=TEXT)
    weights = translation_maps(translation(loaded.model, TOKENIZER, TEXT)).maps["cross"][-1] / 255
    lines = page.locator(f"{PART} .line")
    assert lines.count() == (weights >= 0.15).sum()
    cells(page, "output").nth(2).hover()
    page.locator(f"{PART} .line.chosen").first.wait_for()
    assert page.locator(f"{PART} .line.chosen").count() == (weights[2] >= 0.05).sum()


def test_a_projector_shows_the_switches_in_one_line_each(page, server):
    page.set_viewport_size({"width": 1920, "height": 1080})
    open_cross(page, server)
    heights = {each.bounding_box()["height"] for each in page.locator(f"{PART} .head-row").all()}
    assert len(heights) == 1
    numbers = page.locator(f"{PART} .number:not(:empty)")
    sizes = numbers.evaluate_all(
        "(all) => all.map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 14
    box = page.locator(f"{PART} .training").bounding_box()
    assert box["y"] + box["height"] <= 1080


def test_a_phone_shows_the_parts_below_each_other(phone, server, loaded):
    open_cross(phone, server)
    main = phone.locator('[data-testid="stMain"]')
    assert main.evaluate("(main) => main.scrollWidth") <= 390
    box = cells(phone, "output").first.bounding_box()
    assert box["y"] + box["height"] <= 844, "the result is in the first view"
    cells(phone, "output").nth(1).tap()
    part(phone, "summary", f"looks most at {looked_at(loaded, EXAMPLES[0], 1)}")
    examples = phone.locator(".st-key-examples button")
    rows = sorted({each.bounding_box()["y"] for each in examples.all()})
    assert len(rows) > 1 and rows[-1] - rows[0] < 1.2 * 40 * (len(rows) - 1)
    tops = [each.bounding_box()["y"] for each in phone.locator(f"{PART} .map").all()]
    assert tops == sorted(tops) and len(set(tops)) == 3
