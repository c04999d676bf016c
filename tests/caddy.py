"""Run Caddy with a configuration of docs/hosting."""

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.serving import free_port

HOSTING = Path(__file__).parents[1] / "docs" / "hosting"
needs_caddy = pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed")


@contextmanager
def caddy(file: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Run Caddy with this file of docs/hosting; the address of the site, which answers.

    environment: the variables of the file, except SITE.
    """
    site = f"http://127.0.0.1:{free_port()}"
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", "-"]
    text = "{\n\tadmin off\n}\n" + (HOSTING / file).read_text(encoding="utf-8")
    process = subprocess.Popen(
        command,
        env=os.environ | environment | {"SITE": site},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        process.stdin.write(text)
        process.stdin.close()
        while not _answers(site):
            assert process.poll() is None, "Caddy did not start"
            time.sleep(0.1)
        yield site
    finally:
        process.terminate()
        process.wait()


def _answers(site: str) -> bool:
    try:
        urllib.request.urlopen(site, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
