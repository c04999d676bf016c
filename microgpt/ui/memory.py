"""How the process holds its memory."""

import ctypes
import functools
import gc
import platform
import sys

# From malloc.h, where it is called M_MMAP_THRESHOLD.
_MMAP_THRESHOLD = -3
_LARGE = 2**20  # bytes


def give_back_large_blocks() -> None:
    """Have every freed array of a MiB or more returned to the system at once.

    Else glibc comes to keep such blocks for each of the threads that Streamlit starts a run in,
    and what the caches let go stays with the process. Other C libraries do without.
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


@functools.cache
def freeze_loaded_objects(page: str) -> None:
    """Leave what is in memory after a page's first run out of every later garbage collection.

    Modules, classes and functions live as long as the process. PyTorch and Streamlit bring some
    270,000 such objects, and a full collection looks at each of them.
    """
    gc.collect()
    gc.freeze()
