"""What the server adds to Streamlit's page."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from microgpt.ui import history, server
from microgpt.ui.frame import LAYOUT, theme_style
from microgpt.ui.server import BROWSER, DESCRIPTION, UPLOADED_BYTES, LimitUploads, routes


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
        streamlit = page.text.index('type="module"')
        assert page.text.index(history.SCRIPT) < streamlit
        for sheet in (theme_style(), LAYOUT.read_text(encoding="utf-8")):  # at the first drawing
            assert sheet in page.text


def test_an_app_below_another_address_has_its_pages_there():
    paths = [each.path for each in routes(["", "attention"], "/my/app/")]
    assert paths == ["/my/app/", "/my/app/attention"]


def test_all_tabs_of_a_browser_share_a_cookie():
    visitor = client("")
    cookie = visitor.get("/").cookies[BROWSER]
    assert BROWSER not in visitor.get("/").cookies  # it is sent back, and not replaced
    assert client("").get("/").cookies[BROWSER] != cookie


def test_an_upload_that_never_arrives_does_not_keep_others_out(monkeypatch):
    monkeypatch.setattr(server, "_uploaded", lambda: 0)  # there is no Streamlit here
    answers = []

    async def arrive(scope, receive, send):
        await receive()

    async def receive():
        await asyncio.Event().wait()  # the browser is gone, and its connection does not end

    async def send(message):
        answers.extend([message["status"]] if "status" in message else [])

    headers = [(b"content-length", str(UPLOADED_BYTES).encode())]
    scope = {"type": "http", "method": "PUT", "path": "/_stcore/upload_file/a/1"}
    limit = LimitUploads(arrive, seconds=0)
    for _ in range(2):
        asyncio.run(limit(scope | {"headers": headers}, receive, send))
    assert answers == [408, 408]


def test_a_timeout_of_the_app_itself_is_not_taken_for_a_late_upload(monkeypatch):
    monkeypatch.setattr(server, "_uploaded", lambda: 0)  # there is no Streamlit here

    async def fail(scope, receive, send):
        raise TimeoutError("of the app")

    headers = [(b"content-length", b"1")]
    scope = {"type": "http", "method": "PUT", "path": "/_stcore/upload_file/a/1"}
    with pytest.raises(TimeoutError, match="of the app"):
        asyncio.run(LimitUploads(fail)(scope | {"headers": headers}, None, None))


LOADED = """
import asyncio, sys, threading
from microgpt.ui.server import lifespan

async def serve():
    async with lifespan(None):
        for thread in threading.enumerate():
            if thread.daemon:
                thread.join()

asyncio.run(serve())
from streamlit.runtime.pages_manager import PagesManager
sys.exit("microgpt.ui.page" not in sys.modules or PagesManager.uses_pages_directory is not False)
"""


def test_modules_are_loaded_and_no_page_runs_without_app_py_before_the_first_visitor_comes():
    environ = os.environ | {"STREAMLIT_SERVER_HEADLESS": "true"}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", LOADED], cwd=root, env=environ, check=True)
