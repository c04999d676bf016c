from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from microgpt import hub
from microgpt.checkpoint import WEIGHTS
from tests.hub.fetching import REPO
from tests.loopback_hub import LoopbackHub, running


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A Hub on loopback without a repo."""
    with running(monkeypatch) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache folder of the test's fetches; it does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def start_fetch(server: LoopbackHub, cache: Path) -> Callable[..., hub.Fetch]:
    """Start to fetch a repo from the loopback Hub, by default REPO into the cache."""

    def start(ref: str = REPO, **options) -> hub.Fetch:
        options = {"token": False, "cache_dir": cache, **options}
        return hub.Fetch(hub.parse_repo(ref), endpoint=server.url, **options)

    return start


@pytest.fixture
def slow_fetch(server: LoopbackHub, tiny_checkpoint: Path, start_fetch) -> hub.Fetch:
    """A fetch of REPO that stops at half of the weights until server.released is set."""
    server.add(REPO, tiny_checkpoint)
    server.fail("slow", "GET", WEIGHTS)
    fetch = start_fetch()
    assert server.trickling.wait(30)
    return fetch


@pytest.fixture
def files(tiny_checkpoint: Path) -> dict[str, bytes]:
    """The content of each file of the small checkpoint, which a test may change."""
    return {path.name: path.read_bytes() for path in tiny_checkpoint.iterdir()}
