"""How the process holds its memory."""

import ctypes
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
