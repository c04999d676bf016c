"""The checkpoints that were fetched from the Hub, kept on disk so that they open without it.

CACHE/user--name/<commit>/     a checkpoint folder; it is moved in only when it has been verified
CACHE/user--name/refs/main     the commit that a revision meant when it was last fetched
CACHE/.partial-…               a download under way
"""

import contextlib
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from huggingface_hub.constants import DEFAULT_REVISION

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint, CheckpointError, Origin
from microgpt.data import cache_folder
from microgpt.hub.repo import RepoRef

COMMIT = re.compile(r"[0-9a-f]{40}")
CACHE_BYTES = 2 * 10**9
_PARTIAL = ".partial-"
_STALE_S = 24 * 3600  # no download lasts as long: its process was killed
_trimming = threading.Lock()


def operator_cache_folder() -> Path:
    """Where the repos that the operator names are kept."""
    return cache_folder() / "hub"


def visitor_cache_folder() -> Path:
    """Where the repos that visitors name are kept, apart from the operator's."""
    return cache_folder() / "visitors"


def _repo_folder(cache: Path, repo_id: str) -> Path:
    return cache / repo_id.replace("/", "--")  # no repo may have -- in its name


def open_copy(cache: Path, repo_id: str, commit: str) -> Checkpoint | None:
    """The copy of one commit, None where there is none or it no longer loads."""
    folder = _repo_folder(cache, repo_id) / commit
    if not COMMIT.fullmatch(commit) or not folder.is_dir():
        return None
    try:
        loaded = checkpoint.load(folder, Origin("hub", repo_id, commit))
    except CheckpointError:
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)
    return loaded


def cached(ref: RepoRef, cache_dir: Path | None = None) -> Checkpoint | None:
    """The newest copy on disk that loads, None where there is none; needs no network.

    A revision that is named must be the one asked for when the copy was fetched.
    """
    cache = cache_dir or operator_cache_folder()
    folder = _repo_folder(cache, ref.repo_id)
    revision = ref.revision or DEFAULT_REVISION
    commits = [revision]
    with contextlib.suppress(OSError):
        commits.append((folder / "refs" / quote(revision, safe="")).read_text(encoding="ascii"))
    if ref.revision is None:
        commits += [copy.name for copy in _newest_first(folder.glob("*"))]
    copies = (open_copy(cache, ref.repo_id, commit) for commit in dict.fromkeys(commits))
    return next((copy for copy in copies if copy is not None), None)


@contextlib.contextmanager
def partial_folder(cache: Path) -> Iterator[Path]:
    """A new folder to download into, on the cache's disk; what is left of it is removed."""
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def store(folder: Path, cache: Path, repo_id: str, commit: str) -> None:
    """Move a folder that was verified into the cache, in place of a copy that no longer loads.

    Other copies go when the cache is full. Raises OSError.
    """
    copy = _repo_folder(cache, repo_id) / commit
    copy.parent.mkdir(exist_ok=True)
    shutil.rmtree(copy, ignore_errors=True)
    try:
        os.replace(folder, copy)
    except OSError:
        if not copy.is_dir():  # or another session was faster
            raise
    trim_cache(cache, CACHE_BYTES, [copy])


def remember(cache: Path, ref: RepoRef, commit: str) -> None:
    """Note the commit that a branch or tag means today."""
    revision = ref.revision or DEFAULT_REVISION
    if revision != commit:
        path = _repo_folder(cache, ref.repo_id) / "refs" / quote(revision, safe="")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit, encoding="ascii")


def _newest_first(copies: Iterable[Path]) -> list[Path]:
    used = {copy: copy.stat().st_mtime for copy in copies if COMMIT.fullmatch(copy.name)}
    return sorted(used, key=lambda copy: used[copy], reverse=True)


def _bytes_in(folder: Path) -> int:
    """What a folder holds now; what another session moves away meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def trim_cache(folder: Path, max_bytes: int, keep: Collection[Path] = ()) -> None:
    """Delete the copies that were not used for longest, so that at most max_bytes are left.

    A copy in keep stays, whatever its size, and so do the downloads under way, which count too.
    A fetch that stores a new copy does this to its cache by itself.
    """
    # What another session deletes meanwhile is no harm: the next download trims again.
    with _trimming, contextlib.suppress(OSError):
        left = max_bytes
        for partial in folder.glob(f"{_PARTIAL}*"):
            with contextlib.suppress(OSError):
                if partial.stat().st_mtime < time.time() - _STALE_S:
                    shutil.rmtree(partial, ignore_errors=True)
            left -= _bytes_in(partial)
        copies = _newest_first(folder.glob("*--*/*"))
        for copy in sorted(copies, key=lambda copy: copy not in keep):
            left -= _bytes_in(copy)
            if left < 0 and copy not in keep:
                shutil.rmtree(copy, ignore_errors=True)
