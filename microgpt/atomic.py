"""A folder that is written whole or not at all, at whatever snapshot its writer is killed."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where what a killed writer leaves behind stays
    fcntl = None

_PARTIAL = ".partial"


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a new folder to fill, which then takes the place of `folder`; none does on an error.

    What writers of the same folder left behind when they were killed is removed in the end.
    Raises OSError when the folder cannot be written.
    """
    folder = folder.resolve()  # a link to a folder stays one
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _writing_in(folder.parent) as lock:
        new = tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=_PARTIAL, dir=folder.parent)
        partial = Path(new)
        try:
            partial.chmod(0o755)
            yield partial
            for path in partial.iterdir():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
            _put_in_place(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            _remove_leftovers(folder, lock)


@contextlib.contextmanager
def _writing_in(parent: Path) -> Iterator[int | None]:
    """Hold the lock on parent that all who write folders there share; None where there is none.

    The system takes it from a process that is killed.
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
    except OSError:  # held by others, or unknown to the file system
        return False
    return True


def _remove_leftovers(folder: Path, lock: int) -> None:
    """Delete the partial folders beside `folder`, unless one may be of a writer at work."""
    if not _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return
    name = re.compile(rf"\.{re.escape(folder.name)}\.\w{{8}}{re.escape(_PARTIAL)}(\.old)?")
    for path in folder.parent.iterdir():
        if name.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def _put_in_place(new: Path, folder: Path) -> None:
    """Rename new to folder; what had that name is deleted, or back in its place on failure.

    No folder is renamed to a name that exists, which Windows refuses.
    """
    old = new.with_name(f"{new.name}.old")
    try:
        if folder.is_dir():
            os.replace(folder, old)
        os.replace(new, folder)
    except BaseException:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
