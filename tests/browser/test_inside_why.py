"""The Why this character tab in a browser, from a generated text to one part of the model."""

import re

import pytest

from tests.browser.driving import download, generated_text, visit, wait_for_run

pytestmark = pytest.mark.browser


def test_a_generated_character_is_explained(page, server):
    visit(page, f"{server}/?prompt=ba+do&length=50", "Generate")
    text = generated_text(page)
    page.locator('.tokens .char[data-at="4"]').click()
    page.get_by_role("button", name="Why this one?").click()
    page.get_by_role("heading", name="Inside", exact=True).wait_for()
    asked = text[: len("ba do") + 5]
    label = {" ": "␣", "\n": "⏎"}.get(asked[-1], asked[-1])
    page.get_by_text(f"The logit of “{label}” is").wait_for()
    wait_for_run(page)
    assert page.get_by_label("Text", exact=True).input_value() == asked
    assert f"query={len(asked) - 1}" in page.url

    # The parts are sorted by size; total effects replace the dots.
    rows = page.locator(".effects").first.locator(".row:not(.head)")
    page.get_by_text("…", exact=True).first.wait_for(state="detached")
    numbers = [row.locator(".number").all_inner_texts() for row in rows.all()]
    sizes = [abs(float(direct.replace("−", "-"))) for direct, _ in numbers]
    assert len(numbers) == 2 + 2 * (3 + 2) + 2 and sizes == sorted(sizes, reverse=True)

    # Opening another part changes what is beside the list, and the address.
    other = rows.filter(has_text="L1 H2")
    other.press("Enter")
    page.get_by_role("heading", name="Layer 1, head 2").wait_for()
    page.wait_for_url(re.compile(r"part=L1\+H2"), wait_until="commit")
    wait_for_run(page)
    assert other.get_attribute("aria-pressed") == "true"
    sources = page.locator(".effects").nth(1).locator(".row:not(.head) .name")
    assert sorted(sources.all_inner_texts()) == sorted(
        f"{ {' ': '␣', chr(10): '⏎'}.get(char, char) } ({at})"
        for at, char in enumerate(asked[:-1], start=1)
    )

    name, content = download(page.get_by_role("button", name="CSV", exact=True))
    assert name == "microgpt-parts.csv"
    lines = content.decode().splitlines()
    assert lines[0] == "part,direct,total,position,character,compared_with"
    assert len(lines) == 1 + len(numbers)


def test_the_arrow_keys_move_between_the_parts(page, server):
    visit(page, f"{server}/inside?inside_view=Why+this+character&text=ba+do", "Inside")
    rows = page.locator(".effects").first.locator("button.row")
    first, second = (rows.nth(at).get_attribute("data-opens") for at in (0, 1))
    assert rows.nth(0).get_attribute("aria-pressed") == "true" and first != second
    rows.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("part="), wait_until="commit")
    wait_for_run(page)
    page.locator(f'button.row[data-opens="{second}"][aria-pressed="true"]').wait_for()
