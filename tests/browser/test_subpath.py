"""The app below a path of a site, behind Caddy with the configuration of docs/hosting."""

from urllib.parse import urlsplit

import pytest

from tests.browser.driving import SETTLED, go_to, visit
from tests.caddy import caddy, needs_caddy

pytestmark = [pytest.mark.browser, needs_caddy]
BASE = "microgpt"


@pytest.fixture
def site(app_server, tiny_checkpoint):
    """The address of the site."""
    environment = {"MICROGPT_CHECKPOINT": str(tiny_checkpoint)}
    with app_server(environment, base=BASE) as app:
        address = urlsplit(app)
        with caddy("subpath.Caddyfile", {"APP": address.netloc}) as url:
            yield url


def test_all_of_the_app_is_below_the_path(site, new_page):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    answers = []
    page.on("response", lambda answer: answers.append((answer.status, answer.url)))
    visit(page, f"{site}/{BASE}", "Generate")
    page.locator(".char").first.wait_for()
    assert urlsplit(page.url).path == f"/{BASE}/"

    page.get_by_text("Open a record").click()  # uploads have an address of their own
    record = {"name": "record.json", "mimeType": "application/json", "buffer": b"{}"}
    opener = page.get_by_test_id("stMain").get_by_test_id("stFileUploader").locator("input")
    opener.set_input_files(record)
    page.get_by_text("The record cannot be opened").wait_for()

    page.keyboard.press("Escape")
    go_to(page, "Attention")
    page.locator(".life .text").wait_for()
    page.get_by_role("tab", name="All heads").click()
    page.get_by_role("button", name="Mean of layer 2").click()
    page.wait_for_url(f"**/{BASE}/attention?*layer=2*", wait_until="commit")
    page.get_by_role("button", name="Copy link to this tab").click()
    page.get_by_text("Copied", exact=True).wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{site}/{BASE}/attention?")

    page.go_back()  # to the tab
    page.go_back()  # to the page
    page.go_back()
    page.get_by_role("heading", name="Generate", exact=True).wait_for()
    page.wait_for_selector(SETTLED)
    assert urlsplit(page.url).path == f"/{BASE}/"

    other = new_page()
    visit(other, link, "Attention")
    other.get_by_role("heading", name="Mean of layer 2").wait_for()

    from_server = [each for each in answers if each[1].startswith("http")]  # others: data, blob
    assert [url for _, url in from_server if not url.startswith(f"{site}/{BASE}")] == []
    assert [each for each in from_server if each[0] >= 400] == []
