"""Write a file or a folder atomically: completely or not at all, even if the process is killed."""

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from microgpt.locks import locked

_PARTIAL, _OLD = ".partial", ".old"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a new file or folder, which then replaces `path`.

    The new file, or every file of the new folder, is flushed to disk before the rename to `path`.
    After an error, `path` is unchanged. Missing parents of `path` are created. At the end, files
    that killed processes left for the same path are removed, except under Windows, where folders
    have no locks.

        with replacing(Path("words.txt")) as partial:
            partial.write_text("new words")

    Raises OSError when the path cannot be written.
    """
    path = _target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent, shared=True):
        partial = _partial(path)
        try:
            yield partial
            _sync(partial)
            _put_in_place(partial, path)
        except OSError as error:
            error.filename = _final(error.filename, partial, path)
            raise
        finally:
            _remove(partial)
    # Another process may be writing in the folder, or may have deleted it.
    with contextlib.suppress(BlockingIOError, FileNotFoundError), locked(path.parent) as alone:
        if alone:
            for left in _leftovers(path):
                _remove(left)


def put_back(path: Path) -> None:
    """Put back the folder at `path` if a process was killed while it replaced that folder.

    To replace a folder, `replacing` first moves the old one aside. Call this before the folder is
    opened. Nothing happens if there is something at `path`, if another process is writing beside
    it, and where folders have no locks.
    """
    with contextlib.suppress(OSError, ValueError):  # a null character makes it no valid path
        if os.path.lexists(path := _target(path)):
            return
        with locked(path.parent) as alone:
            moved = [each for each in _leftovers(path) if each.name.endswith(_OLD)]
            if alone and moved and not path.exists():
                os.replace(max(moved, key=lambda each: each.stat().st_mtime), path)


def check_folder(path: Path) -> None:
    """Raise OSError if `replacing` could not write a folder at `path`, before it is computed.

    Missing parents of `path` are created.
    """
    path = _target(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    # Its name is as long as that of an old folder, but put_back ignores it.
    longest = partial.with_name(f"{partial.name}.new")
    longest.mkdir()
    longest.rmdir()


def _target(path: Path) -> Path:
    """The path to write: the target of a symbolic link. Raises OSError for a loop of links."""
    try:
        found = path.resolve()
        is_loop = found.is_symlink()  # since Python 3.13, which resolves a loop to one of its links
    except RuntimeError:
        is_loop = True
    if is_loop:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return found


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PARTIAL}")


def _old(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}{_OLD}")


def _final(name: object, partial: Path, path: Path) -> object:
    """The name of a file that an error names, at its final place if it is a partial one."""
    if isinstance(name, str) and Path(name).is_relative_to(partial):
        return str(path / Path(name).relative_to(partial))
    return name


def _sync(path: Path) -> None:
    for file in (path, *path.rglob("*")) if path.is_dir() else (path,):
        if not file.is_dir():
            # Windows flushes only files that are open for writing.
            with open(file, "r+b") as opened:
                os.fsync(opened.fileno())


def _remove(path: Path) -> None:
    """Delete a file or a folder if it exists; ignore errors."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _leftovers(path: Path) -> list[Path]:
    """The files and folders for `path` that killed processes left."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.\w{{8}}{re.escape(_PARTIAL)}(\.old|\.new)?")
    return [other for other in path.parent.iterdir() if pattern.fullmatch(other.name)]


def _put_in_place(new: Path, path: Path) -> None:
    """Rename new to path.

    An existing folder is moved aside first, because a rename cannot replace a folder that is not
    empty. Afterwards it has the name of `new`, or is moved back on failure.
    """
    old = _old(new)
    try:
        if new.is_dir() and path.is_dir():
            os.replace(path, old)
        os.replace(new, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise
    if old.exists():  # a folder with the name of an old one is always complete
        os.replace(old, new)
