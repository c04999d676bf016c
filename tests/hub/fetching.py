"""The result of a fetch from the loopback Hub."""

from pathlib import Path

from microgpt import hub
from microgpt.checkpoint import Checkpoint

REPO = "someone/small-model"


def loaded(fetch: hub.Fetch) -> Checkpoint:
    """Wait for a fetch that must succeed; return its checkpoint."""
    assert fetch.wait()
    assert fetch.error is None, fetch.error
    return fetch.loaded


def error(fetch: hub.Fetch) -> str:
    """Wait for a fetch that must fail; return its error, which is one sentence."""
    assert fetch.wait()
    assert fetch.loaded is None
    message = str(fetch.error)
    assert "\n" not in message and "Error" not in message
    return message


def wait_for_thread(fetch: hub.Fetch) -> None:
    """Wait until the thread of a fetch has ended."""
    fetch._thread.join(30)
    assert not fetch._thread.is_alive()


def copy_of(checkpoint: Checkpoint, cache: Path) -> Path:
    """The folder of the cache that holds a fetched checkpoint."""
    return cache / checkpoint.origin.name.replace("/", "--") / checkpoint.origin.commit


def cached_files(cache: Path) -> list[Path]:
    """All files below a cache folder, which need not exist."""
    return [path for path in cache.rglob("*") if path.is_file()]


def total_size(folder: Path) -> int:
    """The size of the files of a checkpoint folder in bytes."""
    return sum(path.stat().st_size for path in folder.iterdir())
