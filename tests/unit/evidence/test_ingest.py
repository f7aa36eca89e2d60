"""One bad row means a list of all bad rows and nothing stored."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from evidence.errors import IngestError
from evidence.ingest import load_corpus, read_corpus
from evidence.schema import metadata
from evidence.shipped import FILES, corpus_digest, shipped

Rows = list[dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the corpus that a test may spoil."""
    for name in FILES:
        shutil.copy(shipped("data") / name, tmp_path / name)
    return tmp_path


def change(path: Path, edit: Callable[[Rows], object]) -> None:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = list(rows[0])
    edit(rows)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def problems(folder: Path) -> list[str]:
    with pytest.raises(IngestError, match="nothing was stored") as caught:
        read_corpus(folder)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_corpus_is_valid() -> None:
    lines = read_corpus(shipped("data"))
    assert {name: len(rows) > 0 for name, rows in lines.items()} == dict.fromkeys(FILES, True)


def test_every_bad_cell_is_listed_with_its_place_and_what_is_allowed(folder: Path) -> None:
    def spoil(rows: Rows) -> None:
        rows[39]["approach"] = "fine_tunning"
        rows[40]["n_images"] = "many"
        rows[41]["modality"] = "ultrasond"
        rows[42]["evaluations"] = "auc=93"

    change(folder / "studies.csv", spoil)
    found = problems(folder)
    assert len(found) == 4
    assert "studies.csv, row 41, column approach: found 'fine_tunning'" in found[0]
    assert "did you mean fine_tuning?" in found[0]
    assert "row 42, column n_images: found 'many'" in found[1]
    assert "row 43, column modality" in found[2]
    assert "did you mean ultrasound" in found[2]
    assert "row 44, column evaluations: found 'auc=93'" in found[3]


def test_rows_that_point_nowhere_or_stand_twice_are_listed(folder: Path) -> None:
    def spoil(rows: Rows) -> None:
        rows[0]["backbone"] = "AlexNett"
        rows[1]["study_key"] = "nobody-1999"
        rows[3] = dict(rows[2])

    change(folder / "studies.csv", spoil)
    found = "\n".join(problems(folder))
    assert "'AlexNett'; must be in backbones.csv (did you mean AlexNet?)" in found
    assert "'nobody-1999'; must be in publications.csv" in found
    assert "already given in row 4" in found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "header must be"),
        (b"", "header must be"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_refused(folder: Path, content: bytes, message: str) -> None:
    (folder / "claims.csv").write_bytes(content)
    assert message in "\n".join(problems(folder))


def test_a_truncated_row_is_refused(folder: Path) -> None:
    path = folder / "studies.csv"
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    assert "cells are expected" in "\n".join(problems(folder))


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "claims.csv").unlink()
    with pytest.raises(IngestError, match=r"claims\.csv.*no such file"):
        corpus_digest(folder)


def test_loading_twice_changes_nothing_and_a_bad_load_leaves_the_store_as_it_was(
    folder: Path,
) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)

    def dump() -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [
                (table.name, *row)
                for table in metadata.sorted_tables
                if table.name != "corpus"
                for row in connection.execute(text(f'SELECT * FROM "{table.name}" ORDER BY 1, 2'))
            ]

    with engine.begin() as connection:
        load_corpus(connection, folder)
    first = dump()
    with engine.begin() as connection:
        load_corpus(connection, folder)
    assert dump() == first
    change(folder / "studies.csv", lambda rows: rows[0].update(head="magic"))
    with pytest.raises(IngestError, match="magic"), engine.begin() as connection:
        load_corpus(connection, folder)
    assert dump() == first
