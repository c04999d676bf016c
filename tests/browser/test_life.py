"""The life of a head in a browser: the whole lesson, by mouse, by keyboard and on a phone."""

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import numpy as np
import pytest

from microgpt.ui.charts import style
from tests.browser.driving import download, visit, wait_for_run

pytestmark = pytest.mark.browser

LIFE = ".life"
SVG = "{http://www.w3.org/2000/svg}"
PASSAGE = "Ba do\nke limu."
NAMES = style.position_names(PASSAGE)


@pytest.fixture(scope="module")
def folder(checkpoint_with_history):
    return checkpoint_with_history


def open_life(page, server, **query):
    visit(page, f"{server}/attention?{urlencode(query, doseq=True)}", "Attention")
    cells(page).first.wait_for()
    return page


def part(page, name, text=None):
    """A part of the component by its class, once it has this text."""
    found = page.locator(f"{LIFE} .{name}", has_text=text and re.compile(re.escape(text)))
    found.wait_for()
    return found


def cells(page):
    return page.locator(f"{LIFE} .cell")


def colours(page):
    """The background of each character of the text."""
    return cells(page).evaluate_all("nodes => nodes.map((node) => node.style.background)")


def wait_for_url(page, text):
    page.wait_for_url(re.compile(re.escape(text)), wait_until="commit")
    wait_for_run(page)


def option(page, name):
    """An option of the presets or of the switch, which is a button or a radio button."""
    return page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True)


def expected_colours(loaded, step, layer, head, query):
    """The colours of the attention of a query, empty for later characters."""
    palette = style.palette()
    row = loaded.snapshots.maps[step, layer, head, query]
    seen = [f"rgb({', '.join(map(str, palette[weight]))})" for weight in row[: query + 1]]
    return seen + [""] * (len(PASSAGE) - query - 1)


def loss(loaded, step, heads=None):
    found = loaded.snapshots.surprisal if heads is None else loaded.snapshots.surprisal_without
    return float(found[(step, *(heads or ()))].astype(np.float64).mean())


def test_the_lesson(page, new_page, server, loaded):
    """Open, choose a preset, switch the head off, go back in the training, and pass on the link."""
    open_life(page, server)
    part(page, "title", "Layer 2, head 3")
    assert (
        page.get_by_role("tab", name="The life of a head").get_attribute("aria-selected") == "true"
    )

    option(page, "Previous-character heads").click()
    part(page, "title", "Layer 1, head 1")
    assert page.locator(f"{LIFE} .stripe.member").count() == 2
    part(page, "about", "These 2 heads give 0.600")
    badges = page.locator(f"{LIFE} .head-badge .score")
    assert badges.all_inner_texts()[:2] == ["0.60", "0.60"]
    wait_for_url(page, "preset=Previous")
    page.locator(f"{LIFE} .stripe").nth(2).click()
    part(page, "title", "Layer 1, head 3")
    page.locator(f"{LIFE} .stripe.member").first.wait_for(state="detached")
    wait_for_run(page)

    option(page, "Head off").click()
    part(page, "about", f"is {loss(loaded, 2, (0, 2)):.3f} instead of {loss(loaded, 2):.3f} nats")
    wait_for_url(page, "off_1=H3")
    page.locator("mark").first.wait_for()
    after = colours(page)

    page.locator(f"{LIFE} .slider").focus()
    page.keyboard.press("ArrowLeft")
    part(page, "step", "Step 10")
    part(page, "about", f"is {loss(loaded, 1, (0, 2)):.3f} instead of {loss(loaded, 1):.3f} nats")
    assert colours(page) != after
    wait_for_url(page, "step=10")
    cells(page).nth(5).click()
    wait_for_url(page, "query=6")
    shown = part(page, "summary").inner_text()
    assert shown.startswith(f"{NAMES[5]}: probability")

    other = new_page()
    other.goto(page.url)
    part(other, "step", "Step 10")
    part(other, "title", "Layer 1, head 3")
    part(other, "summary", shown)
    wait_for_run(other)
    assert part(other, "about").inner_text() == part(page, "about").inner_text()
    assert colours(other) == colours(page)


def test_the_badges_are_those_of_the_step(page, server):
    open_life(page, server, layer=1, head=1)
    stripe = page.locator(f"{LIFE} .stripe").first
    assert stripe.get_attribute("title") == "Layer 1, head 1: previous 0.60"
    page.locator(f"{LIFE} .slider").press("Home")
    part(page, "step", "Step 0")
    assert stripe.get_attribute("title") == "Layer 1, head 1: previous 0.10"
    assert stripe.locator(".head-badge").inner_text().split() == ["previous", "0.10"]


def height_above_text(page):
    """The pixels from the top of the component to its text."""
    text, whole = (page.locator(each).bounding_box()["y"] for each in (f"{LIFE} .text", LIFE))
    return text - whole


# Record each place of the text while it is visible, in pixels from the top of the component.
RECORD_PLACES = """
    window.places = new Set();
    const record = () => {
        for (const node of document.querySelectorAll('*')) {
            const text = node.shadowRoot?.querySelector('.life .text');
            if (!text?.textContent || getComputedStyle(text).visibility !== 'visible') continue;
            const top = text.closest('.life').getBoundingClientRect().top;
            window.places.add(Math.round(text.getBoundingClientRect().top - top));
        }
        requestAnimationFrame(record);
    };
    record();
"""


def test_the_text_does_not_move_once_it_is_shown(page, server):
    """The font arrives after the data and the maps of the head."""
    held = []
    page.add_init_script(RECORD_PLACES)
    page.route(re.compile("/SourceSans.*woff2"), lambda route: held.append(route))
    page.goto(f"{server}/attention", wait_until="commit")  # it is loaded only with its fonts
    page.wait_for_function("document.microgptLifeMaps", polling=100)
    wait_for_run(page)
    assert cells(page).count() == 0
    for route in held:
        route.continue_()
    part(page, "summary", "attends most to")
    assert page.evaluate("window.places.size") == 1


def test_where_several_heads_were_not_measured_the_text_shows_the_attention(page, server, loaded):
    open_life(page, server, preset="Previous-character heads", layer=1, head=1, off_1=["H1", "H2"])
    part(page, "summary", "probability")
    assert not colours(page)[0], "nothing predicts the first character"
    page.locator(f"{LIFE} .slider").press("Home")
    part(page, "summary", "were measured only at the end of the training")
    at = cells(page).evaluate_all("all => all.findIndex((each) => each.matches('.query'))")
    assert colours(page) == expected_colours(loaded, 0, 0, 0, at)
    assert not page.locator(f"{LIFE} .changes").is_visible()
    top = height_above_text(page)
    page.locator(f"{LIFE} .slider").press("End")
    part(page, "summary", "probability")
    assert not colours(page)[0]
    assert height_above_text(page) == top, "nothing moves"


def test_a_text_of_the_visitor_has_a_way_back_above_it(phone, server):
    page = phone
    open_life(page, server, text="ba do ba")
    note = part(page, "note", "hold another text").bounding_box()
    text = page.locator(f"{LIFE} .text").bounding_box()
    assert note["y"] < text["y"] and text["y"] + text["height"] <= 844
    assert not page.locator(f"{LIFE} .slider").is_visible()
    page.get_by_role("button", name="Back to the checkpoint’s passage").click()
    page.locator(f"{LIFE} .slider").wait_for()
    assert cells(page).count() == len(PASSAGE)
    assert not page.locator(f"{LIFE} .note").is_visible()


def test_a_text_of_the_visitor_has_no_space_for_what_the_slider_would_say(phone, server):
    off = ["H1", "H2"]
    open_life(phone, server, preset="Previous-character heads", layer=1, head=1, off_1=off)
    part(phone, "summary", "probability")
    reserved = phone.locator(f"{LIFE} .summary").bounding_box()["height"]
    open_life(phone, server, text="ba do ba", layer=1, head=1, off_1=off)
    part(phone, "summary", "probability")
    assert phone.locator(f"{LIFE} .summary").bounding_box()["height"] < reserved


def test_another_view_replaces_it_without_an_error(page, server):
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    open_life(page, server, layer=1, head=1)
    part(page, "summary", "attends most to")
    for name in ("Same-character head", "One head"):  # the first shows a note above it
        option(page, name).click()
        wait_for_url(page, "preset=Same" if name.startswith("Same") else "head=1")
        part(page, "summary", "attends most to")
    page.get_by_role("tab", name="All heads").click()
    page.locator(LIFE).wait_for(state="detached")
    wait_for_run(page)
    assert not errors


def test_the_picture_has_the_characters_and_colours_that_are_shown(page, server, loaded):
    open_life(page, server, layer=1, head=2, query=9, step=10)
    part(page, "summary", f"{NAMES[8]} attends most to")
    name, content = download(page.get_by_role("button", name="Save as SVG"))
    assert name == "microgpt-layer-1-head-2-step-10.svg"
    picture = ElementTree.fromstring(content)
    texts = [each.text for each in picture.iter(f"{SVG}text")]
    assert {"Layer 1, head 2", "Step 10", "H3", "Validation loss"} <= set(texts)
    shown = cells(page).all_inner_texts()
    assert any(texts[at : at + len(shown)] == shown for at in range(len(texts)))
    fills = [each.get("fill").replace(",", ", ") for each in picture.iter(f"{SVG}rect")]
    expected = [each for each in expected_colours(loaded, 1, 0, 1, 8) if each]
    assert any(fills[at : at + 9] == expected for at in range(len(fills)))
    assert len(list(picture.iter(f"{SVG}image"))) == 3, "a stripe for each head"
    assert len(list(picture.iter(f"{SVG}path"))) >= 3, "the curves"


def test_the_text_is_shaded_by_the_map_of_the_step_the_head_and_the_query(page, server, loaded):
    open_life(page, server, layer=1, head=2, query=9)
    part(page, "summary", NAMES[8])
    assert colours(page) == expected_colours(loaded, 2, 0, 1, 8)
    cells(page).nth(11).hover()
    part(page, "summary", f"{NAMES[11]} attends most to")
    assert colours(page) == expected_colours(loaded, 2, 0, 1, 11)
    page.mouse.move(0, 0)
    part(page, "summary", f"{NAMES[8]} attends most to")
    page.locator(f"{LIFE} .slider").press("Home")
    part(page, "step", "Step 0")
    assert colours(page) == expected_colours(loaded, 0, 0, 1, 8)


# Record the step and the values of the curves each time that the step changes.
RECORD_STEPS = """training => {
    window.steps = [];
    const values = () => [...training.querySelectorAll('.step, .value')].map((n) => n.textContent);
    new MutationObserver(() => window.steps.push(values())).observe(
        training.querySelector('.step'), {childList: true}
    );
}"""


def test_play_shows_each_step_and_the_curves_follow(page, server):
    open_life(page, server, layer=1, head=1)
    part(page, "value", "0.60 of attention")
    part(page, "training").evaluate(RECORD_STEPS)
    page.get_by_role("button", name="Play the training").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play the training").wait_for()
    assert page.evaluate("window.steps") == [
        ["Step 0", "3.250 nats per character", "0.10 of attention", "+0.0000 nats per character"],
        ["Step 10", "2.900 nats per character", "0.20 of attention", "+0.0000 nats per character"],
        ["Step 20", "2.550 nats per character", "0.60 of attention", "+0.0000 nats per character"],
    ]


def test_everything_works_by_keyboard(page, server):
    open_life(page, server)
    text = page.get_by_role("group", name=re.compile("^The text"))
    text.focus()
    page.keyboard.press("Home")
    part(page, "summary", f"{NAMES[0]} attends most to")
    page.keyboard.press("ArrowRight")
    part(page, "summary", f"{NAMES[1]} attends most to")
    wait_for_url(page, "query=2")
    page.keyboard.press("End")
    part(page, "summary", f"{NAMES[-1]} attends most to")
    page.keyboard.press("Tab")  # the button that copies the link
    page.keyboard.press("Tab")  # the button that saves the picture
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    part(page, "title", "Layer 2, head 2")
    wait_for_url(page, "head=2")
    page.get_by_role("button", name="Play the training").press("Enter")
    page.get_by_role("button", name="Pause").press("Enter")
    page.locator("input.slider").press("Home")
    part(page, "step", "Step 0")
    wait_for_url(page, "step=0")


def test_a_phone_shows_the_text_and_its_attention_first(phone, server, loaded):
    open_life(phone, server)
    box = phone.locator(f"{LIFE} .text").bounding_box()
    assert box["y"] + box["height"] <= 844 and box["x"] + box["width"] <= 390
    cells(phone).nth(3).tap()
    part(phone, "summary", f"{NAMES[3]} attends most to")
    assert colours(phone) == expected_colours(loaded, 2, 1, 2, 3)
    wait_for_url(phone, "query=4")
    option(phone, "Head off").tap()
    part(phone, "about", "Without L2 H3")
    part(phone, "changes", "worse without it")


def test_the_tables_of_the_numbers_are_downloaded(page, server):
    open_life(page, server, step=10)
    page.get_by_text("As a table").click()
    name, content = download(page.get_by_role("button", name="training.csv"))
    assert name == "microgpt-head-in-training.csv"
    assert content.decode().splitlines()[2].startswith("10,2.9,0.02,")


# The contrast of each character with its cell (WCAG 2.2, 1.4.3).
CONTRAST = """nodes => nodes.filter((node) => node.style.background).map((node) => {
    const luminance = (colour) => {
        const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map((part) => {
            const level = part / 255;
            return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const { color, backgroundColor } = getComputedStyle(node);
    const [low, high] = [color, backgroundColor].map(luminance).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_character_is_readable_on_its_colour(new_page, server, scheme):
    page = new_page(color_scheme=scheme)
    open_life(page, server, layer=1, head=2, query=14)
    page.locator(f"{LIFE} .text [style*=background]").nth(len(PASSAGE) - 1).wait_for()
    contrast = cells(page).evaluate_all(CONTRAST)
    assert len(contrast) == len(PASSAGE) and min(contrast) >= 4.5
    option(page, "Head off").click()
    part(page, "about", "Without L1 H2")
    contrast = cells(page).evaluate_all(CONTRAST)
    assert len(contrast) == len(PASSAGE) - 1 and min(contrast) >= 4.5
