"""Write a file or a folder atomically: completely or not at all, even if the process is killed."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows, partial files of killed processes are not removed
    fcntl = None  # type: ignore[assignment]

_PARTIAL = ".partial"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a new file or folder, which then replaces `path`.

    The new file, or every file of the new folder, is flushed to disk before the rename to `path`.
    After an error, `path` is unchanged. Partial files of killed processes for the same path are
    removed at the end. Missing parents of `path` are created.

        with replacing(Path("words.txt")) as partial:
            partial.write_text("new words")

    Raises OSError when the path cannot be written.
    """
    path = path.resolve()  # write to the target of a symbolic link
    path.parent.mkdir(parents=True, exist_ok=True)
    with _writing_in(path.parent) as lock:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PARTIAL}")
        try:
            yield partial
            _sync(partial)
            _put_in_place(partial, path)
        finally:
            _remove(partial)
        if lock is not None:
            _remove_leftovers(path, lock)


def _sync(path: Path) -> None:
    for file in (path, *path.rglob("*")) if path.is_dir() else (path,):
        if not file.is_dir():
            with open(
                file, "r+b"
            ) as opened:  # Windows flushes only files that are open for writing
                os.fsync(opened.fileno())


def _remove(path: Path) -> None:
    """Delete a file or a folder if it exists; ignore errors."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing_in(parent: Path) -> Iterator[int | None]:
    """Hold a shared lock on a folder while writing into it; yield None if locks are unsupported.

    The system releases the lock of a process that is killed.
    """
    with contextlib.ExitStack() as stack:
        lock = None
        if fcntl is not None and os.access(parent, os.R_OK):
            lock = os.open(parent, os.O_RDONLY)
            stack.callback(os.close, lock)
        yield lock if lock is not None and _locked(lock, fcntl.LOCK_SH) else None


def _locked(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind)
    except OSError:  # held by another process, or not supported by the file system
        return False
    return True


def _remove_leftovers(path: Path, lock: int) -> None:
    """Delete partial files and folders beside `path`, unless another process is writing there."""
    if not _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return
    name = re.compile(rf"\.{re.escape(path.name)}\.\w{{8}}{re.escape(_PARTIAL)}(\.old)?")
    for other in path.parent.iterdir():
        if name.fullmatch(other.name):
            _remove(other)


def _put_in_place(new: Path, path: Path) -> None:
    """Rename new to path.

    An existing folder is moved aside first, because a rename cannot replace a folder that is not
    empty. It is deleted afterwards, or moved back on failure.
    """
    old = new.with_name(f"{new.name}.old")
    try:
        if new.is_dir() and path.is_dir():
            os.replace(path, old)
        os.replace(new, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise
    _remove(old)
