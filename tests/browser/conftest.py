"""Chromium, and a server of the app."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from microgpt.checkpoint import AnyCheckpoint, load_any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
# The headless shell opens a page in little more than half the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DESKTOP = {"width": 1280, "height": 900}
REQUIRED = "MICROGPT_REQUIRE_BROWSER" in os.environ or os.environ.get("CI") == "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a failed browser test once more; the summary of pytest counts such tests.

    On a busy machine a click may be lost, or a page may move between an action and an assertion.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skipped browser test into a failed one where a browser is required."""
    report = yield
    if REQUIRED and report.skipped and item.get_closest_marker("browser"):
        _, _, reason = report.longrepr
        report.outcome, report.longrepr = "failed", f"a browser test must run here: {reason}"
    return report


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Headless Chromium, one for each module.

    One for the session would leave Playwright's event loop running in this thread for other tests.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser is installed: none of {', '.join(BROWSERS)} was found")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: "Browser") -> "Iterator[Callable[..., Page]]":
    """Open a page as another visitor; options are those of Playwright's new_context."""
    with ExitStack() as contexts:

        def open_page(**options: Any) -> "Page":
            context = browser.new_context(**{"viewport": DESKTOP, **options})
            contexts.callback(context.close)
            context.set_default_timeout(60_000)
            return context.new_page()

        yield open_page


@pytest.fixture
def page(new_page: "Callable[..., Page]") -> "Page":
    """A page with the size of a desktop screen."""
    return new_page()


@pytest.fixture
def phone(new_page: "Callable[..., Page]") -> "Page":
    """A page on the touch screen of a phone."""
    return new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)


@contextmanager
def _serve(log: Path, env: Mapping[str, str], root: Path, base: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}" + (base and f"/{base}")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MICROGPT_")}
    clean["MICROGPT_CACHE"] = os.environ["MICROGPT_CACHE"]  # a folder of the tests
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    command += [f"--server.baseUrlPath={base}"] if base else []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with open(log, "wb") as output:
        server = subprocess.Popen(
            command, cwd=root, env={**clean, **env}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        give_up = time.monotonic() + 600
        while True:
            try:
                opener.open(f"{url}/_stcore/health", timeout=5).close()
                break
            except OSError as error:
                if server.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"Streamlit did not start:\n{log.read_text()}") from error
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.1)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="session")
def app_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., AbstractContextManager[str]]:
    """Start the app on a free port: `with app_server({"NAME": "value"}) as url:`.

    The environment is that of this process, plus env; of MICROGPT_*, only the cache folder is kept.
    root is the folder that holds app.py, base the path of the app on its host. The server stops at
    the end of the block.
    """

    def start(env: Mapping[str, str] | None = None, root: Path = ROOT, base: str = ""):
        return _serve(tmp_path_factory.mktemp("server") / "log.txt", env or {}, root, base)

    return start


@pytest.fixture(scope="module")
def folder(tiny_checkpoint: Path) -> Path:
    """The checkpoint of the server; a module may have another one in place of the small one."""
    return tiny_checkpoint


@pytest.fixture(scope="module")
def loaded(folder: Path) -> AnyCheckpoint:
    """The checkpoint that the server shows."""
    return load_any(folder)


@pytest.fixture(scope="module")
def server(app_server: Callable[..., AbstractContextManager[str]], folder: Path) -> Iterator[str]:
    """The address of a server that shows the checkpoint."""
    with app_server({"MICROGPT_CHECKPOINT": str(folder)}) as url:
        yield url
