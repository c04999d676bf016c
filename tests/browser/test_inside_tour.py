"""The tour in a browser, from its first step to its last, on the bundled checkpoint."""

import re

import pytest

from microgpt.checkpoint.runs import IDEAS, bundled_runs
from microgpt.ui.attention.controls import PASSAGE
from microgpt.ui.inside.tour_stops import STOPS
from tests.browser.driving import generated_text, go_to, visit, wait_for_run, wait_for_text

pytestmark = pytest.mark.browser

OWN = "QUEEN:\nWe go at dawn"


@pytest.fixture(scope="module")
def server(app_server):
    with app_server() as url:
        yield url


def shown_step(page, number):
    """Wait for a step in the Tour tab; return what it says."""
    title = f"{number} of {len(STOPS)}: {STOPS[number - 1].title}"
    page.get_by_role("heading", name=title, exact=True).wait_for()
    wait_for_run(page)
    assert page.locator(".st-key-tour_row").count() == 0, "the row is for the other views"
    return page.locator(".st-key-tour").inner_text()


def row(page, number):
    """The row above a view, once it is that of this step and the view is drawn."""
    start = f"Tour, step {number} of {len(STOPS)}: {STOPS[number - 1].title}"
    found = page.locator(".st-key-tour_row", has_text=start)
    found.wait_for()
    return found


def take(page, number, view):
    """Press the button of a step, and wait for its view."""
    page.locator(".st-key-tour [data-testid='stBaseButton-primary']").click()
    row(page, number)
    page.locator('[role="tab"][aria-selected="true"]', has_text=view).wait_for()


def go_on(page, number):
    wait_for_run(page)
    row(page, number).get_by_role("button", name="Next").click()
    said = shown_step(page, number + 1)
    assert f"tour_step={number + 1}" in page.url
    return said


def texts(page, selector):
    """The text of an element in a component, without spaces and line breaks."""
    page.locator(selector).first.wait_for()
    return re.sub(r"\s", "", page.locator(selector).first.inner_text())


def test_the_tour_from_the_first_step_to_the_last(page, new_page, server):
    visit(page, server, "Generate")
    before = generated_text(page)
    go_to(page, "Inside")
    page.get_by_role("tab", name="Tour").click()
    said = [shown_step(page, 1)]

    take(page, 1, "Write")
    wait_for_text(page, f"t.startsWith('GARDENER') && t.length > {len(PASSAGE) + 100}")
    assert generated_text(page) != before and generated_text(page).startswith(PASSAGE)

    said.append(go_on(page, 1))
    take(page, 2, "Through the model")
    assert texts(page, ".model-flow .text").startswith("GARDENER:")

    said.append(go_on(page, 2))
    take(page, 3, "The life of a head")
    page.locator(".life .title", has_text="Layer 1, head").wait_for()
    assert page.locator(".life .slider").count() == 1

    page.locator(".life .slider").scroll_into_view_if_needed()
    said.append(go_on(page, 3))
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop === 0")
    take(page, 4, "Ablation")
    off = page.get_by_role("switch", checked=False)
    off.first.wait_for()
    page.get_by_test_id("stMetricDelta").wait_for()
    assert off.count() == 1 and "off_" in page.url

    said.append(go_on(page, 4))
    take(page, 5, "Neurons")
    cells = page.locator(".neurons .text .cell")
    cells.first.wait_for()
    shades = "nodes => nodes.map((node) => node.style.background)"
    fires = cells.evaluate_all(shades)
    assert any(fires)
    rows = page.locator(".neurons .row")
    rows.nth(5).click()
    page.locator('.neurons .row:nth-child(6)[aria-checked="true"]').wait_for()
    assert cells.evaluate_all(shades) != fires

    said.append(go_on(page, 5))
    take(page, 6, "Compare runs")
    for run in bundled_runs():
        if run.name in IDEAS:
            page.locator(".legendtext", has_text=run.title).first.wait_for()
    assert page.url.count("runs=") == len(IDEAS)

    said.append(go_on(page, 6))
    take(page, 7, "Layer by layer")
    assert page.locator(".lens table td").first.inner_text()

    said.append(go_on(page, 7))
    take(page, 8, "Why this character")
    assert texts(page, ".effects")

    said.append(go_on(page, 8))
    take(page, 9, "Snapshots")
    page.get_by_text("Step 0", exact=True).wait_for()
    assert "step=0" in page.url

    said.append(go_on(page, 9))
    assert len(set(said)) == len(STOPS)
    page.get_by_label("Your own text", exact=True).fill(OWN)
    page.get_by_label("Your own text", exact=True).blur()
    page.wait_for_url(re.compile("text=QUEEN"), wait_until="commit")
    wait_for_run(page)
    take(page, 10, "Through the model")
    page.locator(".model-flow .text", has_text="QUEEN").wait_for()
    assert row(page, 10).get_by_role("button", name="Next").count() == 0

    row(page, 10).get_by_role("button", name="End").click()
    page.locator(".st-key-tour_row").wait_for(state="detached")
    wait_for_run(page)
    assert "tour_step" not in page.url


def test_on_a_phone_the_step_and_the_open_tab_are_in_view(phone, server):
    visit(phone, f"{server}/inside?inside_view=Tour&tour_step=5", "Inside")
    shown_step(phone, 5)
    buttons = phone.locator(".st-key-tour_steps button:visible")
    buttons.nth(len(STOPS) - 1).wait_for()
    steps = [each.bounding_box() for each in buttons.all()]
    assert len(steps) == len(STOPS) and len({box["y"] for box in steps}) == 1
    assert all(box["width"] >= 24 and box["x"] + box["width"] <= 390 for box in steps)
    caption = phone.get_by_text("A GPT of")
    caption.wait_for()
    take(phone, 5, "Neurons")
    caption.wait_for(state="hidden")
    go_on(phone, 5)
    phone.locator('[role="tab"][aria-selected="true"]', has_text="Tour").wait_for()
    phone.wait_for_function(
        """() => {
            const { left, right } = [...document.querySelectorAll('[role="tab"]')]
                .find((tab) => tab.ariaSelected === 'true').getBoundingClientRect();
            return left >= 0 && right <= 390;
        }"""
    )


def test_a_click_counts_although_the_browser_sends_something_else_with_it(page, server):
    """The browser sends the old values of all widgets with whatever it sends.

    It sends them while the page answers the click. At the very same moment, Streamlit would not
    call the callback of the click.
    """
    page.goto(f"{server}/inside?tour_step=2&query=3")
    cell = page.locator(".model-flow .text .cell").nth(7)
    cell.wait_for()
    wait_for_run(page)
    end = row(page, 2).get_by_role("button", name="End").element_handle()
    cell.evaluate("(cell, end) => { end.click(); setTimeout(() => cell.click(), 20); }", end)
    page.wait_for_url(re.compile("query=8"), wait_until="commit")
    page.locator(".st-key-tour_row").wait_for(state="detached")
    wait_for_run(page)
    assert "tour_step" not in page.url and "query=8" in page.url
