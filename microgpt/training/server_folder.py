"""A folder for the temporary files of one server, which does not outlive it for long."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from microgpt import locks

_LOCK = ".lock"


@contextlib.contextmanager
def server_folder(base: Path) -> Iterator[Path]:
    """Make a folder in `base` that no other server uses, and delete it at the end.

    The folders of servers that were killed are deleted first. A lock beside each folder, which the
    system releases when its server ends, says which these are. Raises OSError if no folder can be
    made.
    """
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    for lock in base.glob(f"*{_LOCK}"):
        folder = lock.with_suffix("")
        # The lock of a server that is about to make its folder stays.
        with contextlib.suppress(OSError), locks.locked(lock) as held:  # BlockingIOError is one
            if held and folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink()
    folder = base / secrets.token_hex(8)
    lock = folder.with_suffix(_LOCK)
    lock.touch(mode=0o600)
    with locks.locked(lock):
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                lock.unlink()
