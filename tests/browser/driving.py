"""Actions on a page of the app that several browser tests need."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
TEXT = ".tokens .page"


def settle(page: "Page") -> None:
    """Wait until the script has ended without an exception; wait for the content first."""
    page.wait_for_selector(SETTLED)
    assert page.locator('[data-testid="stException"]').count() == 0


def visit(page: "Page", url: str, heading: str) -> None:
    """Open a page of the app by its URL."""
    page.goto(url)
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    settle(page)


def turn_to(page: "Page", heading: str) -> None:
    """Go to another page through the sidebar."""
    page.get_by_role("link", name=heading).click()
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    settle(page)


def written(page: "Page", at: int = 0) -> str:
    """Return the text with that index on the page, prompt included."""
    return page.locator(TEXT).nth(at).inner_text()


def wait_for_text(page: "Page", condition: str) -> None:
    """Wait until a JavaScript condition on t, the first text of the page, is true."""
    page.wait_for_function(
        """condition => {
            const roots = [...document.querySelectorAll('*')].map((node) => node.shadowRoot);
            const text = roots.map((root) => root?.querySelector('.tokens .page')).find(Boolean);
            return new Function('t', `return ${condition}`)(text?.innerText ?? '');
        }""",
        arg=condition,
    )


def answered(point: Callable[[], object], answer: "Locator") -> "Locator":
    """Point at something, again if needed, because a chart that is still being drawn moves."""
    from playwright.sync_api import TimeoutError  # where it is not installed no test comes here

    for _ in range(20):
        point()
        with suppress(TimeoutError):
            answer.wait_for(timeout=3_000)
            break
    answer.wait_for()
    return answer


def downloaded(button: "Locator") -> tuple[str, bytes]:
    """Press a download button; return the file's name and content.

    The key is used because a button moves away from the pointer while charts are being drawn.
    """
    with button.page.expect_download() as download:
        button.press("Enter")
    return download.value.suggested_filename, download.value.path().read_bytes()


def swipe(page: "Page", x: float, y: float, by: float) -> None:
    """Swipe a finger down a touch screen by a number of pixels."""
    screen = page.context.new_cdp_session(page)

    def touch(kind: str, *points: dict[str, float]) -> None:
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    touch("touchStart", {"x": x, "y": y})
    for step in range(1, 11):
        touch("touchMove", {"x": x, "y": y + by * step / 10})
    touch("touchEnd")
    screen.detach()
