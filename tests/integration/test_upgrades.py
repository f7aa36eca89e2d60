"""A newer corpus under a store that a team has changed; on both databases."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence import changes, export
from evidence.changes import Reason
from evidence.imports import Search, import_file
from evidence.shipped import FILES, shipped
from evidence.store import Store
from evidence.study_page import show

WHY = Reason("anna", "first search", "import")
RIS = """TY  - JOUR
AU  - Doe, Jane
TI  - Transfer learning for elbow fractures in radiographs of children
PY  - 2023
DO  - 10.1234/ELBOW
ER  -
"""
Rows = list[dict[str, str]]
Release = Callable[[str, Callable[[Rows], object]], None]


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Ships a corpus of which one file was edited."""
    folder = tmp_path / "newer"
    folder.mkdir()
    for name in FILES:
        shutil.copy(shipped("data") / name, folder)

    def release(name: str, edit: Callable[[Rows], object]) -> None:
        with (folder / name).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        edit(rows)
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        monkeypatch.setattr(
            "evidence.store.shipped", lambda part: folder if part == "data" else shipped(part)
        )

    return release


def take(store: Store, folder: Path, name: str = "a.ris", content: str = RIS) -> str:
    """Import a file; returns the key of its first new study."""
    (folder / name).write_text(content, encoding="utf-8")
    import_file(store, folder / name, Search("mine", "PubMed"), WHY)
    return next((key for key in keys(store) if key.startswith("doe-2023-")), "")


def keys(store: Store) -> list[str]:
    with store.connect() as connection:
        return [row["study_key"] for row in export.rows(connection)["publications.csv"]]


def shipped_twin(rows: Rows) -> None:
    """The paper that the team imported, under the corpus' own key."""
    rows.append(rows[0] | {"study_key": "doe-2023", "doi": "10.1234/elbow", "title": "Elbows"})


def test_a_corpus_that_brings_the_same_paper_opens_and_keeps_both(
    either: Store, tmp_path: Path, newer: Release
) -> None:
    key = take(either, tmp_path)
    newer("publications.csv", shipped_twin)
    Store(either.url)
    assert {key, "doe-2023"} <= set(keys(either))


def test_keys_of_imports_are_never_keys_of_the_corpus(either: Store, tmp_path: Path) -> None:
    key = take(either, tmp_path)
    assert key.startswith("doe-2023-")
    assert len(key) == len("doe-2023-") + 6


def test_what_was_undone_holds_nothing_over_a_newer_corpus(
    either: Store, tmp_path: Path, newer: Release
) -> None:
    claims = (shipped("data") / "claims.csv").read_text(encoding="utf-8")
    take(either, tmp_path, "claims.csv", claims.replace("352 articles", "353 articles"))
    take(either, tmp_path)
    for number in (1, 2):
        with either.begin() as connection:
            changes.undo(connection, number, "anna", "wrong")

    def corrected(rows: Rows) -> None:
        next(row for row in rows if row["claim"] == "f-found")["statement"] = "CORRECTED"

    newer("claims.csv", corrected)
    Store(either.url)
    with either.connect() as connection:
        rows = export.rows(connection)["claims.csv"]
        assert "CORRECTED" in {row["statement"] for row in rows}
        assert changes.overlay(connection) == {
            "claims.csv": {}, "publications.csv": {}, "identified.csv": {}, "reviews.csv": {},
        }  # fmt: skip


def test_what_was_changed_wins_over_a_newer_corpus(
    either: Store, tmp_path: Path, newer: Release
) -> None:
    studies = (shipped("data") / "studies.csv").read_text(encoding="utf-8")
    take(either, tmp_path, "studies.csv", studies.replace(",2104,12635,", ",2105,12635,"))

    def corrected(rows: Rows) -> None:
        dawud = next(row for row in rows if row["study_key"] == "dawud-2019")
        dawud["n_images"] = "2106"

    newer("studies.csv", corrected)
    Store(either.url)
    with either.connect() as connection:
        (page, *_) = show(connection, "dawud-2019").extractions
    assert "2105" in {fact.value for fact in page.facts if fact.field == "n_images"}
