"""Memory of a training: kept for the next batch, and how much it was at most.

A batch on the CPU allocates and frees the same large buffers again and again; by default glibc
returns each to the system, which then clears every page anew.
"""

import contextlib
import ctypes
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

from trainer.errors import TrainingError

T = TypeVar("T")

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


class PeakMemory:
    """Watches what a training takes at most, from when it is made.

    On a GPU that is what torch allocated there. On the CPU it is by how much the process grew
    beyond its size before its first training; a training that did not make the process larger than
    it ever was leaves no trace, and nothing is known of it.

    Parameters
    ----------
    device : torch.device
        Where the training runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._base, self._before = _before_any_training(), _largest_mb()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    def taken_mb(self) -> float | None:
        """Most memory taken since, in 10^6 bytes; None where it is not known."""
        if self._device.type == "cuda":
            return round(torch.cuda.max_memory_allocated(self._device) / 1e6, 1)
        largest = _largest_mb()
        return round(largest - self._base, 1) if largest > self._before else None


@cache
def _before_any_training() -> float:
    return _largest_mb()


def _largest_mb() -> float:
    """Largest resident size that the process ever had; 0 on a system that does not say.

    Linux says it in /proc; what its getrusage says is at least the size of the parent process.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource  # noqa: PLC0415  (Unix only)
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes, or KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def fitting_memory(work: Callable[[int], T], size: int, least: int = 1) -> tuple[T, int]:
    """Do some work on so many images at once, on half of them where memory runs out, and so on.

    Parameters
    ----------
    least : int
        Fewer images are not tried.

    Returns
    -------
    tuple
        What `work` returned, and the number of images with which it did.

    Raises
    ------
    TrainingError
        Not even the least number of images fits.
    """
    while True:
        try:
            return work(size), size
        except RuntimeError as error:
            if not _ran_out(error):
                raise
            if size <= least:
                at_once = "a single image" if size == 1 else f"{size} images at once"
                msg = (
                    f"memory runs out with {at_once}; take a smaller backbone or input_px, "
                    f"or another device ({str(error)[:200]})"
                )
                raise TrainingError(msg) from error
        # Not within the handler, where the failed work would still be held by the error.
        size = (size + 1) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _ran_out(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
