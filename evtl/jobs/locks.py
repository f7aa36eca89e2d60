"""Locks that the system takes back from a process that ends, however it ends.

They belong to an open file, not to a process: a child that is born with the file open holds the
lock from its first moment on, and looking at a lock does not take it from anybody for good.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import TrainingError

#: Seconds between two tries, and those after which it is said that a lock cannot be had.
TRY_S, WAIT_S = 0.02, 10.0


def take(path: Path) -> int | None:
    """An open file that holds the lock until it is closed everywhere; None if another holds it.

    A folder that is made for it is its owner's alone: a job names the folder of its images.

    Raises
    ------
    OSError
        The file cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_taken(path: Path) -> bool:
    """Whether somebody holds the lock; any number may ask at once."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock until the end of the block, which is short everywhere.

    Raises
    ------
    TrainingError
        It cannot be had, or the disk does not allow it.
    """
    until = time.monotonic() + WAIT_S
    try:
        while (held := take(path)) is None:
            if time.monotonic() > until:
                msg = f"{path.parent} is in use; try again in a moment"
                raise TrainingError(msg)
            time.sleep(TRY_S)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise TrainingError(msg) from error
    try:
        yield
    finally:
        os.close(held)
