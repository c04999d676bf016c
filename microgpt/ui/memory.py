"""Memory settings of the process."""

import ctypes
import functools
import gc
import platform
import sys

# From malloc.h, where it is called M_MMAP_THRESHOLD.
_MMAP_THRESHOLD = -3
_LARGE = 2**20  # bytes


def release_large_blocks() -> None:
    """Make malloc return freed blocks of 1 MiB or more to the operating system at once.

    Otherwise glibc keeps such blocks for each thread that Streamlit starts, and memory that the
    caches free stays in the process. Only glibc does this.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


@functools.cache
def freeze_loaded_objects(page: str) -> None:
    """After the first run of a page, exclude all objects in memory from garbage collection.

    Modules, classes and functions live as long as the process. PyTorch and Streamlit create about
    270,000 such objects, and a full collection visits each of them.
    """
    gc.collect()
    gc.freeze()
