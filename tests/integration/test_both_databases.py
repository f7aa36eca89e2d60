"""PostgreSQL gives the same answers as SQLite, command by command; writers take turns on both."""

import multiprocessing
from pathlib import Path

import pytest

from evidence import changes, export
from evidence.changes import Reason
from evidence.imports import Search, import_file
from evidence.listing import StudyFilter, find
from evidence.store import Store
from tests.integration.commands import evtl

RIS = """TY  - JOUR
AU  - Doe, Jane
TI  - Transfer learning for elbow fractures in radiographs of children
PY  - 2023
DO  - 10.1234/elbow
ER  -
"""
QUESTIONS = [
    ("recommend", "--modality", "ultrasound", "--n", "800"),
    ("recommend", "--modality", "CT", "--n", "5000", "--anatomy", "lung", "--json"),
    ("sql", "select review, count(*) from study_features group by 1 order by 1"),
    ("sql", "select * from study_features order by review, study_key", "--format", "csv"),
    ("sql", "select * from fact order by 1, 2, 3, 4, 5, 6", "--format", "json"),
    ("sql", "select avg(value), min(n_images) as fewest, max(n_images) from study_features"),
    ("sql", "select * from benchmark_result order by 1, 2, 3, 6", "--format", "csv"),
    ("sql", "select * from benchmark_dataset order by key", "--format", "json"),
    ("sql", "select 'pragma; drop table study' as word"),
    ("studies",),
    ("studies", "--all", "--format", "csv"),
    ("studies", "--modality", "us", "--n-max", "1000", "--format", "json"),
    ("studies", "--words", "Glaucoma", "--backbone", "VGGNet"),
    ("studies", "shin-2016"),
    ("studies", "shin-2016", "--format", "json"),
    ("studies", "abbas-2019", "--format", "csv"),
    ("schema",),
    ("reproduce", "--json"),
    ("reproduce", "kim2022", "--disagreeing"),
    ("disagreements",),
    ("disagreements", "--modality", "mammography", "--json"),
    ("export", "--format", "json"),
    ("export", "--format", "ris"),
    ("changes",),
    ("release",),
    ("runs",),
]


def address(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_command_answers_alike(
    store: Store, team: Store, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    answers = []
    for each in (store, team):
        monkeypatch.setenv("EVTL_DATABASE_URL", address(each))
        answers.append(evtl(*words))
    assert answers[0] == answers[1]
    assert answers[0].strip()


@pytest.mark.parametrize("kind", ["gap-map", "forest", "benchmarks", "years", "approaches"])
def test_a_plot_is_drawn_alike(
    store: Store, team: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    pictures = []
    for each in (store, team):
        monkeypatch.setenv("EVTL_DATABASE_URL", address(each))
        out = tmp_path / f"{each.dialect}.svg"
        evtl("plot", kind, "--out", str(out))
        pictures.append(out.read_text(encoding="utf-8"))
    assert pictures[0] == pictures[1]
    assert "<svg" in pictures[0]


def test_changes_leave_both_alike(store: Store, team: Store, tmp_path: Path) -> None:
    path = tmp_path / "search.ris"
    path.write_text(RIS, encoding="utf-8")
    for each in (store, team):
        import_file(each, path, Search("own", "PubMed"), Reason("me", "first", "import"))
        with each.begin() as connection:
            changes.undo(connection, 1, "me", "to see it go")
            changes.undo(connection, 2, "me", "to see it come")
    assert digest(store) == digest(team)


def digest(store: Store) -> str:
    with store.connect() as connection:
        return export.digest(export.rows(connection))


def write(task: tuple[str, str, int]) -> int:
    """One of many writers: a study that all bring, and one of its own."""
    url, folder, number = task
    own = RIS.replace("elbow", f"elbow{number}").replace("fractures", f"pattern {number}")
    path = Path(folder) / f"{number}.ris"
    path.write_text(RIS + "\n" + own, encoding="utf-8")
    reason = Reason(f"writer {number}", "all at once", "import")
    found = import_file(Store(url), path, Search("own", "PubMed"), reason)
    return found.change_set.id if found.change_set else 0


@pytest.mark.slow
def test_32_writers_at_once_lose_nothing_and_duplicate_nothing(
    either: Store, tmp_path: Path
) -> None:
    tasks = [(address(either), str(tmp_path), number) for number in range(32)]
    with multiprocessing.get_context("spawn").Pool(32) as pool:
        numbers = pool.map(write, tasks, chunksize=1)
    assert sorted(numbers) == list(range(1, 33))
    with either.connect() as connection:
        found = find(connection, StudyFilter(words="elbow", limit=None))
        assert found.n_found == 33
        assert len(changes.change_sets(connection)) == 32
        tables = export.rows(connection)
    records = [row for row in tables["identified.csv"] if row["review"] == "own"]
    assert len(records) == 33  # the shared record of one source is one record
    assert [row["review"] for row in tables["reviews.csv"]].count("own") == 1
