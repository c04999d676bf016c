"""Run the app in a server process, for benchmarks that open it in a browser (Linux only)."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


class Server:
    """A running app: its address and the memory of its process."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.port, self.url, self._pid = port, f"http://127.0.0.1:{port}", process.pid

    def mib(self, field: str = "VmRSS") -> int:
        """The value in MiB of a field of /proc/PID/status that is given in kB."""
        text = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"{field}:\s+(\d+) kB", text)[1]) // 1024

    @property
    def threads(self) -> int:
        """The number of threads of the server's process."""
        return len(list(Path(f"/proc/{self._pid}/task").iterdir()))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _healthy(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
    except OSError:
        return False
    return True


@contextmanager
def served(folder: Path = ROOT, log: IO[str] | None = None) -> Iterator[Server]:
    """Run the app of a checkout, with its bundled checkpoint, until the block ends.

    log: a file for what the server writes to stderr.
    """
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=log)
    try:
        server = Server(process, port)
        while not _healthy(server.url):
            if process.poll() is not None:
                raise RuntimeError("Streamlit did not start")
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()


@contextmanager
def chromium() -> "Iterator[Browser]":
    """Start a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=_ARGUMENTS)
        yield browser
        browser.close()
