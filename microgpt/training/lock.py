"""A lock on a file, which keeps two runs from writing to the same folder."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:  # Windows says so when another process has the lock
            raise BlockingIOError from error
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock on a file, which is created if it is missing and stays afterwards.

    The system releases the lock of a process that is killed. On a file system without locks, nobody
    is kept out. Raises BlockingIOError if the lock is held elsewhere, in this process too, and
    OSError if the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _lock(descriptor)
        except BlockingIOError:
            raise
        except OSError:  # the file system has no locks
            pass
        yield
    finally:
        os.close(descriptor)
