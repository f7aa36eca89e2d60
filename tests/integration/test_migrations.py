"""The migrations carry the rows both ways, on both databases; opening an older store is enough."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Inspector, create_engine, inspect, text

from evidence import changes, export, queries, schema_runs
from evidence.changes import Reason
from evidence.errors import EvidenceError
from evidence.imports import Search, import_file
from evidence.schema import metadata
from evidence.shipped import shipped
from evidence.store import HEAD, Store, migrate
from tests.integration.test_store import RUN

#: Every revision below the newest, downwards.
OLDER = ("0006", "0005", "0004", "0003", "0002", "0001", "base")
#: An extraction that a user of an older store corrected there, and the columns that have moved.
OWN = "review = 'morid2022' AND study = 'dawud-2019'"
MOVED = {"n_images": 2105, "n_augmented": 12636, "n_classes": 3, "class_type": "categorical"}
#: Columns of our own runs that came with later revisions.
LATER = {"peak_memory_mb", "epochs", "initialisation", "n_blocks"}
RIS = "TY  - JOUR\nAU  - New, Anna\nTI  - Transfer learning of elbows\nPY  - 2024\nER  - \n"


def digest(store: Store) -> str:
    with store.connect() as connection:
        return export.digest(export.rows(connection))


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query in an order of their own; the databases need not agree on one."""
    return sorted((tuple(row) for row in connection.execute(text(query))), key=repr)


def dump(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, whatever the schema, without the time when it was loaded."""
    with store.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        found = {name: rows(connection, f'SELECT * FROM "{name}"') for name in names}
    return {**found, "corpus": [row[:1] for row in found.get("corpus", ())]}


def revision(store: Store) -> str | None:
    with store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def runs(store: Store) -> list[list[tuple[Any, ...]]]:
    """Our own trainings, in the columns that every revision has."""
    columns = ", ".join(c.name for c in schema_runs.run.c if c.name not in LATER)
    with store.engine.connect() as connection:
        return [
            rows(connection, f"SELECT {columns} FROM run"),
            rows(connection, "SELECT * FROM run_metric"),
        ]


def address(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)


@pytest.fixture
def older(either: Store) -> Store:
    """What an evtl of schema 0002 left: an older corpus, a correction of its own, a run."""
    queries.record_run(either, RUN)
    migrate(either.url, "0002")
    settings = ", ".join(f"{column} = :{column}" for column in MOVED)
    with either.begin() as connection:
        connection.execute(text(f"UPDATE extraction SET {settings} WHERE {OWN}"), MOVED)
        connection.execute(text("DELETE FROM evaluation WHERE extraction > 100"))
        connection.execute(text("INSERT INTO corpus VALUES ('older', '2020-01-01')"))
    return either


# ---- the rows go with the tables


def test_going_down_and_up_again_ends_in_the_same_store(either: Store) -> None:
    queries.record_run(either, RUN)
    before, whole = digest(either), dump(either)
    for number in OLDER[:-1]:
        migrate(either.url, number)
        assert revision(either) == number
    migrate(either.url, "head")
    again = Store(either.url)
    assert digest(again) == before
    assert dump(again) == whole


def test_a_run_survives_every_step(either: Store) -> None:
    queries.record_run(either, RUN)
    before = runs(either)
    assert all(before)
    for number in ("0004", "0003", "0002", "0001", "0002", "0003", "0004", "head"):
        migrate(either.url, number)
        assert runs(either) == before
    assert queries.runs(Store(either.url)) == (RUN,)


def test_the_flat_view_answers_alike_at_every_revision_that_has_it(either: Store) -> None:
    def answer() -> list[tuple[Any, ...]]:
        with either.connect() as connection:
            return rows(connection, "SELECT * FROM study_features")

    before = answer()
    assert len(before) == 149
    for number in ("0004", "0003", "0002", "0003", "head", "0002", "head"):
        migrate(either.url, number)
        assert answer() == before


@pytest.mark.parametrize("number", OLDER[:-1])
def test_no_row_of_a_table_that_stays_is_lost(either: Store, number: str) -> None:
    """Counted, because a rebuilt parent could take its children with it."""
    before = dump(either)
    migrate(either.url, number)
    after = dump(either)
    shared = (before.keys() & after.keys()) - {"alembic_version", "corpus"}
    assert {"extraction", "arm", "evaluation", "printed_cell", "claim"} <= shared
    assert {name: len(after[name]) for name in shared} == {
        name: len(before[name]) for name in shared
    }


def test_what_a_user_corrected_in_an_older_store_moves_along_and_back(older: Store) -> None:
    columns = ", ".join(MOVED)
    own = f"SELECT id FROM extraction WHERE {OWN}"
    lies_in = (("0003", "dataset", "extraction"), ("0002", "extraction", "id"))
    for number, table, key in lies_in * 2:
        migrate(older.url, number)
        with older.connect() as connection:
            found = rows(connection, f"SELECT {columns} FROM {table} WHERE {key} = ({own})")
            assert found == [tuple(MOVED.values())]
            missing = rows(connection, "SELECT * FROM evaluation WHERE extraction > 100")
            assert missing == []


def test_every_fact_of_the_older_form_is_there_when_it_comes_back(older: Store) -> None:
    before = dump(older)
    for number in ("0003", "0002", "head", "0002"):
        migrate(older.url, number)
    after = dump(older)
    assert {name for name in before if before[name] != after[name]} == {"corpus"}


def test_a_study_without_a_year_goes_down_and_up(either: Store) -> None:
    migrate(either.url, "0003")
    with either.begin() as connection:
        connection.execute(text("UPDATE study SET year = NULL WHERE key = 'dawud-2019'"))
    migrate(either.url, "0002")
    migrate(either.url, "0003")
    with either.connect() as connection:
        query = "SELECT year FROM study WHERE key = 'dawud-2019'"
        assert rows(connection, query) == [(None,)]


def test_reviews_without_a_doi_go_down_and_up(either: Store) -> None:
    migrate(either.url, "0003")
    with either.begin() as connection:
        connection.execute(text("UPDATE review SET doi = NULL"))
    before = dump(either)["review"]
    migrate(either.url, "0002")
    migrate(either.url, "0003")
    assert dump(either)["review"] == before


def test_the_base_is_empty_and_leads_back_to_a_whole_store(either: Store) -> None:
    before, whole = digest(either), dump(either)
    migrate(either.url, "base")
    with either.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
        assert inspect(connection).get_view_names() == []
    again = Store(either.url)
    assert digest(again) == before
    assert dump(again) == whole


def test_a_store_with_change_sets_is_not_taken_down(either: Store, tmp_path: Path) -> None:
    path = tmp_path / "own.ris"
    path.write_text(RIS, encoding="utf-8")
    import_file(either, path, Search(), Reason("anna", "own", "import"))
    before, whole = digest(either), dump(either)
    for number in OLDER[OLDER.index("0003") :]:
        with pytest.raises(RuntimeError, match="holds 1 change sets, which"):
            migrate(either.url, number)
    assert (revision(either), digest(either)) == (HEAD, before)
    assert dump(either) == whole


def test_a_store_with_comparisons_of_its_own_is_not_taken_down(
    either: Store, tmp_path: Path
) -> None:
    cells = (shipped("data") / "benchmark_tables.csv").read_text(encoding="utf-8")
    (tmp_path / "own.csv").write_text(cells.replace("juodelyte2024", "own"), encoding="utf-8")
    import_file(either, tmp_path / "own.csv", Search(), Reason("anna", "own", "import"))
    whole = dump(either)
    with pytest.raises(RuntimeError, match="holds 1 change sets of controlled comparisons"):
        migrate(either.url, "0004")
    assert dump(either) == whole


def test_memory_and_epochs_of_a_run_are_lost_on_the_way_back(either: Store) -> None:
    queries.record_run(either, RUN.model_copy(update={"peak_memory_mb": 812.5, "epochs": 6}))
    migrate(either.url, "0004")
    migrate(either.url, "head")
    assert queries.runs(either) == (RUN,)


@pytest.mark.parametrize(
    ("weights", "known"),
    [("random initialisation", "random"), ("package: x sha256:1", "pretrained"), ("", None)],
)
def test_the_initialisation_of_a_run_of_before_follows_from_its_weights(
    either: Store, weights: str, known: str | None
) -> None:
    before = RUN.model_copy(update={"weights": weights, "initialisation": None})
    queries.record_run(either, before)
    migrate(either.url, "0006")
    (run,) = queries.runs(Store(either.url))
    assert run == before.model_copy(update={"initialisation": known})


def test_a_store_with_shipped_runs_of_its_own_is_not_taken_down(
    either: Store, tmp_path: Path
) -> None:
    header, first, *_ = (shipped("data") / "runs.csv").read_text(encoding="utf-8").splitlines()
    own = first.replace(first.partition(",")[0], "own-run")
    (tmp_path / "own.csv").write_text(f"{header}\n{own}\n", encoding="utf-8")
    import_file(either, tmp_path / "own.csv", Search(), Reason("anna", "own", "import"))
    whole = dump(either)
    with pytest.raises(RuntimeError, match="holds 1 change sets of shipped runs"):
        migrate(either.url, "0006")
    assert dump(either) == whole


def test_a_store_with_newer_rows_of_backbones_is_not_taken_down(
    either: Store, tmp_path: Path
) -> None:
    path = tmp_path / "backbones.csv"
    text = (shipped("data") / "backbones.csv").read_text(encoding="utf-8")
    path.write_text(text.replace("version not stated", "no version"), encoding="utf-8")
    import_file(either, path, Search(), Reason("anna", "own", "import"))
    with pytest.raises(RuntimeError, match="holds 1 change sets of backbones"):
        migrate(either.url, "0004")
    assert revision(either) == HEAD


def test_rows_of_backbones_changed_in_an_older_store_are_carried_on(either: Store) -> None:
    old = {
        "backbone": "Own-1", "family": "Own", "aliases": "own_1", "library": "", "model": "",
        "input_px": "", "n_parameters": "", "n_macs": "", "year": "2020", "note": "ours",
    }  # fmt: skip
    migrate(either.url, "0004")
    with either.begin() as connection:
        connection.execute(
            text("INSERT INTO change_set VALUES (1, '2020-01-01', 'anna', 'import', 'own', NULL)")
        )
        connection.execute(
            text("INSERT INTO change VALUES (1, 1, 'backbones.csv', :key, NULL, :after)"),
            {"key": json.dumps(["Own-1"]), "after": json.dumps(old)},
        )
    found = {b.name: b for b in queries.corpus(Store(either.url)).backbones}
    assert (found["Own-1"].aliases, found["Own-1"].imagenet_top1) == (("own_1",), None)
    with either.begin() as connection:
        changes.undo(connection, 1, "anna", "wrong")
    assert "Own-1" not in {b.name for b in queries.corpus(either).backbones}


# ---- the tables are those of the schema


def test_nothing_is_left_to_generate(either: Store) -> None:
    """What ``alembic check`` asks."""
    with either.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def constraints(inspector: Inspector) -> dict[str, list[str]]:
    kinds = ("check_constraints", "unique_constraints", "foreign_keys", "indexes", "pk_constraint")
    found = {}
    for table in metadata.tables:
        for kind in kinds:
            reflected = getattr(inspector, f"get_{kind}")(table)
            listed = reflected if isinstance(reflected, list) else [reflected]
            found[f"{table}: {kind}"] = sorted(map(str, listed))
    return found


def test_the_constraints_are_those_of_the_schema(either: Store, request: Any) -> None:
    if either.dialect == "sqlite":
        fresh = create_engine("sqlite://")
    else:
        fresh = create_engine(request.getfixturevalue("postgres_url"))
    metadata.create_all(fresh)
    expected = constraints(inspect(fresh))
    fresh.dispose()
    assert constraints(inspect(either.engine)) == expected


@pytest.mark.parametrize("number", OLDER[:-1])
def test_they_are_so_after_having_been_older(either: Store, number: str) -> None:
    before = constraints(inspect(either.engine))
    migrate(either.url, number)
    migrate(either.url, "head")
    assert constraints(inspect(either.engine)) == before


# ---- an older store, opened


def whole(template: Path) -> tuple[str, dict[str, list[tuple[Any, ...]]]]:
    """Digest and rows of a store that was made today, without runs."""
    fresh = Store(f"sqlite:///{template}")
    return digest(fresh), dump(fresh)


def test_an_older_store_is_brought_up_by_opening_it(older: Store, template: Path) -> None:
    kept = runs(older)
    store = Store(address(older))
    assert revision(store) == HEAD
    assert digest(store) == whole(template)[0]
    assert runs(store) == kept
    assert queries.runs(store) == (RUN,)


def _open(address: str) -> str:
    return digest(Store(address))


def test_several_processes_may_open_an_older_store_at_once(older: Store, template: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(_open, [address(older)] * 8, chunksize=1)
    assert set(found) == {whole(template)[0]}
    assert queries.runs(older) == (RUN,)


@pytest.mark.slow
def test_an_upgrade_that_is_killed_is_completed_by_the_next_start(
    store: Store, template: Path
) -> None:
    """Killed as soon as the database's journal appears, that is, in the middle of writing."""
    queries.record_run(store, RUN)
    migrate(store.url, "0002")
    before = dump(store)
    journal = Path(f"{store.path}-journal")
    code = "from evidence.store import Store; Store()"
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    while process.poll() is None and not journal.exists():
        pass
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert journal.exists()
    assert dump(store) == before
    assert digest(Store(store.url)) == whole(template)[0]
    assert queries.runs(store) == (RUN,)


def test_a_store_of_a_newer_evtl_is_refused_untouched(either: Store) -> None:
    with either.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = dump(either)
    with pytest.raises(EvidenceError, match=rf"schema 9999.*up to {HEAD}.*upgrade evtl"):
        Store(either.url)
    assert dump(either) == before
