"""Memory settings of the process."""

import ctypes
import functools
import gc
import platform
import sys

# From malloc.h, where it is called M_MMAP_THRESHOLD.
_MMAP_THRESHOLD = -3
_LARGE = 2**20  # bytes


def give_back_large_blocks() -> None:
    """Make malloc return freed arrays of 1 MiB or more to the system at once.

    Otherwise glibc keeps such blocks for each thread that Streamlit starts, and memory that the
    caches free stays in the process. Other C libraries do not need this.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


@functools.cache
def freeze_loaded_objects(page: str) -> None:
    """Exclude all objects in memory after a page's first run from later garbage collections.

    Modules, classes and functions live as long as the process. PyTorch and Streamlit create about
    270,000 such objects, and a full collection visits each of them.
    """
    gc.collect()
    gc.freeze()
