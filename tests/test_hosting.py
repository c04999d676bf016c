"""Two replicas of the app behind Caddy, with the configuration of docs/hosting."""

import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.serving import Server, free_port, served
from tests.benchmarks.visitor import Visitor

CADDYFILE = Path(__file__).parents[1] / "docs" / "hosting" / "Caddyfile"
pytestmark = pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed")


@contextmanager
def proxied(replicas: list[Server]) -> Iterator[str]:
    """Run Caddy in front of these replicas; the address of the site."""
    port = free_port()
    site = {
        "SITE": f"http://127.0.0.1:{port}",
        "REPLICAS": " ".join(f"127.0.0.1:{replica.port}" for replica in replicas),
    }
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", "-"]
    text = "{\n\tadmin off\n}\n" + CADDYFILE.read_text(encoding="utf-8")
    caddy = subprocess.Popen(
        command, env=os.environ | site, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        caddy.stdin.write(text)
        caddy.stdin.close()
        while True:
            try:
                urllib.request.urlopen(site["SITE"], timeout=5).close()
                break
            except OSError:
                assert caddy.poll() is None, "Caddy did not start"
                time.sleep(0.1)
        yield site["SITE"]
    finally:
        caddy.terminate()
        caddy.wait()


def replica_of(url: str, cookie: str = "") -> str:
    """The cookie that names the replica of a visitor, who has this one already."""
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert b"<title>" in answer.read()
        cookies = [each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie", [])]
        return next((each for each in cookies if each.startswith("replica=")), cookie)


def test_a_visitor_stays_with_a_replica_until_it_stops():
    with ExitStack() as first, served() as second:
        replicas = [first.enter_context(served()), second]
        with proxied(replicas) as url:
            visitors = {replica_of(url) for _ in range(40)}  # Caddy chooses at random
            assert len(visitors) == 2
            for cookie in visitors:
                assert replica_of(url, cookie) == cookie
                with Visitor(url, query="length=20", cookie=cookie) as visitor:
                    visitor.run()
            first.close()
            assert len({replica_of(url, cookie) for cookie in visitors}) == 1
            for cookie in visitors:
                with Visitor(url, query="length=20", cookie=cookie) as visitor:
                    visitor.run()
