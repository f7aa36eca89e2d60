"""Questions in SQL are answered; everything else is refused and changes nothing."""

import sqlite3

import pytest

from evidence import questions
from evidence.errors import QueryRefusedError
from evidence.store import Store

ATTACKS = [
    "DELETE FROM study",
    "INSERT INTO review (key) VALUES ('x')",
    "UPDATE study SET year = 1",
    "DROP TABLE study",
    "CREATE TABLE x (y)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE TEMP VIEW x AS SELECT 1",
    "ATTACH DATABASE '/tmp/other.sqlite' AS other",
    "ATTACH ':memory:' AS other",
    "VACUUM",
    "VACUUM INTO '/tmp/copy.sqlite'",
    "PRAGMA query_only = 0",
    "PRAGMA table_info(study)",
    "SELECT * FROM pragma_table_info('study')",
    "SELECT load_extension('x')",
    "SELECT writefile('/tmp/x', 'y')",
    "SELECT readfile('/etc/passwd')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT randomblob(1000000000)",
    "SELECT zeroblob(1000000000)",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE study",
    "WITH x AS (SELECT 1) DELETE FROM study",
    "WITH x AS (SELECT 1) INSERT INTO corpus SELECT 1, 2",
    "EXPLAIN SELECT 1",
    "BEGIN IMMEDIATE",
    "ROLLBACK",
    "SAVEPOINT x",
    "REINDEX",
    "ANALYZE",
    "",
    "   ",
    "-- only a comment",
    "SELECT",
    "SELECT \x00",
    "SELECT * FROM nothing",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_anything_but_one_select_is_refused_and_changes_nothing(store: Store, attack: str) -> None:
    before = store.path.read_bytes()
    with pytest.raises(QueryRefusedError, match=r"one SELECT|cannot be answered|not allowed here"):
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


def test_a_query_without_end_is_stopped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "QUERY_TIMEOUT_S", 0.05)
    bomb = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(QueryRefusedError, match="stopped"):
        questions.question(store, bomb)


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


def test_the_connection_itself_cannot_write(store: Store) -> None:
    connection = store.read_only()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM study")
    connection.close()
