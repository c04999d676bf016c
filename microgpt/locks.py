"""Locks on files and folders; the system releases the lock of a process that is killed."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, shared: bool) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:  # the error when another process holds the lock
            raise BlockingIOError from error
else:
    import fcntl

    def _lock(descriptor: int, shared: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[bool]:
    """Hold a lock on an existing file or folder; yield whether it is held.

    It is not held where none is possible: on a file system without locks, on a folder that cannot
    be read, and on any folder under Windows. Several holders may share a shared lock; it waits for
    the end of an exclusive one. An exclusive lock does not wait: it raises BlockingIOError if the
    lock is held elsewhere, in this process too. Raises OSError if the path cannot be opened.
    """
    is_folder = path.is_dir()
    if is_folder and (sys.platform == "win32" or not os.access(path, os.R_OK)):
        yield False
        return
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        held = True
        try:
            _lock(descriptor, shared)
        except BlockingIOError:
            raise
        except OSError:  # the file system has no locks
            held = False
        yield held
    finally:
        os.close(descriptor)
