"""Files and folders that appear whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import TrainingError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place to write to that takes the name `path`, of an older file too, once it is complete.

    Raises
    ------
    TrainingError
        `path` is a folder, or cannot be written.
    """
    if path.is_dir() or not path.name:
        msg = f"cannot write to {str(path)!r}: it is a folder; name a file"
        raise TrainingError(msg)
    with _draft(path) as draft:
        yield draft


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


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".evtl-") as place:
            draft = Path(place) / path.name
            yield draft
            draft.replace(path)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise TrainingError(msg) from error
