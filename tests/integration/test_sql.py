"""Questions in SQL are answered; everything else is refused and changes nothing."""

import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from evidence import questions
from evidence.errors import QueryRefusedError
from evidence.store import Store
from tests.integration.attacks import (
    BOMBS,
    HARMLESS,
    HIDDEN,
    LONG_CALL,
    NO_QUESTIONS,
    REFUSAL,
    SQLITE,
    name_of,
)


@pytest.mark.parametrize("attack", [*NO_QUESTIONS, *HIDDEN, *SQLITE], ids=name_of)
def test_anything_but_one_select_is_refused_and_changes_nothing(store: Store, attack: str) -> None:
    before = store.path.read_bytes()
    with pytest.raises(QueryRefusedError, match=REFUSAL):
        questions.question(store, attack)
    assert store.path.read_bytes() == before
    assert [path.name for path in store.path.parent.iterdir()] == ["evtl.sqlite"]


def test_the_word_pragma_in_a_text_is_no_attack(store: Store) -> None:
    sql = "SELECT 'pragma; drop table study' AS word FROM study LIMIT 1"
    assert questions.question(store, sql).rows == (("pragma; drop table study",),)


@pytest.mark.parametrize("sql", ["/* a */ -- b\n select 1", "WITH x AS (SELECT 1) SELECT * FROM x",
                                 "VALUES (1)"])  # fmt: skip
def test_comments_and_common_tables_are_no_attack(store: Store, sql: str) -> None:
    assert questions.question(store, sql).rows == ((1,),)


@pytest.mark.parametrize("sql", HARMLESS)
def test_harmless_questions_are_answered(store: Store, sql: str) -> None:
    assert questions.question(store, sql).columns


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test need not wait for."""
    monkeypatch.setattr(questions, "QUERY_TIMEOUT_S", 0.2)
    monkeypatch.setattr(questions, "GRACE_S", 0.3)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("bomb", BOMBS, ids=name_of)
def test_a_query_without_end_is_stopped(store: Store, bomb: str) -> None:
    with pytest.raises(QueryRefusedError, match=r"longer than 0\.2 s and was stopped"):
        questions.question(store, bomb)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    """The processes that are started, in order."""
    started: list[subprocess.Popen[bytes]] = []

    class Remembered(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Remembered)
    return started


@pytest.mark.usefixtures("hasty")
def test_one_call_of_a_function_that_runs_on_is_killed(
    store: Store, children: list["subprocess.Popen[bytes]"]
) -> None:
    """No progress handler is called within a function."""
    with pytest.raises(QueryRefusedError, match="was stopped"):
        questions.question(store, LONG_CALL)
    assert [child.returncode for child in children] == [-9]


def test_memory_is_bounded(store: Store) -> None:
    """Each value is within its limit; the row is not."""
    row = ", ".join(["x"] * 499)
    bomb = f"WITH big(x) AS (SELECT printf('%.*c', 900000, 'x')) SELECT {row} FROM big"
    with pytest.raises(QueryRefusedError, match="more memory than the 512 MB"):
        questions.question(store, bomb)


def test_temporary_files_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "QUERY_FILE_BYTES", 1_000_000)
    bomb = (
        "SELECT count(*) FROM (SELECT DISTINCT a.printed || b.printed || printf('%.*c', 900, 'x') "
        "FROM printed_cell a, printed_cell b LIMIT 10000)"
    )
    with pytest.raises(QueryRefusedError, match="disk"):
        questions.question(store, bomb)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "broke"),
        ("raise RuntimeError('of its own')", "broke: RuntimeError: of its own"),
        ("raise MemoryError", "more memory"),
        ("print('[1]')", "broke"),
        ("while True: print('x' * 1000)", "broke"),
        ("import time; time.sleep(600)", "was stopped"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_a_child_that_breaks_is_a_refusal(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    child = tmp_path / "child.py"
    child.write_text(script)
    monkeypatch.setattr(questions, "_CHILD", child)
    monkeypatch.setattr(questions, "QUERY_BYTES", 10_000)
    with pytest.raises(QueryRefusedError, match=message):
        questions.question(store, "SELECT 1")


def test_values_arrive_as_sqlite_has_them(store: Store) -> None:
    sql = "VALUES (9223372036854775807, 9e999, -9e999, x'00ff', 'é\r\n😀\u2028', NULL, 0.1)"
    assert questions.question(store, sql).rows == (
        (2**63 - 1, float("inf"), float("-inf"), b"\x00\xff", "é\r\n😀\u2028", None, 0.1),
    )


def test_a_path_may_have_any_name(store: Store, tmp_path: Path) -> None:
    odd = tmp_path / "a?mode=rwc#b%41 é.sqlite"
    store.url = store.url.set(database=str(store.path.rename(odd)))
    assert questions.question(store, "SELECT count(*) FROM review").rows == ((4,),)


def test_a_question_is_answered_while_somebody_writes(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(text("DELETE FROM run_metric"))
        connection.execute(text("UPDATE study SET year = 1001"))
        assert questions.question(store, "SELECT min(year) > 1001 FROM study").rows == ((1,),)


@pytest.mark.usefixtures("hasty")
def test_a_store_that_is_locked_says_so(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(QueryRefusedError, match="being written to; ask again"):
            questions.question(store, "SELECT 1 FROM study")


@pytest.mark.slow
def test_honest_questions_are_answered_among_as_many_attacks(store: Store) -> None:
    before = store.path.read_bytes()
    attacks = [*BOMBS[:2], *SQLITE[:20], *HIDDEN, *NO_QUESTIONS][:32]
    honest = "SELECT count(*) FROM study"

    def ask(sql: str) -> Any:
        try:
            return questions.question(store, sql).rows
        except QueryRefusedError as error:
            return str(error)

    asked = [sql for attack in attacks for sql in (attack, honest)]
    with ThreadPoolExecutor(64) as threads:
        answers = list(threads.map(ask, asked))
    assert all(isinstance(answer, str) for answer in answers[0::2])
    assert set(answers[1::2]) == {questions.question(store, honest).rows}
    assert store.path.read_bytes() == before


def test_a_huge_value_is_never_made(store: Store) -> None:
    """SQLite's printf gives NULL beyond the limit, other functions an error."""
    bomb = "SELECT printf('%.*c', 900000000, 'x')"
    assert questions.question(store, bomb).rows == ((None,),)
    with pytest.raises(QueryRefusedError, match="too big"):
        questions.question(store, "SELECT group_concat(a.printed) FROM printed_cell a, study")


def test_answers_are_bounded_in_bytes_too(store: Store) -> None:
    bulky = "SELECT printf('%.*c', 900000, 'x') FROM printed_cell"
    found = questions.question(store, bulky)
    assert found.truncated
    assert len(found.rows) == questions.QUERY_BYTES // 900_000


def test_rows_beyond_the_cap_are_left_out_and_said(store: Store) -> None:
    found = questions.question(store, "SELECT a.key FROM study a, study b")
    assert len(found.rows) == questions.QUERY_ROWS
    assert found.truncated


def test_the_categories_of_morid_are_counted(store: Store) -> None:
    sql = "select image_type, count(*) from study_features where review='morid2022' group by 1"
    assert dict(questions.question(store, sql).rows) == {
        "CT": 11, "MRI": 17, "Ultrasound": 12, "Skin lesion": 7, "Fundus": 12, "OCT": 6,
        "X-ray": 30, "Endoscopy": 7,
    }  # fmt: skip


def test_the_flat_view_has_a_row_per_extraction_and_the_promised_columns(store: Store) -> None:
    found = questions.question(store, "select * from study_features")
    assert found.columns[:24] == tuple(
        "review study_key first_author year ref image_type modality anatomy task backbone family "
        "n_images n_augmented augmentation metric operator value approach approach_as_printed head "
        "class_type n_classes benchmarks visualization".split()
    )
    assert len(found.rows) == 102 + 25 + 22
    assert len({row[:2] for row in found.rows}) == len(found.rows)


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ("cao-2019", ("DenseNet-161", "DenseNet", "AlexNet;ZFNet;VGG-16;ResNet-50;GoogLeNet")),
        ("phan-2019", ("VGG-19;ResNet-152;DenseNet-201", "VGGNet;ResNet;DenseNet", None)),
        ("jadoon-2017", ("custom", "custom", None)),
    ],
)
def test_lists_stand_in_the_order_of_the_print(
    store: Store, study: str, expected: tuple[str | None, ...]
) -> None:
    sql = f"select backbone, family, benchmarks from study_features where study_key = '{study}'"
    assert questions.question(store, sql).rows == (expected,)


def test_a_bound_and_a_range_are_not_points(store: Store) -> None:
    sql = "select operator, value, value_high from study_features where study_key = '{}'"
    assert questions.question(store, sql.format("peng-2019")).rows == ((">", 0.828, None),)
    assert questions.question(store, sql.format("cicero-2017")).rows == (("range", 0.85, 0.96),)
