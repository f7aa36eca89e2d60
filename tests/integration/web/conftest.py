"""A web page of the test's own: its store, its runs, its folder of images."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.store import Store
from evtl.web.settings import Settings
from tests.integration.web.visiting import TOKEN, Visit


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Settings:
    """Settings of a page on loopback, with a folder of images and one of runs."""
    assert store.path.is_file()
    (tmp_path / "images").mkdir()
    (tmp_path / "runs").mkdir()
    return Settings(token=TOKEN, data_root=tmp_path / "images", runs=tmp_path / "runs")


@pytest.fixture
def visit(served: Settings) -> Iterator[Visit]:
    """A visitor who is not signed in."""
    visitor = Visit(served)
    with visitor.client:
        yield visitor
