"""Questions to PostgreSQL are answered as to SQLite; everything else is refused.

Three walls are shown one by one: the whole; the role in its transaction, without the check of the
syntax tree; and the role alone, in a transaction that it has made its own.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text

from evidence import postgres, postgres_questions, postgres_tree, questions
from evidence.errors import QueryRefusedError
from evidence.store import Store
from tests.integration.attacks import (
    BOMBS,
    HARMLESS,
    HIDDEN,
    NO_QUESTIONS,
    POSTGRES,
    REFUSAL,
    name_of,
)
from tests.postgres import Server

ATTACKS = [*NO_QUESTIONS, *HIDDEN, *POSTGRES]
#: Everything of a database that an attack could change, one row a table or a count.
STATE = """
SELECT relname, query_to_xml(format('SELECT count(*), md5(string_agg(t::text, %L ORDER BY t::text))
    FROM %I.%I t', ',', nspname, relname), true, true, '')::text
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND nspname IN ('public', 'evtl_private')
UNION ALL SELECT 'sequences', string_agg(s::text, ',' ORDER BY s) FROM pg_sequences s
UNION ALL SELECT 'relations', count(*)::text FROM pg_class
UNION ALL SELECT 'functions', count(*)::text FROM pg_proc
UNION ALL SELECT 'schemas', count(*)::text FROM pg_namespace
UNION ALL SELECT 'rights', md5(string_agg(relacl::text, ',' ORDER BY oid)) FROM pg_class
UNION ALL SELECT 'large objects', count(*)::text FROM pg_largeobject_metadata
UNION ALL SELECT 'roles', md5(string_agg(a::text, ',' ORDER BY oid)) FROM pg_authid a
UNION ALL SELECT 'settings', md5(string_agg(s::text, ',' ORDER BY s)) FROM pg_db_role_setting s
UNION ALL SELECT 'databases', count(*)::text FROM pg_database
UNION ALL SELECT 'advisory locks', count(*)::text FROM pg_locks WHERE locktype = 'advisory'
"""
#: A server ends a connection a moment after its client does; locks are kept until then.
GONE = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename ~ '^evtl_ask_'"


@pytest.fixture(scope="module")
def asked(postgres_server: Server, postgres_template: str) -> Iterator[Store]:
    """Store of an owner who is no superuser, with a table of somebody else's."""
    with postgres_server.database(postgres_template) as url:
        store = Store(url)
        with store.begin() as connection:
            connection.execute(text("CREATE TABLE unlisted AS SELECT 'secret' AS word"))
        questions.question(store, "SELECT 1")
        yield store


@pytest.fixture(scope="module")
def superusers(postgres_server: Server, postgres_template: str) -> Iterator[Store]:
    """Store that a superuser connects to, who may revoke what everybody may call."""
    with postgres_server.database(postgres_template) as url:
        store = Store(postgres_server.admin.set(database=url.database))
        questions.question(store, "SELECT 1")
        yield store


@pytest.fixture
def state(postgres_server: Server, asked: Store) -> Iterator[None]:
    """What the test leaves behind is what it found."""
    with postgres_server.administer(str(asked.engine.url.database)) as connection:
        before = connection.execute(STATE).fetchall()
        yield
        connection.execute(GONE)
        assert connection.execute(STATE).fetchall() == before


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test need not wait for."""
    monkeypatch.setattr(questions, "QUERY_TIMEOUT_S", 0.3)
    monkeypatch.setattr(questions, "GRACE_S", 0.3)


@pytest.fixture
def no_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The role alone: whatever is written reaches the server."""
    monkeypatch.setattr(postgres_questions, "only_select", lambda sql, *_: sql)


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("attack", ATTACKS, ids=name_of)
def test_anything_but_one_select_is_refused_and_changes_nothing(asked: Store, attack: str) -> None:
    with pytest.raises(QueryRefusedError, match=REFUSAL):
        questions.question(asked, attack)


@pytest.mark.parametrize("sql", HARMLESS)
def test_harmless_questions_have_the_answer_that_sqlite_gives(
    asked: Store, store: Store, sql: str
) -> None:
    found, expected = questions.question(asked, sql), questions.question(store, sql)
    assert len(found.rows) == len(expected.rows)
    for row, as_sqlite in zip(found.rows, expected.rows, strict=True):
        # Sums of floats in another order.
        near = [pytest.approx(v, rel=1e-12) if isinstance(v, float) else v for v in as_sqlite]
        assert list(row) == near
    if "VALUES" not in sql:  # whose columns each database names itself
        assert found.columns == expected.columns


def test_every_function_that_takes_a_row_is_known(asked: Store) -> None:
    """PostgreSQL calls it for a column that is not there; window functions need an OVER."""
    sql = """
    SELECT DISTINCT proname FROM pg_proc
    WHERE prokind <> 'w' AND pronargs >= 1 AND pronargs - pronargdefaults <= 1
    AND proargtypes[0] = ANY (ARRAY['record', '"any"', 'anyelement', 'anynonarray',
                                    'anycompatible', 'anycompatiblenonarray']::regtype[])
    """
    with asked.connect() as connection:
        names = set(connection.scalars(text(sql)))
    allowed = questions.SAFE_FUNCTIONS | postgres_tree.POSTGRES_FUNCTIONS
    assert "row_to_json" in names
    assert names - allowed <= postgres_tree.ROW_FUNCTIONS


def test_values_are_plain(asked: Store) -> None:
    sql = (
        "SELECT true, false, 12345678901234567890::numeric, 1.50::numeric, 'NaN'::float, "
        "'-inf'::float, NULL, 'x''y', cast('2020-01-02' AS date), array[1, 2]"
    )
    assert questions.question(asked, sql).rows == (
        (
            1,
            0,
            12345678901234567890.0,
            1.5,
            None,
            float("-inf"),
            None,
            "x'y",
            "2020-01-02",
            "{1,2}",
        ),
    )


@pytest.mark.usefixtures("no_tree")
def test_bytes_and_json_are_as_in_sqlite(asked: Store) -> None:
    sql = "SELECT '\\x00ff'::bytea, '{\"a\": 1}'::json, 0::oid"
    assert questions.question(asked, sql).rows == ((b"\x00\xff", '{"a": 1}', 0),)


@pytest.mark.usefixtures("state", "hasty")
@pytest.mark.parametrize("bomb", BOMBS, ids=name_of)
def test_a_query_without_end_is_stopped(asked: Store, bomb: str) -> None:
    with pytest.raises(QueryRefusedError, match="was stopped"):
        questions.question(asked, bomb)


def test_a_row_of_many_megabytes_is_not_sent(asked: Store) -> None:
    bomb = "SELECT string_agg(a.printed, '') AS x FROM printed_cell a, study"
    with pytest.raises(QueryRefusedError, match=r"a row of \d+ bytes is too big"):
        questions.question(asked, bomb)


def test_rows_and_bytes_beyond_the_caps_are_left_out_and_said(
    asked: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = questions.question(asked, "SELECT a.key FROM study a, study b")
    assert (len(found.rows), found.truncated) == (questions.QUERY_ROWS, True)
    monkeypatch.setattr(questions, "QUERY_BYTES", 1000)
    found = questions.question(asked, "SELECT 'é123456789' AS x FROM study")
    assert (len(found.rows), found.truncated) == (100, True)


@pytest.mark.usefixtures("state", "hasty", "no_tree")
@pytest.mark.parametrize("attack", ATTACKS, ids=name_of)
def test_the_role_in_its_transaction_changes_nothing(asked: Store, attack: str) -> None:
    """Sent as it stands over the extended protocol, without the tree and the limit of rows."""
    with closing(postgres_questions._connected(asked)) as connection:
        postgres_questions._begin(connection)
        try:
            connection.execute(attack.replace("\x00", " ").encode(errors="replace"), prepare=True)
        except psycopg.Error:
            connection.execute("ROLLBACK")


@pytest.mark.usefixtures("hasty", "no_tree")
@pytest.mark.parametrize("attack", ATTACKS, ids=name_of)
def test_without_the_tree_nothing_hidden_is_answered(asked: Store, attack: str) -> None:
    """Some questions about the server itself are answered; no row of a hidden table is."""
    try:
        found = str(questions.question(asked, attack).rows)
    except QueryRefusedError:
        return
    assert "secret" not in found
    assert str(postgres.reader_url(asked).password) not in found


#: What the role may not do even where it has a transaction of its own, to read and to write.
DENIED = [
    "SELECT * FROM public.study",
    "SELECT * FROM public.alembic_version",
    "SELECT * FROM public.unlisted",
    "SELECT * FROM evtl_private.reader",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_largeobject",
    "DELETE FROM ask.study",
    "UPDATE ask.study SET year = 1",
    "INSERT INTO ask.review (key) VALUES ('x')",
    "WITH x AS (DELETE FROM ask.study RETURNING *) SELECT * FROM x",
    "SELECT * FROM ask.study FOR UPDATE",
    "BEGIN; LOCK TABLE ask.study IN ACCESS EXCLUSIVE MODE",
    "DROP VIEW ask.study",
    "CREATE TABLE ask.x (y int)",
    "CREATE TABLE public.x (y int)",
    "CREATE TEMP TABLE x (y int)",
    "CREATE SCHEMA x",
    "CREATE ROLE x",
    "CREATE DATABASE x",
    "SET ROLE evtl_owner",
    "SET SESSION AUTHORIZATION evtl_owner",
    "ALTER ROLE evtl_owner SUPERUSER",
    "GRANT evtl_owner TO CURRENT_USER",
    "GRANT SELECT ON public.study TO PUBLIC",
    "ALTER SYSTEM SET fsync = off",
    "COPY (SELECT 1) TO '/nowhere/x'",
    "COPY (SELECT 1) TO PROGRAM 'false'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_read_binary_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT pg_stat_file('.')",
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_export(1, '/nowhere/x')",
    "SELECT pg_reload_conf()",
]
#: And what only a superuser can take from it.
REVOKED = [
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_creat(-1)",
    "SELECT set_config('role', 'evtl_owner', false)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_notify('x', 'y')",
    "SELECT pg_sleep(0)",
    "SELECT pg_terminate_backend(1)",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT ts_stat('SELECT 1')",
]


def as_reader(store: Store, attack: str) -> None:
    """Log in as the role and do everything to be allowed more."""
    address = postgres.reader_url(store).set(drivername="postgresql")
    with psycopg.connect(
        address.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("SET statement_timeout = 0")
        connection.execute(attack)


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("attack", DENIED)
def test_the_role_alone_neither_writes_nor_reads_what_is_hidden(asked: Store, attack: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match=r"permission|must (be|have)|privilege"):
        as_reader(asked, attack)


@pytest.mark.parametrize("attack", [*DENIED, *REVOKED])
def test_a_superuser_takes_more_from_the_role(superusers: Store, attack: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match=r"permission|must (be|have)|privilege"):
        as_reader(superusers, attack)


def test_the_owner_keeps_what_the_superuser_takes_from_everybody(
    superusers: Store, postgres_server: Server
) -> None:
    """Or the owner could no longer dump the database."""
    owner = postgres_server.owner.set(database=superusers.engine.url.database)
    with Store(owner).begin() as connection:
        assert connection.execute(text("SELECT set_config('work_mem', '8MB', true)")).scalar()


@pytest.mark.usefixtures("hasty", "no_tree")
@pytest.mark.parametrize("hung", [False, True])
def test_what_the_server_does_not_stop_is_stopped_from_here(
    asked: Store, monkeypatch: pytest.MonkeyPatch, hung: bool
) -> None:
    monkeypatch.setattr(
        postgres_questions, "_begin", lambda found: found.execute("SET statement_timeout = 0")
    )
    if hung:  # the server does not even hear that it should cancel
        monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda *_args, **_more: None)
    with pytest.raises(QueryRefusedError, match="was stopped"):
        questions.question(asked, "SELECT pg_sleep(600)")


@pytest.mark.slow
@pytest.mark.usefixtures("state")
def test_honest_questions_are_answered_among_as_many_attacks(asked: Store) -> None:
    attacks = [*BOMBS[:2], *HIDDEN, *POSTGRES[::3]][:32]
    honest = "SELECT count(*) FROM study"

    def ask(sql: str) -> Any:
        try:
            return questions.question(asked, sql).rows
        except QueryRefusedError as error:
            return str(error)

    mixed = [sql for attack in attacks for sql in (attack, honest)]
    with ThreadPoolExecutor(64) as threads:
        answers = list(threads.map(ask, mixed))
    assert len(attacks) == 32
    assert all(isinstance(answer, str) for answer in answers[0::2])
    assert set(answers[1::2]) == {questions.question(asked, honest).rows}
