"""The web server: what it adds to Streamlit's own.

Streamlit serves an empty page, which a script in the browser fills. Programs that run no script,
such as those that preview shared links, get the title and the description that are added here.
The script that makes entries of the browser's history is added too, before Streamlit's own, and the
style sheets, so that a page is not drawn before they arrive.
"""

import asyncio
import re
import secrets
import threading
import webbrowser
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from html import escape
from importlib import import_module
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.stats import CacheStat
from streamlit.runtime.uploaded_file_manager import UploadedFile

from microgpt.ui import history
from microgpt.ui.frame import LAYOUT, theme_style

TITLE = "microGPT"
DESCRIPTION = (
    "A small GPT, trained from scratch, continues your text one character at a time. See what each "
    "head attends to, and how the model was trained."
)
BROWSER = "microgpt_browser"  # the cookie that all tabs of a browser share
# Limit for the uploaded files of all visitors, which Streamlit keeps while their tabs are open.
UPLOADED_BYTES = 128 * 2**20
# An upload that has not arrived after this many seconds no longer counts: a phone that loses its
# connection does not report it.
UPLOAD_S = 300.0
# The modules are loaded after this many seconds, so that a visitor who comes with the start of the
# server does not wait for the title.
_LOAD_AFTER_S = 0.5
_INDEX = Path(st.__file__).parent / "static" / "index.html"
_UPLOAD = "/_stcore/upload_file/"


def routes(pages: Iterable[str], base: str = "") -> list[Route]:
    """Routes of the pages with these paths, "" for the first one, with what is added to them.

    base: the path of the app on its host.
    """
    html = with_additions(_INDEX.read_text(encoding="utf-8"))

    async def page(request: Request) -> HTMLResponse:
        response = HTMLResponse(html, headers={"Cache-Control": "no-cache"})
        if BROWSER not in request.cookies:
            response.set_cookie(BROWSER, secrets.token_urlsafe(), httponly=True, samesite="lax")
        return response

    # The first page is at "/base/": its links are relative, so Streamlit redirects "/base" to it.
    prefix = f"/{base.strip('/')}" if base.strip("/") else ""
    return [Route(f"{prefix}/{path}", page) for path in pages]


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """When the server starts, load the pages' modules and open a browser.

    Loading takes seconds, and the first visitor would wait for it. Streamlit opens a browser only
    for an app without routes of its own.
    """
    # Otherwise Streamlit runs the first page of a server without app.py if a link leads there, so
    # nothing would be shown before the page's modules are loaded.
    PagesManager.uses_pages_directory = False
    loading = threading.Timer(_LOAD_AFTER_S, import_module, args=("microgpt.ui.page",))
    loading.daemon = True
    loading.start()
    if not st.get_option("server.headless"):
        webbrowser.open(f"http://localhost:{st.get_option('server.port')}")
    yield
    loading.cancel()


def with_additions(html: str) -> str:
    """Put the title, the description, the script and the style sheets into Streamlit's page."""
    title, description = escape(TITLE), escape(DESCRIPTION)
    tags = (
        f"<title>{title}</title>",
        f'<meta name="description" content="{description}">',
        f'<meta property="og:title" content="{title}">',
        f'<meta property="og:description" content="{description}">',
        '<meta property="og:type" content="website">',
        f"<script>{history.SCRIPT}</script>",
        theme_style(),
        f"<style>{LAYOUT.read_text(encoding='utf-8')}</style>",
    )
    return re.sub("<title>.*?</title>", lambda _: "\n    ".join(tags), html, count=1)


class LimitUploads:
    """Refuse an upload before it is read if the files of all visitors would be too large.

    `server.maxUploadSize` limits one file, but anyone may upload any number of files.
    """

    def __init__(self, app: ASGIApp, seconds: float = UPLOAD_S):
        self._app, self._seconds = app, seconds
        self._arriving = 0  # bytes of the uploads that are being read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or _UPLOAD not in scope["path"]:
            await self._app(scope, receive, send)
            return
        length = Request(scope).headers.get("content-length", "")
        if not length.isdecimal():
            await PlainTextResponse("The length is missing.", 411)(scope, receive, send)
            return
        size = int(length)
        if _uploaded() + self._arriving + size > UPLOADED_BYTES:
            await PlainTextResponse("Try again later.", 503)(scope, receive, send)
            return
        self._arriving += size
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                await self._app(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            await PlainTextResponse("The upload took too long.", 408)(scope, receive, send)
        finally:
            self._arriving -= size


def _uploaded() -> int:
    """The bytes of all uploaded files."""
    stats = runtime.get_instance().uploaded_file_mgr.get_stats()
    found = (each for family in stats.values() for each in family)
    return sum(each.byte_length for each in found if isinstance(each, CacheStat))


def forget_uploads(files: Iterable[UploadedFile]) -> None:
    """Delete files that this session uploaded, which Streamlit keeps while its tab is open."""
    context = get_script_run_ctx()
    manager = runtime.get_instance().uploaded_file_mgr
    if context is None or not isinstance(manager, MemoryUploadedFileManager):
        return
    for file in files:
        manager.remove_file(context.session_id, file.file_id)


MIDDLEWARE = [Middleware(LimitUploads)]
