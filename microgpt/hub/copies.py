"""Copies of checkpoints from the Hub on disk, which can be opened without the Hub.

CACHE/user--name/<commit>/         a checkpoint folder, put here only after it was verified
CACHE/user--name/refs/main         the commit that a branch or tag pointed to at the last fetch
CACHE/user--name/.<commit>.*.partial   a download in progress, or one that was killed

The cache of the Hub client (tested with huggingface_hub 2.4) is not used, for these reasons. It
stores a file before the file can be verified, and keeps returning a file with wrong bytes. Offline,
it treats a snapshot with one file as the whole repo. `scan_cache_dir` does not count downloads in
progress. A second download of a file waits for the lock of the first, even if the first one hangs.
"""

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from urllib.parse import quote

from huggingface_hub.constants import DEFAULT_REVISION

from microgpt import atomic, checkpoint
from microgpt.checkpoint import AnyCheckpoint, CheckpointError, Origin
from microgpt.data import cache_folder
from microgpt.formats import FormatError, decode
from microgpt.hub.repo import RepoRef

COMMIT = re.compile(r"[0-9a-f]{40}")
CACHE_BYTES = 2 * 10**9
_STALE_S = 24 * 3600  # far longer than any deadline, so the process must have been killed
_trimming = threading.Lock()


def operator_cache_folder() -> Path:
    """Return the cache folder for repos that the operator names."""
    return cache_folder() / "hub"


def visitor_cache_folder() -> Path:
    """Return the cache folder for repos that visitors name, apart from the operator's."""
    return cache_folder() / "visitors"


def copy_folder(cache: Path, repo_id: str, commit: str) -> Path:
    """Return the folder in which the copy of a commit is kept."""
    # The mapping is one to one, because the Hub allows no "--" in a name.
    return cache / repo_id.replace("/", "--") / commit


def open_copy(
    cache: Path,
    repo_id: str,
    commit: str,
    load: Callable[[Path, Origin], AnyCheckpoint] = checkpoint.load_any,
) -> AnyCheckpoint | None:
    """Load the copy of a commit; return None if there is none or it is damaged."""
    folder = copy_folder(cache, repo_id, commit)
    if not COMMIT.fullmatch(commit) or not folder.is_dir():
        return None
    try:
        loaded = load(folder, Origin("hub", repo_id, commit))
    except CheckpointError:
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)  # the time of last use, for trim_cache
    return loaded


def cached(ref: RepoRef, cache_dir: Path | None = None) -> AnyCheckpoint | None:
    """Load the best copy of a repo without the network; return None if there is none.

    With a revision, this is the copy of the commit that the revision pointed to at the last fetch.
    Without one, it is the copy of the main branch, or else the most recently used copy.
    """
    cache = cache_dir or operator_cache_folder()
    revision = ref.revision or DEFAULT_REVISION
    commits = [revision]
    with contextlib.suppress(OSError, FormatError):
        path = _ref_file(cache, ref.repo_id, revision)
        commits.append(decode(path.name, path.read_bytes()))
    if ref.revision is None:
        repo = copy_folder(cache, ref.repo_id, "")
        commits += [copy.name for copy in _last_used_first(repo.glob("*"))]
    copies = (open_copy(cache, ref.repo_id, commit) for commit in dict.fromkeys(commits))
    return next((copy for copy in copies if copy is not None), None)


def remember(cache: Path, ref: RepoRef, commit: str) -> None:
    """Record the commit that a branch or tag points to. Raises OSError."""
    revision = ref.revision or DEFAULT_REVISION
    if revision != commit:
        with atomic.replacing(_ref_file(cache, ref.repo_id, revision)) as partial:
            partial.write_text(commit, encoding="ascii")


def trim_cache(cache: Path, max_bytes: int, keep: Collection[Path] = ()) -> None:
    """Delete the least recently used copies until the cache holds at most max_bytes.

    The copies in keep and the downloads in progress count, but are not deleted. The files of a
    killed download are deleted after a day, the folder of a repo with its last copy.
    """
    # Another process may delete the same files. Errors are ignored, because the next download
    # trims again.
    with _trimming, contextlib.suppress(OSError):
        left = max_bytes
        for partial in cache.glob("*--*/.*.partial*"):
            with contextlib.suppress(OSError):
                if partial.stat().st_mtime < time.time() - _STALE_S:
                    shutil.rmtree(partial, ignore_errors=True)
            left -= _bytes_in(partial)
        copies = _last_used_first(cache.glob("*--*/*"))
        for copy in sorted(copies, key=lambda copy: copy not in keep):
            left -= _bytes_in(copy)
            if left < 0 and copy not in keep:
                shutil.rmtree(copy, ignore_errors=True)
        for repo in cache.glob("*--*"):
            with contextlib.suppress(OSError):
                if [child.name for child in repo.iterdir()] == ["refs"]:
                    shutil.rmtree(repo / "refs", ignore_errors=True)
                    repo.rmdir()  # fails if a download has just begun there


def _ref_file(cache: Path, repo_id: str, revision: str) -> Path:
    return copy_folder(cache, repo_id, "refs") / quote(revision, safe="")


def _last_used_first(folders: Iterable[Path]) -> list[Path]:
    """Sort the folders that are copies of a commit; skip a folder that was just deleted."""
    used = {}
    for folder in folders:
        if COMMIT.fullmatch(folder.name):
            with contextlib.suppress(OSError):
                used[folder] = folder.stat().st_mtime
    return sorted(used, key=lambda copy: used[copy], reverse=True)


def _bytes_in(folder: Path) -> int:
    """Sum the sizes of all files below a folder; skip a file that was just deleted."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
