"""Keep freed memory for the next batch instead of handing it back to the system.

A batch on the CPU allocates and frees the same large buffers again and again; by default glibc
returns each to the system, which then clears every page anew.
"""

import ctypes
import sys

# Names and numbers of glibc's <malloc.h>.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_LARGEST = 2**31 - 1
_TOP_PAD_BYTES = 256 * 2**20


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed memory; does nothing with another C library.

    Returns
    -------
    bool
        Whether the C library took the advice.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    advice = (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _LARGEST), (_M_TOP_PAD, _TOP_PAD_BYTES)
    return all(mallopt(option, value) == 1 for option, value in advice)
