"""Back and Forward step through the visitor's choices, one at a time."""

from contextlib import suppress

import pytest

from tests.browser.driving import visit, wait_for_run

pytestmark = pytest.mark.browser

# What the page shows: its address, its title, the open tab, the values of its controls. The number
# of the run is hidden (choices.py).
SHOWN = """() => JSON.stringify([
    location.pathname + location.search,
    document.querySelector('h1')?.innerText,
    ...[...document.querySelectorAll('[role="tab"][aria-selected="true"]')].map((n) => n.innerText),
    ...[...document.querySelectorAll('h3, textarea, input:not([type=range])')]
        .filter((n) => !n.closest('.st-key-hidden_run_number'))
        .map((n) => n.value ?? n.innerText),
])"""

LIFE = '"1","1"'  # the layer and the head of the life of a head


def shown(page):
    wait_for_run(page)
    page.locator('[data-testid="stSkeleton"]').first.wait_for(state="detached")
    return page.evaluate(SHOWN)


def choose_and_step_back(page, *choices):
    """Make choices; assert that Back and Forward show each state again, and return the states.

    choices: for each, a function that makes it, and a part of what the page shows only when it is
    done: the address and the open tab change before the script has run.
    """
    from playwright.sync_api import TimeoutError  # imported late: it may not be installed

    states = [shown(page)]
    for choose, result in choices:
        choose()
        page.wait_for_function(f"(result) => ({SHOWN})().includes(result)", arg=result)
        states.append(shown(page))
        assert states[-1] != states[-2]
    for step, expected in (
        *(("go_back", state) for state in states[-2::-1]),
        *(("go_forward", state) for state in states[1:]),
    ):
        getattr(page, step)()
        with suppress(TimeoutError):  # the assertion says what is different
            page.wait_for_function(f"(expected) => ({SHOWN})() === expected", arg=expected)
        assert shown(page) == expected
    return states


def test_back_and_forward_on_one_page(page, server):
    visit(page, f"{server}/attention?attention_view=All+heads", "Attention")

    def choose_head():
        page.get_by_label("Head", exact=True).click()
        page.get_by_role("option", name="2", exact=True).click()

    def write_text():
        page.get_by_label("Text", exact=True).fill("ba do ke")
        page.get_by_label("Text", exact=True).press("Control+Enter")

    choose_and_step_back(
        page,
        (choose_head, "Layer 1, head 2"),
        (write_text, "text=ba+do+ke"),
        (lambda: page.get_by_role("button", name="Switch it off").click(), "What the model writes"),
        (lambda: page.get_by_role("tab", name="Stages").click(), "Layer 1, head 2"),
    )


def open_page(page, name):
    page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()


def test_back_and_forward_across_two_pages(page, server):
    visit(page, f"{server}/?repo=no+repo", "Generate")  # a control that both pages have
    page.get_by_label("Prompt", exact=True).wait_for()

    def write_prompt():
        page.get_by_label("Prompt", exact=True).fill("ba do")
        page.get_by_label("Prompt", exact=True).press("Control+Enter")

    states = choose_and_step_back(
        page,
        (write_prompt, "prompt=ba+do"),
        (lambda: open_page(page, "Attention"), LIFE),
        (lambda: page.get_by_role("tab", name="Combined").click(), '"2"'),
        (lambda: open_page(page, "Generate"), '"ba do"'),
        (lambda: page.get_by_role("button", name="Look inside").click(), LIFE),
    )
    assert all("repo=no+repo" in each for each in states)


def test_back_and_forward_across_pages_with_the_same_text(page, server):
    visit(page, f"{server}/attention?attention_view=Stages&text=ba+do", "Attention")

    def write_text():
        page.get_by_label("Text", exact=True).fill("ba do ke")
        page.get_by_label("Text", exact=True).press("Control+Enter")

    choose_and_step_back(
        page,
        (lambda: open_page(page, "Inside"), "Through the model"),
        (lambda: page.get_by_role("tab", name="Why this character").click(), "likeliest other"),
        (write_text, "text=ba+do+ke"),
        (lambda: open_page(page, "Attention"), "Layer 1, head 1"),
    )
