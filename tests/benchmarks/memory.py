"""Memory of the app while one visitor opens each page, printed as JSON in MiB (Linux only).

Run: python tests/benchmarks/memory.py
"""

import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
PAGES = {
    "generate": ("", "characters after the prompt"),
    "attention, 256 characters": ("attention?text=" + "the%20sea" * 32, "share of the row"),
    "loss record": ("loss_record", "best validation"),
}


def status(pid: int, field: str) -> int:
    """A field of /proc/PID/status that is in kB, as MiB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"{field}:\s+(\d+) kB", text)[1]) // 1024


def healthy(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
    except OSError:
        return False
    return True


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while not healthy(url) and server.poll() is None:
            pass
        measured = {}
        with sync_playwright() as driver:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=arguments
            )
            page = browser.new_page()
            for name, (path, content) in PAGES.items():
                page.goto(f"{url}/{path}")
                page.get_by_text(content).first.wait_for(timeout=120_000)
                measured[name] = status(server.pid, "VmRSS")
            browser.close()
        measured["peak"] = status(server.pid, "VmHWM")
        print(json.dumps(measured))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
