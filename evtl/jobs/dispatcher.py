"""Starts the next job when the device is free, and goes on with one whose worker was killed."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import EvtlError
from evtl.jobs.locks import take
from evtl.jobs.queue import JobFolder, Queue, now
from evtl.jobs.records import Started

LOG = logging.getLogger("evtl.jobs")
#: Seconds between two looks at what waits.
LOOK_S = 0.5
#: Workers that are started for a job before it is given up.
MOST_STARTS = 3


@contextmanager
def dispatching(runs: Path) -> Iterator[None]:
    """While this lasts, jobs below `runs` are started one after the other.

    Those that run when it ends go on. Of several at a time, one does the work.
    """
    over = threading.Event()
    thread = threading.Thread(target=_dispatch, args=(Queue(runs), over), name="jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _dispatch(queue: Queue, over: threading.Event) -> None:
    while not over.is_set():
        try:
            _look(queue, over)
        except (EvtlError, OSError) as error:  # a full disk: it may have a place again later
            LOG.warning("no training can be started: %s", error)
        over.wait(LOOK_S)


def _look(queue: Queue, over: threading.Event) -> None:
    """Start what waits, unless another server does."""
    if not queue.path.is_dir() or (held := take(queue.dispatcher_lock)) is None:
        return
    try:
        while not over.is_set():
            start_next(queue)
            over.wait(LOOK_S)
    finally:
        os.close(held)


def start_next(queue: Queue) -> JobFolder | None:
    """Start a worker for the job that waits longest; None if none does, or one is at work.

    Raises
    ------
    EvtlError, OSError
        The disk or the system does not allow it.
    """
    if (device := take(queue.device_lock)) is None:
        return None
    try:
        return next((each for each in queue.waiting() if _start(queue, each, device)), None)
    finally:
        os.close(device)


def _start(queue: Queue, job: JobFolder, device: int) -> bool:
    """Whether the worker was started: not one of a job that has ended meanwhile, or died often."""
    if (own := take(job.lock)) is None:
        return False
    try:
        n = job.started.n if job.started else 0
        if job.ended is not None:
            return False
        if job.cancel_asked:
            job.end("cancelled")
            return False
        if n >= MOST_STARTS:
            job.end("failed", f"its process was ended {n} times from outside, e.g. for memory")
            return False
        job.keep("started.json", Started(n=n + 1, at=now()))
        _spawn(queue, job, (device, own))
        return True
    finally:
        os.close(own)


def _spawn(queue: Queue, job: JobFolder, locks: tuple[int, int]) -> None:
    """A process of its own, which outlives this one and holds the locks as long as it lives."""
    with open(job.log, "ab", opener=_for_its_owner) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "evtl.jobs", str(queue.runs), job.run.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=locks,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # its end is taken note of


def _for_its_owner(path: str, flags: int) -> int:
    """Open a log that nobody else may read: it may name files as their owner does."""
    return os.open(path, flags, 0o600)
