"""The Layer by layer tab in a browser: choose a cell by click and by keyboard."""

import re

import pytest

from tests.browser.driving import download, visit, wait_for_run

pytestmark = pytest.mark.browser

ADDRESS = "inside?inside_view=Layer+by+layer"


def chosen(page):
    """The row and the position of the chosen cell, from 0."""
    cell = page.locator(".lens td.chosen[data-row]")
    cell.wait_for()
    return int(cell.get_attribute("data-row")), int(cell.get_attribute("data-at"))


def test_a_cell_opens_its_distribution(page, server):
    visit(page, f"{server}/{ADDRESS}&text=ba+do+ke", "Inside")
    assert chosen(page) == (2, 7)
    page.get_by_text("The prediction of the character after e (8), read after layer 2.").wait_for()
    page.locator('.lens td[data-row="1"][data-at="3"]').click()
    page.get_by_text("The prediction of the character after d (4), read after layer 1.").wait_for()
    wait_for_run(page)
    page.wait_for_url(re.compile(r"query=4"), wait_until="commit")
    assert "after=layer+1" in page.url and chosen(page) == (1, 3)

    page.locator(".lens .scroll").focus()
    for key in ("ArrowUp", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.get_by_text("character after ␣ (6), read after the embeddings").wait_for()
    wait_for_run(page)
    assert chosen(page) == (0, 5)

    name, content = download(page.get_by_role("button", name="CSV", exact=True))
    assert name == "microgpt-logit-lens.csv"
    assert len(content.decode().splitlines()) == 1 + 3 * 8


def test_a_colour_is_chosen_without_a_run(page, server):
    visit(page, f"{server}/{ADDRESS}&text=ba+do+ke", "Inside")
    cell = page.locator('.lens td[data-row="0"][data-at="5"]')
    before = cell.evaluate("node => node.style.background")
    page.get_by_role("radio", name="Colour by: Divergence").click()
    assert cell.evaluate("node => node.style.background") != before
    page.get_by_text("4+ nats").wait_for()


def test_a_long_text_keeps_the_chosen_position_in_view(new_page, app_server):
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    with app_server() as url:  # the bundled checkpoint has a long window
        text = "the+sea+is+calm+" * 16
        visit(page, f"{url}/{ADDRESS}&query=120&text={text[:-1]}.", "Inside")

        def in_view():
            cell, box = (
                page.locator(each).first.bounding_box()
                for each in (".lens td.chosen[data-row]", ".lens .scroll")
            )
            return box["x"] <= cell["x"] and cell["x"] + cell["width"] <= box["x"] + box["width"]

        assert chosen(page) == (6, 119) and in_view()
        page.locator(f'.lens td[data-row="3"][data-at="{119 - 3}"]').tap()
        page.get_by_text("read after layer 3").wait_for()
        wait_for_run(page)
        assert chosen(page) == (3, 116) and in_view()
