"""Two replicas of the app behind Caddy, with the configuration of docs/hosting."""

import urllib.request
from contextlib import ExitStack

from tests.benchmarks.serving import served
from tests.benchmarks.visitor import Visitor
from tests.caddy import caddy, needs_caddy


def replica_of(url: str, cookie: str = "") -> str:
    """The cookie that names a visitor's replica. cookie: the one that the visitor has already."""
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert b"<title>" in answer.read()
        cookies = [each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie", [])]
        return next((each for each in cookies if each.startswith("replica=")), cookie)


@needs_caddy
def test_a_visitor_stays_with_a_replica_until_it_stops():
    with ExitStack() as first, served() as second:
        replicas = [first.enter_context(served()), second]
        addresses = " ".join(f"127.0.0.1:{replica.port}" for replica in replicas)
        with caddy("Caddyfile", {"REPLICAS": addresses}) as url:
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
