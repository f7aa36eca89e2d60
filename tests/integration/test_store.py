"""The store makes itself, survives being killed, and refuses what is not its own."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from evidence import queries, questions
from evidence.errors import EvidenceError
from evidence.records import RunRecord
from evidence.shipped import shipped
from evidence.store import HEAD, Store

RUN = RunRecord(
    run_id="20260101T000000Z-abc", started_at="2026-01-01T00:00:00+00:00", status="finished",
    folder="runs/x", modality="ultrasound", anatomy="breast", task="classification", n_images=780,
    n_classes=3, backbone_recommended="GoogLeNet", backbone="EfficientNet-Lite0",
    weights="package: x", approach="feature_extractor", head="linear", seed=0, device="cpu",
    seconds=20.5, metrics={"test": {"auc": {"value": 0.92, "low": 0.88, "high": None}}},
    digests={"plan": "1"}, versions={"torch": "2"}, initialisation="pretrained",
)  # fmt: skip


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    rows = (line for line in connection.iterdump() if line.startswith("INSERT"))
    lines = sorted(line for line in rows if 'INTO "corpus"' not in line)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY 1")]
    connection.close()
    return names + lines


def test_the_constant_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_it_is_made_on_first_use_and_left_alone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "evtl.sqlite"
    Store(url(path))
    before = path.read_bytes()
    Store(url(path))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_older_corpus_is_replaced_and_runs_are_kept(store: Store) -> None:
    queries.record_run(store, RUN)
    whole = dump(store.path)
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE corpus SET digest = 'older'")
    connection.execute("DELETE FROM evaluation")
    connection.commit()
    connection.close()
    again = Store(url(store.path))
    assert sorted(dump(store.path)) == sorted(whole)
    assert queries.runs(again) == (RUN,)


def test_a_run_is_kept_once(store: Store) -> None:
    queries.record_run(store, RUN)
    with pytest.raises(EvidenceError, match="recorded already"):
        queries.record_run(store, RUN)
    assert queries.runs(store) == (RUN,)


def test_a_database_of_something_else_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(EvidenceError, match="of something else"):
        Store(url(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 500]
)
def test_a_broken_file_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match="cannot be read"):
        Store(url(path))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", "no database URL"),
        ("sqlite://", "names no such database"),
        ("mysql://user:secret@host/db", "names no such database"),
        ("sqlite:////proc/none/evtl.sqlite", "cannot create the database"),
        ("sqlite:////dev/null", "is no file"),
    ],
)
def test_an_address_that_cannot_hold_a_store_is_named(address: str, message: str) -> None:
    with pytest.raises(EvidenceError, match=message) as caught:
        Store(address)
    assert "secret" not in str(caught.value)


def test_a_home_with_odd_characters_holds_its_own_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "a?b#c%20d"
    monkeypatch.delenv("EVTL_DATABASE_URL")
    monkeypatch.setattr("platformdirs.user_data_path", lambda _name: home)
    store = Store()
    assert store.path == home / "evtl.sqlite"
    assert questions.question(store, "select count(*) from review").rows == ((4,),)
    assert list(tmp_path.iterdir()) == [home]


def _open(address: str) -> int:
    with Store(address).connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM arm").scalar_one())


def test_several_processes_may_make_it_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        counts = pool.map(_open, [url(tmp_path / "shared.sqlite")] * 8)
    assert len(set(counts)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["shared.sqlite"]


@pytest.mark.slow
def test_killed_while_it_is_made_it_leaves_no_half_store(tmp_path: Path) -> None:
    """Killed at ten points; the next use makes a whole store each time."""
    path = tmp_path / "evtl.sqlite"
    code = "from evidence.store import Store; Store()"
    environment = os.environ | {"EVTL_DATABASE_URL": url(path)}
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    whole = time.monotonic() - started
    expected = dump(path)
    for point in range(10):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", code], env=environment)
        try:
            process.wait(timeout=whole * (point + 0.5) / 10)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        Store(url(path))
        assert dump(path) == expected


def test_a_writer_that_waits_in_vain_says_what_to_do(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.store.BUSY_TIMEOUT_S", 0)
    waiting = Store(store.url)
    with (
        store.begin(),
        pytest.raises(EvidenceError, match="another evtl is writing to it; try again"),
        waiting.begin(),
    ):
        pass


def test_a_fact_stands_once_beside_its_source(either: Store) -> None:
    twice = (
        "SELECT review, study, field, position, count(*) FROM fact "
        "GROUP BY review, study, field, position HAVING count(*) > 1"
    )
    assert questions.question(either, twice).rows == ()
    unsourced = "SELECT count(*) FROM fact WHERE printed IS NULL"
    assert questions.question(either, unsourced).rows == ((0,),)
