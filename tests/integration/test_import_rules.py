"""What an import refuses or keeps apart, and a history that nobody alters."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from evidence import changes, export
from evidence.errors import EvidenceError, IngestError
from evidence.imports import Search, import_file
from evidence.shipped import shipped
from evidence.store import Store
from tests.integration.test_changes import RIS, WHY, digest, take


@pytest.fixture
def search(tmp_path: Path) -> Path:
    path = tmp_path / "search.ris"
    path.write_text(RIS, encoding="utf-8")
    return path


def test_a_published_review_takes_up_no_records(either: Store, search: Path) -> None:
    with pytest.raises(EvidenceError, match="morid2022 is a published review"):
        import_file(either, search, Search("morid2022", "PubMed"), WHY)


def test_another_paper_under_a_known_doi_is_kept_apart(either: Store, tmp_path: Path) -> None:
    other = tmp_path / "other.ris"
    other.write_text(
        "TY  - JOUR\nAU  - Roe, R\nTI  - Dermoscopy and nothing else\nDO  - 10.1234/abc\nER  -\n",
        encoding="utf-8",
    )
    (tmp_path / "search.ris").write_text(RIS, encoding="utf-8")
    take(either, tmp_path / "search.ris")
    found = take(either, other)
    assert (found.n_new_studies, [pair.rule for pair in found.possible]) == (1, ["doi"])


def test_a_csv_that_brings_a_known_paper_under_a_new_key_says_so(
    either: Store, tmp_path: Path
) -> None:
    header, *lines = (shipped("data") / "publications.csv").read_text("utf-8").splitlines()
    ahn = next(line for line in lines if line.startswith("ahn-2018,"))
    path = tmp_path / "own.csv"
    path.write_text(f"{header}\nzz{ahn.upper().replace('AHN-2018', '-1')}\n", encoding="utf-8")
    found = take(either, path)
    assert [(pair.study, pair.of) for pair in found.possible] == [("zz-1", "ahn-2018")]


def test_undone_redone_and_undone_again(either: Store, search: Path) -> None:
    before = digest(either)
    take(either, search)
    for number in (1, 2, 1):
        with either.begin() as connection:
            changes.undo(connection, number, "carl", "to and fro")
    assert digest(either) == before


def test_a_folder_with_other_files_is_not_read_in_part(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(shipped("data") / "claims.csv", folder / "CLAIMS.CSV")
    assert take(store, folder).n_read > 0
    (folder / "more.ris").write_text(RIS, encoding="utf-8")
    with pytest.raises(IngestError, match=r"more\.ris.*import it alone"):
        take(store, folder)


def test_a_name_that_stands_twice_in_json_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"claims.csv": [], "claims.csv": []}', encoding="utf-8")
    with pytest.raises(IngestError, match=r"'claims\.csv' stands twice"):
        take(store, tmp_path / "a.json")


def test_history_cannot_be_replaced(store: Store, search: Path) -> None:
    take(store, search)
    forged = (
        "INSERT OR REPLACE INTO change_set "
        "SELECT id, at, 'FORGED', kind, reason, undoes FROM change_set"
    )
    with pytest.raises(EvidenceError, match="append-only"), store.begin() as connection:
        connection.execute(text(forged))


@pytest.mark.parametrize("table", ["change_set", "change", "release"])
def test_history_cannot_be_truncated(team: Store, table: str) -> None:
    with pytest.raises(EvidenceError, match="append-only"), team.begin() as connection:
        connection.execute(text(f"TRUNCATE {table} CASCADE"))


def test_a_record_keeps_volume_pages_and_keywords(either: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.ris"
    path.write_text(
        "TY  - JOUR\nTI  - A title of its own\nVL  - 7\nSP  - 1\nEP  - 9\nKW  - elbow\n"
        "KW  - deep learning\nER  -\n",
        encoding="utf-8",
    )
    take(either, path)
    with either.connect() as connection:
        references, _ = export.references(export.rows(connection))
    kept = next(reference for reference in references if reference.title == "A title of its own")
    assert (kept.volume, kept.pages, kept.keywords) == ("7", "1-9", ("elbow", "deep learning"))
