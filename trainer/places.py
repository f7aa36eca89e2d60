"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import TrainingError

#: Names of what is not complete yet; a process that was killed leaves it behind.
DRAFTS = ".*.tmp"


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place to write to that takes the name `path`, of an older file too, once it is complete.

    Whenever the process ends, `path` is what it was before, or all of the new file.

    Raises
    ------
    TrainingError
        `path` is a folder, or cannot be written: a full disk, or one that does not allow it.
    """
    if path.is_dir() or not path.name:
        msg = f"cannot write to {str(path)!r}: it is a folder; name a file"
        raise TrainingError(msg)
    with _draft(path) as draft:
        yield draft
        _sync(draft)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A new folder to write into that takes the name `path` once it is complete.

    Raises
    ------
    TrainingError
        There is something of that name already, or it cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        msg = f"{path} is there already and not an empty folder; name a new one"
        raise TrainingError(msg)
    with _draft(path) as draft:
        draft.mkdir()
        yield draft


def remove(path: Path) -> None:
    """Remove a file or a folder with all that it holds, as far as that is possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise TrainingError(msg) from error
    finally:
        remove(draft)


def _sync(path: Path) -> None:
    """Make a file last, or a new name in a folder, on systems where a folder can be opened."""
    if os.name == "posix" or path.is_file():
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
