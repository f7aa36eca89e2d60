"""Starting a training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import APIRouter

router = APIRouter()


@contextmanager
def dispatching(runs: Path) -> Iterator[None]:
    """While this lasts, trainings that wait below `runs` are started one after the other."""
    yield
