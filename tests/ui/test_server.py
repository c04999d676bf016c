"""What the server adds to Streamlit's page."""

import os
import re
import subprocess
import sys
from pathlib import Path

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


def test_an_app_below_another_address_has_its_pages_there():
    paths = [each.path for each in routes(["", "attention"], "/my/app/")]
    assert paths == ["/my/app/", "/my/app/attention"]


def test_all_tabs_of_a_browser_share_a_cookie():
    visitor = client("")
    cookie = visitor.get("/").cookies[BROWSER]
    assert BROWSER not in visitor.get("/").cookies  # it is sent back, and not replaced
    assert client("").get("/").cookies[BROWSER] != cookie


LOADED = """
import asyncio, sys, threading
from microgpt.ui.server import lifespan

async def serve():
    async with lifespan(None):
        for thread in threading.enumerate():
            if thread.daemon:
                thread.join()

asyncio.run(serve())
sys.exit("microgpt.ui.page" not in sys.modules)
"""


def test_the_modules_of_the_pages_are_loaded_before_the_first_visitor_comes():
    environ = os.environ | {"STREAMLIT_SERVER_HEADLESS": "true"}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", LOADED], cwd=root, env=environ, check=True)
