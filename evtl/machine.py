"""What this machine has."""

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from evidence.records import RunRecord

#: Limit that a container sets to the memory of all its processes, in bytes, or ``max``.
CGROUP = Path("/sys/fs/cgroup/memory.max")


def memory_mb(runs: Sequence[RunRecord]) -> float | None:
    """Memory of the device that trainings are predicted for, in 10^6 bytes; None if not known.

    That is the device of the last finished run: without one nothing is predicted for a GPU.
    """
    finished = [run for run in runs if run.status == "finished"]
    last = max(finished, key=lambda run: (run.started_at, run.run_id), default=None)
    n_bytes = _ram_bytes() if last is None or last.device == "cpu" else _gpu_bytes()
    return None if n_bytes is None else n_bytes / 1e6


def _ram_bytes() -> int | None:
    """Of the machine, or what a container is allowed of it."""
    found: list[int] = []
    with suppress(AttributeError, ValueError, OSError):  # not every system tells
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ValueError, OSError):
        found.append(int(CGROUP.read_text(encoding="ascii")))
    return min(found, default=None)


class _Memory(ctypes.Structure):
    """``nvmlMemory_t`` of NVIDIA's management library."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


def _gpu_bytes() -> int | None:
    """Of the first GPU, asked of the driver: torch takes seconds to import."""
    try:
        driver = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    device, memory = ctypes.c_void_p(), _Memory()
    failed = (
        driver.nvmlInit_v2()
        or driver.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device))
        or driver.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory))
    )
    return None if failed else int(memory.total)
