"""Actions on a page of the app that several browser tests share."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
TEXT = ".tokens .page"


def wait_for_run(page: "Page") -> None:
    """Wait until the script has ended without an exception; wait for expected content first."""
    page.wait_for_selector(SETTLED)
    assert page.locator('[data-testid="stException"]').count() == 0


def visit(page: "Page", url: str, heading: str) -> None:
    """Open a page of the app by its URL."""
    page.goto(url)
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    wait_for_run(page)


def go_to(page: "Page", heading: str) -> None:
    """Go to another page through the sidebar."""
    page.get_by_role("link", name=heading, exact=True).click()
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    wait_for_run(page)


def generated_text(page: "Page", at: int = 0) -> str:
    """Return a generated text of the page by its index, prompt included."""
    return page.locator(TEXT).nth(at).inner_text()


def set_more(page: "Page", **values: int) -> None:
    """Set numbers under "More settings" of the Generate page, by their labels with _ for spaces."""
    page.get_by_role("button", name="More settings").click()
    for label, value in values.items():
        field = page.get_by_label(label.replace("_", " "), exact=True)
        field.fill(str(value))
        field.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_test_id("stPopoverBody").wait_for(state="detached")


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


def point_until(point: Callable[[], object], result: "Locator") -> "Locator":
    """Point at something until a result appears, because a chart moves while it is drawn."""
    from playwright.sync_api import TimeoutError  # imported late: it may not be installed

    for _ in range(20):
        point()
        with suppress(TimeoutError):
            result.wait_for(timeout=3_000)
            break
    result.wait_for()
    return result


def download(button: "Locator") -> tuple[str, bytes]:
    """Press a download button; return the file's name and content.

    The key is used because a button moves away from the pointer while charts are being drawn.
    """
    with button.page.expect_download() as event:
        button.press("Enter")
    return event.value.suggested_filename, event.value.path().read_bytes()


def swipe(page: "Page", x: float, y: float, by: float) -> None:
    """Move a finger down a touch screen by a number of pixels."""
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: dict[str, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    touch("touchStart", {"x": x, "y": y})
    for step in range(1, 11):
        touch("touchMove", {"x": x, "y": y + by * step / 10})
    touch("touchEnd")
    session.detach()
