"""The app on hosts that restrict it: in a frame of another site that denies it storage."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.driving import SETTLED, TEXT

pytestmark = pytest.mark.browser

# What a browser that blocks the cookies of other sites does in a frame of another site.
NO_STORAGE = """
if (self !== top) for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, {
    get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
  });
}
"""


@pytest.fixture
def framed(page, server):
    """Open a page of the app in a frame of another site, and return the frame."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            src = f"{server}{self.path}?embed=true"
            self.wfile.write(f'<iframe width="1200" height="850" src="{src}">'.encode())

        def log_message(self, *_):
            pass

    def open_page(path):
        page.goto(f"http://localhost:{site.server_address[1]}{path}")
        return page.frame_locator("iframe")

    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)  # the app is at 127.0.0.1, another host
    threading.Thread(target=site.serve_forever).start()
    yield open_page
    site.shutdown()
    site.server_close()


CHART = '[data-testid="stPlotlyChart"]'


@pytest.mark.parametrize(
    ("path", "result"), [("/", CHART), ("/attention", ".life .text"), ("/loss_record", CHART)]
)
def test_a_frame_without_storage_shows_the_same_page(page, framed, path, result):
    page.add_init_script(NO_STORAGE)
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    frame = framed(path)
    frame.locator(result).first.wait_for()
    frame.locator(SETTLED).wait_for()
    assert not any("SecurityError" in message for message in messages)
    assert frame.locator('[data-testid="stException"]').count() == 0


def test_the_colours_of_a_text_can_be_chosen_without_storage(page, framed):
    page.add_init_script(NO_STORAGE)
    frame = framed("/")
    frame.locator(TEXT).wait_for()
    colour = frame.get_by_role("radio", name="Colour by: Surprisal")
    colour.click()
    assert colour.get_attribute("aria-checked") == "true"


def test_a_file_can_be_opened_in_a_frame(framed):
    """Browsers send no cookie there."""
    frame = framed("/")
    frame.get_by_text("Open a record").click()
    record = {"name": "record.json", "mimeType": "application/json", "buffer": b"{}"}
    opener = frame.get_by_test_id("stMain").get_by_test_id("stFileUploader").locator("input")
    opener.set_input_files(record)
    frame.get_by_text("The record cannot be opened").wait_for()


def test_a_text_can_be_copied_in_a_frame(framed):
    """Browsers deny the clipboard there."""
    frame = framed("/")
    frame.locator(TEXT).wait_for()
    frame.locator(SETTLED).wait_for()
    button = frame.get_by_role("button", name="Copy the text")
    button.click()
    button.get_by_text("Copied").wait_for()
