"""What goes in comes out: cells, rows, files and change sets, whatever valid text they hold."""

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event

from evidence import changes, export
from evidence.changes import Changes, Reason
from evidence.codecs import CODECS
from evidence.errors import EvidenceError, Problem
from evidence.ingest import broken_links, duplicates, load, load_corpus, read_file
from evidence.schema import metadata
from evidence.shipped import FILES, shipped
from tests.unit.evidence.corpora import Cells, Tables, cell, corpora, lines

WHY = Reason("anna", "to see", "import")
#: Corpora are large for what Hypothesis draws; that is no fault of theirs.
SOME = settings(max_examples=100, suppress_health_check=list(HealthCheck))
FEW = settings(SOME, max_examples=60)
NIGHTLY = settings(SOME, max_examples=2000)


def _engine() -> Engine:
    """Empty tables in memory, guarded as those of a store are."""
    engine = create_engine("sqlite://", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = 1")

    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    metadata.create_all(engine)
    return engine


ENGINE = _engine()


@contextmanager
def empty() -> Iterator[Connection]:
    """Tables without rows; what is written is taken back."""
    with ENGINE.connect() as connection:
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


@contextmanager
def loaded(tables: Tables) -> Iterator[Connection]:
    with empty() as connection:
        load(connection, lines(tables))
        yield connection


def spelt(name: str, rows: list[Cells]) -> list[Cells]:
    """Cells as the store writes them, of cells as somebody wrote them."""
    codec = CODECS[name]
    return [codec.cells(codec.model.model_validate(cells)) for cells in rows]


def by_key(name: str, rows: list[Cells]) -> list[Cells]:
    return sorted(rows, key=lambda cells: [cells[c] for c in CODECS[name].model.natural_key])


def digest(connection: Connection) -> str:
    return export.digest(export.rows(connection))


# ---- rows


def check_rows(tables: Tables) -> None:
    """Every row survives its own cells, and every cell the tables."""
    found = lines(tables)
    assert [*duplicates(found), *broken_links(found, {})] == []
    for name, rows in found.items():
        for row in (line.row for line in rows):
            assert list(CODECS[name].problems(row)) == []
            assert type(row).model_validate(row.cells()) == row
    with loaded(tables) as connection:
        stored = export.rows(connection)
        for name, codec in CODECS.items():
            assert by_key(name, stored[name]) == by_key(name, spelt(name, tables[name]))
            assert spelt(name, stored[name]) == stored[name]
            everything = codec.read(connection)
            assert codec.read(connection, list(everything)) == everything
            for key in everything:
                assert codec.read(connection, [key]) == {key: everything[key]}


@SOME
@given(corpora())
def test_rows_come_out_of_the_tables_as_they_went_in(tables: Tables) -> None:
    check_rows(tables)


@pytest.mark.parametrize("name", CODECS)
def test_every_column_is_drawn_filled(name: str) -> None:
    """A generator of the same few cells would test nothing."""
    for column in CODECS[name].model.model_fields:
        assert find(cell(name, column), lambda text: bool(text.strip()))


# ---- files


def written(name: str, rows: list[Cells]) -> bytes:
    return export.as_csv({name: rows})[name].encode()


def read(name: str, data: bytes) -> list[Cells]:
    problems: list[Problem] = []
    found = read_file(name, data, CODECS[name], problems)
    assert problems == []
    return [line.row.cells() for line in found]


def check_files(tables: Tables) -> None:
    """What is written as CSV, JSON or archive is read as the same rows."""
    for name, rows in tables.items():
        plain = [line.row.cells() for line in lines(tables)[name]]
        assert read(name, written(name, rows)) == plain
        assert read(name, b"\xef\xbb\xbf" + written(name, plain)) == plain
    assert json.loads(export.as_json(tables)) == tables
    packed = export.archive(tables)
    assert export.from_archive(packed) == tables
    assert export.archive(export.from_archive(packed)) == packed


def test_columns_that_an_older_release_does_not_have_are_empty() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as target:
        target.writestr("backbones.csv", "backbone,family,note\nA-1,A,first\n")
    (row,) = export.from_archive(data.getvalue())["backbones.csv"]
    assert list(row) == list(CODECS["backbones.csv"].model.model_fields)
    assert {name: cell for name, cell in row.items() if cell} == {
        "backbone": "A-1", "family": "A", "note": "first",
    }  # fmt: skip


@SOME
@given(corpora())
def test_files_read_back_hold_the_same_rows(tables: Tables) -> None:
    check_files(tables)


def check_digest(tables: Tables, random: Random) -> None:
    """The digest is of the rows, not of their order."""
    shuffled = {name: random.sample(rows, len(rows)) for name, rows in tables.items()}
    with loaded(tables) as connection:
        first = digest(connection)
    with loaded(shuffled) as connection:
        assert digest(connection) == first
    for name, rows in tables.items():
        if rows:
            assert export.digest({**tables, name: rows[1:]}) != export.digest(tables)


@FEW
@given(corpora(most=3), st.randoms(use_true_random=False))
def test_the_digest_is_of_the_rows_and_not_of_their_order(tables: Tables, random: Random) -> None:
    check_digest(tables, random)


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_file_exports_to_itself(name: str) -> None:
    with empty() as connection:
        load_corpus(connection, shipped("data"))
        found = export.as_csv(export.rows(connection))[name]
    assert found.encode() == (shipped("data") / name).read_bytes()


def test_a_file_is_written_as_the_standard_library_would() -> None:
    """But for a lone carriage return, which the older of them leave bare."""
    rows = [
        dict.fromkeys(CODECS["claims.csv"].model.model_fields, text) for text in ("a,b", '"', " ")
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    assert written("claims.csv", rows) == text.getvalue().encode()


# ---- change sets


def puts(tables: Tables) -> Changes:
    return Changes(lines(tables))


def attempt(connection: Connection, step: int | Tables) -> bool:
    """Undo a change set or apply one; where it is refused, nothing was done."""
    savepoint = connection.begin_nested()
    try:
        if isinstance(step, int):
            changes.undo(connection, step, "carl", "looking")
        else:
            changes.apply(connection, puts(step), WHY)
    except EvidenceError:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


def check_undo(first: Tables, second: Tables) -> None:
    """A change is nothing new the second time, and is taken back and made again."""
    with loaded(first) as connection:
        before = digest(connection)
        if not attempt(connection, second) or digest(connection) == before:
            return
        after = digest(connection)
        assert changes.apply(connection, puts(second), WHY) is None
        for number, expected in ((1, before), (2, after)):
            changes.undo(connection, number, "carl", "looking")
            assert digest(connection) == expected


@FEW
@given(corpora(), corpora(most=1))
def test_a_change_is_made_once_taken_back_and_made_again(first: Tables, second: Tables) -> None:
    check_undo(first, second)


STEPS = st.lists(st.integers(1, 4) | corpora(most=1), min_size=1, max_size=5)


def check_history(first: Tables, steps: list[int | Tables]) -> None:
    """A store is its corpus with its change sets laid over it."""
    with loaded(first) as connection, tempfile.TemporaryDirectory() as name:
        for file, text in export.as_csv(export.rows(connection)).items():
            Path(name, file).write_text(text, encoding="utf-8", newline="")
        for step in steps:
            attempt(connection, step)
        before = digest(connection)
        load_corpus(connection, Path(name), changes.overlay(connection))
        assert digest(connection) == before


@FEW
@given(corpora(), STEPS)
def test_a_corpus_loaded_again_with_its_changes_is_the_store(
    first: Tables, steps: list[int | Tables]
) -> None:
    check_history(first, steps)


# ---- every night

RANDOM = st.randoms(use_true_random=False)
PROPERTIES: dict[str, tuple[Callable[..., None], list[st.SearchStrategy[Any]]]] = {
    "rows": (check_rows, [corpora()]),
    "files": (check_files, [corpora()]),
    "digest": (check_digest, [corpora(most=3), RANDOM]),
    "undo": (check_undo, [corpora(), corpora(most=1)]),
    "history": (check_history, [corpora(), STEPS]),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", PROPERTIES)
def test_every_night_many_more_corpora(name: str) -> None:
    check, drawn = PROPERTIES[name]
    NIGHTLY(given(*drawn)(check))()
