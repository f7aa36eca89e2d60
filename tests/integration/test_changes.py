"""Change sets: imports, undo, releases; on both databases."""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from evidence import changes, export, queries, releases
from evidence.changes import Reason
from evidence.errors import EvidenceError, IngestError
from evidence.imports import Search, import_file
from evidence.records import Imported
from evidence.shipped import shipped
from evidence.store import Store

WHY = Reason("anna", "first search", "import")
RIS = """TY  - JOUR
AU  - Shin, Hoo-Chang
TI  - Deep Convolutional Neural Networks for Computer-Aided Detection: CNN Architectures, \
Dataset Characteristics and Transfer Learning
PY  - 2016
ER  -

TY  - JOUR
AU  - New, Anna
TI  - A study of transfer learning in ultrasound images of the elbow
PY  - 2024
DO  - 10.1234/ABC
ER  -

TY  - JOUR
AU  - New, A.
TI  - A study of transfer learning in ultrasound images of the elbow
PY  - 2024
ER  -

TY  - JOUR
AU  - New, A.
TI  - A study of transfer learning in ultrasound image of the elbow
PY  - 2022
ER  -
"""


def digest(store: Store) -> str:
    with store.connect() as connection:
        return export.digest(export.rows(connection))


@pytest.fixture
def search(tmp_path: Path) -> Path:
    path = tmp_path / "search.ris"
    path.write_text(RIS, encoding="utf-8")
    return path


def take(store: Store, path: Path, *, dry_run: bool = False) -> Imported:
    return import_file(store, path, Search("thyroid2026", "PubMed"), WHY, dry_run=dry_run)


def test_records_become_studies_and_duplicates_are_recognised(either: Store, search: Path) -> None:
    found = take(either, search)
    assert (found.n_read, found.n_new_studies, found.n_known) == (4, 2, 2)
    (pair,) = found.possible
    assert (pair.of[:9], pair.rule) == ("new-2024-", "near_title")
    with either.connect() as connection:
        rows = export.rows(connection)
    records = [row for row in rows["identified.csv"] if row["review"] == "thyroid2026"]
    assert [row["study_key"] for row in records].count(pair.of) == 2
    assert "shin-2016" in {row["study_key"] for row in records}
    assert [row["doi"] for row in rows["publications.csv"] if row["study_key"] == pair.of] == [
        "10.1234/abc"
    ]


def test_a_dry_run_says_the_same_and_changes_nothing(either: Store, search: Path) -> None:
    before = digest(either)
    tried = take(either, search, dry_run=True)
    assert digest(either) == before
    done = take(either, search)
    assert tried.model_copy(update={"dry_run": False, "change_set": None}) == done.model_copy(
        update={"change_set": None}
    )
    assert digest(either) != before


def test_the_same_file_twice_brings_nothing_new(either: Store, search: Path) -> None:
    take(either, search)
    before = digest(either)
    again = take(either, search)
    assert (again.change_set, again.n_new_studies, again.n_known) == (None, 0, 4)
    assert digest(either) == before


def test_what_was_done_is_undone_and_done_again(either: Store, search: Path) -> None:
    before = digest(either)
    take(either, search)
    after = digest(either)
    for number, expected in ((1, before), (2, after)):
        with either.begin() as connection:
            changes.undo(connection, number, "carl", "looking")
        assert digest(either) == expected
    with either.connect() as connection:
        kinds = [(each.kind, each.undoes) for each in changes.change_sets(connection)]
    assert kinds == [("import", None), ("undo", 1), ("undo", 2)]


@pytest.mark.parametrize(
    ("number", "message"), [(7, "there is no change set 7"), (1, "was undone by change set 2")]
)
def test_what_cannot_be_undone_says_why(
    either: Store, search: Path, number: int, message: str
) -> None:
    take(either, search)
    with either.begin() as connection:
        changes.undo(connection, 1, "carl", "looking")
    with pytest.raises(EvidenceError, match=message), either.begin() as connection:
        changes.undo(connection, number, "carl", "again")


def edited(folder: Path, name: str, old: str, new: str) -> Path:
    """A corpus file with one text replaced."""
    content = (shipped("data") / name).read_text(encoding="utf-8")
    assert content.count(old) == 1
    path = folder / name
    path.write_text(content.replace(old, new), encoding="utf-8")
    return path


def test_a_change_that_a_later_one_builds_on_is_not_undone(either: Store, tmp_path: Path) -> None:
    old = "morid2022,dawud-2019,extracted,S3,1,"
    for number in (2, 3):
        take(either, edited(tmp_path, "studies.csv", old, old.replace(",1,", f",{number}00,")))
    refused = pytest.raises(EvidenceError, match="changed again by change set 2")
    with refused, either.begin() as connection:
        changes.undo(connection, 1, "carl", "too late")


def test_a_corrected_row_is_one_change_with_before_and_after(either: Store, tmp_path: Path) -> None:
    found = take(either, edited(tmp_path, "studies.csv", ",2104,12635,", ",2105,12635,"))
    assert found.change_set is not None
    assert (found.change_set.n_added, found.change_set.n_changed) == (0, 1)
    with either.connect() as connection:
        row = connection.execute(text("SELECT before, after FROM change")).one()
        arms = queries.arms(connection, study="dawud-2019")
    before, after = (json.loads(cell) if isinstance(cell, str) else cell for cell in row)
    assert (before["n_images"], after["n_images"]) == ("2104", "2105")
    assert {arm.n_images for arm in arms} == {2105}


@pytest.mark.parametrize("table", ["change_set", "change"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_itself_keeps_the_history(
    either: Store, search: Path, table: str, statement: str
) -> None:
    take(either, search)
    column = "id" if table == "change_set" else "position"
    refused = pytest.raises((EvidenceError, DBAPIError), match="append-only")
    with refused, either.begin() as connection:
        connection.execute(text(statement.format(table, column, column)))


def test_what_is_exported_imports_to_the_same_store(
    either: Store, search: Path, tmp_path: Path
) -> None:
    take(either, search)
    with either.connect() as connection:
        tables = export.rows(connection)
    export.write_csv(tables, tmp_path / "csv")
    export.write_text(export.as_json(tables), tmp_path / "all.json")
    for source in ("csv", "all.json"):
        fresh = Store(f"sqlite:///{tmp_path / (source + '.sqlite')}")
        take(fresh, tmp_path / source)
        assert digest(fresh) == digest(either)


def test_an_exported_ris_is_known_where_it_came_from(either: Store, tmp_path: Path) -> None:
    with either.connect() as connection:
        references, left_out = export.references(export.rows(connection))
    path = tmp_path / "all.ris"
    path.write_text(export.ris_text(references), encoding="utf-8")
    found = take(either, path)
    assert left_out == ("jeyaraj-2019", "phan-2019")
    assert (found.n_read, found.n_new_studies, found.possible) == (len(references), 0, ())


def test_bad_rows_are_all_listed_and_nothing_is_stored(either: Store, tmp_path: Path) -> None:
    before = digest(either)
    path = edited(tmp_path, "studies.csv", ",2104,12635,", ",many,12635,")
    content = path.read_text(encoding="utf-8").replace("ResNet-101", "ResNet-1001", 1)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(IngestError, match="found 'many'"):
        take(either, path)
    path.write_text(content.replace(",many,", ",2104,"), encoding="utf-8")
    with pytest.raises(IngestError, match=r"'ResNet-1001'; must be in backbones\.csv.*ResNet-101"):
        take(either, path)
    assert digest(either) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"a,b\n1,2\n", "the header of one of"),
        ("a.csv", b"\xff\xfe\x00", "UTF-8"),
        ("a.csv", b"", "the header of one of"),
        ("a.json", b"[1]", "file name -> list of rows"),
        ("a.json", b'{"studies.csv": [{"review": "x"}]}', "Field required"),
        ("a.json", b'{"nothing.csv": []}', "a file of"),
        ("a.ris", RIS[:-6].encode(), r"a\.ris, row"),
        ("a.ris", "TY  - JOUR\nTI  - Ü\nER  -\n".encode("latin-1"), "UTF-8"),
        ("a.nbib", b"PMID- 12\nTI  - cut o", r"a\.nbib, row"),
        ("a.bib", b"@article{x, title = {no end", r"a\.bib, row"),
        ("a.xyz", b"something", r"\.ris"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(
    store: Store, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    before = store.path.read_bytes()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError, match=message):
        take(store, tmp_path / name)
    assert store.path.read_bytes() == before


def test_a_file_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"nothing\.ris.*name a file that can be read"):
        take(store, tmp_path / "nothing.ris")


def test_a_newer_corpus_keeps_what_the_store_added(either: Store, search: Path) -> None:
    """What an upgrade does: the shipped corpus is loaded again, the changes lie over it."""
    take(either, search)
    before = digest(either)
    with either.begin() as connection:
        connection.execute(text("UPDATE corpus SET digest = 'older'"))
        connection.execute(text("DELETE FROM evaluation"))
    assert digest(either) != before
    Store(either.url)
    assert digest(either) == before


def test_a_release_is_a_state_that_can_be_compared(
    either: Store, search: Path, tmp_path: Path
) -> None:
    first = releases.release(either, "2026-01", "anna")
    assert first.digest == digest(either)
    take(either, search)
    take(either, edited(tmp_path, "studies.csv", ",2104,12635,", ",2105,12635,"))
    old, new = (releases.tables_of(either, tag) for tag in ("2026-01", releases.NOW))
    assert export.digest(old) == first.digest
    found = {(row.file, row.key): row.columns for row in releases.changed_rows(old, new)}
    assert found["studies.csv", ("morid2022", "dawud-2019")] == (("n_images", "2104", "2105"),)
    added = [key[0] for file, key in found if file == "publications.csv"]
    assert sorted(key[:8] for key in added) == ["new-2022", "new-2024"]
    assert found["publications.csv", (added[0],)] == (("row", None, "there"),)
    n_images = [set(releases.corpus_of(tables).arms.n_images) for tables in (old, new)]
    assert (2105 in n_images[0], 2105 in n_images[1]) == (False, True)


@pytest.mark.parametrize(
    ("tag", "message"), [("2026-01", "is there already"), ("a b", "letters"), ("now", "not 'now'")]
)
def test_a_tag_is_given_once(either: Store, tag: str, message: str) -> None:
    releases.release(either, "2026-01", "anna")
    with pytest.raises(EvidenceError, match=message):
        releases.release(either, tag, "anna")


IMPORT = """
import sys
from pathlib import Path
from evidence.changes import Reason
from evidence.imports import Search, import_file
from evidence.store import Store
import_file(Store(), Path(sys.argv[1]), Search(), Reason("x", "y", "import"))
"""


def many(folder: Path, n: int) -> Path:
    """A file of many studies that have nothing in common."""
    path = folder / "many.ris"
    entry = "TY  - JOUR\nAU  - Doe{0}, J\nTI  - {0} transfer learning in radiographs\nER  -\n"
    words = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(n))
    path.write_text("".join(map(entry.format, words)), encoding="utf-8")
    return path


@pytest.mark.slow
def test_an_import_that_is_killed_leaves_all_or_nothing(store: Store, tmp_path: Path) -> None:
    """Killed as soon as the database's journal appears, that is, in the middle of writing."""
    path = many(tmp_path, 3000)
    before = digest(store)
    journal = Path(f"{store.path}-journal")
    process = subprocess.Popen([sys.executable, "-c", IMPORT, str(path)])
    while process.poll() is None and not journal.exists():
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert digest(store) == before
    with store.connect() as connection:
        assert changes.change_sets(connection) == ()


def full_disk() -> None:
    """No file may grow beyond a size that the store has nearly reached."""
    limit = Path(os.environ["EVTL_TEST_STORE"]).stat().st_size + 200_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_full_disk_is_said_and_leaves_the_store_as_it_was(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = many(tmp_path, 5000)
    before = digest(store)
    monkeypatch.setenv("EVTL_TEST_STORE", str(store.path))
    command = "from evtl.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", command, "import", str(path)],
        preexec_fn=full_disk, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 1
    assert found.stderr.startswith("evtl: database")
    assert "Traceback" not in found.stderr
    assert digest(store) == before
    with store.connect() as connection:
        assert changes.change_sets(connection) == ()
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_a_copy_of_a_store_is_a_store(store: Store, search: Path, tmp_path: Path) -> None:
    take(store, search)
    shutil.copy(store.path, tmp_path / "copy.sqlite")
    assert digest(Store(f"sqlite:///{tmp_path / 'copy.sqlite'}")) == digest(store)
