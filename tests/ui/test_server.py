"""What the server adds to Streamlit's page."""

import re

from starlette.applications import Starlette
from starlette.testclient import TestClient

from microgpt.ui.server import BROWSER, DESCRIPTION, routes


def client(*pages):
    return TestClient(Starlette(routes=routes(pages)))


def test_every_page_has_a_title_and_a_description():
    visitor = client("", "attention")
    for path in ("/", "/attention"):
        page = visitor.get(path)
        assert page.status_code == 200
        assert re.findall("<title>(.*)</title>", page.text) == ["microGPT"]
        for name in ('name="description"', 'property="og:description"'):
            assert f'<meta {name} content="{DESCRIPTION}">' in page.text
        assert '<div id="root"></div>' in page.text  # Streamlit's page


def test_all_tabs_of_a_browser_share_a_cookie():
    visitor = client("")
    cookie = visitor.get("/").cookies[BROWSER]
    assert BROWSER not in visitor.get("/").cookies  # it is sent back, and not replaced
    assert client("").get("/").cookies[BROWSER] != cookie
