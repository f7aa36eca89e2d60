"""Ask PostgreSQL one question, as the role that can only read.

Each question has a connection of its own. It is sent over the extended protocol, which takes one
statement, inside a READ ONLY transaction that has begun to read and so cannot be made to write,
and that is always rolled back.
"""

import math
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.types.string import TextLoader

from evidence import questions
from evidence.errors import EvidenceError, QueryRefusedError
from evidence.postgres import reader_url
from evidence.postgres_tree import SCHEMA, column_names, only_select
from evidence.questions import Answer
from evidence.store import Store

#: How long a server may take to answer a new connection.
CONNECT_TIMEOUT_S = 10
#: Digits that fit a 64-bit integer whatever they are; longer ones are floats, as on SQLite.
INTEGER_DIGITS = 18
#: Can this role do more than read? Then nothing is asked as this role. It is the transaction's
#: first query too, after which READ WRITE cannot be set any more.
_CAN_WRITE: LiteralString = """
SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
    OR EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid)
    OR EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p', 'f')
               AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
FROM pg_roles r WHERE rolname = current_user
"""
#: The server bounds the rows, and fails rather than send a row that is too large to be meant.
#: The inner LIMIT also keeps it from computing the question twice.
_BOUNDED: LiteralString = """
SELECT * FROM (SELECT * FROM (
{question}
) AS asked LIMIT {rows}) AS asked
WHERE CASE WHEN octet_length(asked::text) <= {row_bytes} THEN true
      ELSE ('a row of ' || octet_length(asked::text) || ' bytes is too big')::boolean END
"""


def ask_postgres(store: Store, statements: Sequence[str]) -> tuple[Answer, ...]:
    """Answer SELECTs within the limits of `evidence.questions`.

    Values come back as SQLite gives them: truth as 1 or 0; ``numeric`` as an int where it has no
    decimals and fits 64 bits, else as a float; not-a-number as None. Whatever else is no number,
    text or bytes (dates, JSON, arrays) comes back as its text.

    Raises
    ------
    QueryRefusedError
        The query is something else than one SELECT, is wrong, or exceeds a limit.
    EvidenceError
        The role that asks is missing, cannot log in, or can write.
    """
    found: list[Answer] = []
    try:
        _checked(statements[0])  # what is no question needs no connection
        with closing(_connected(store)) as connection, _watched(connection) as overdue:
            for statement in statements:
                found.append(_answered(connection, _checked(statement), overdue))
    except QueryRefusedError as error:
        error.position = len(found)
        raise
    return tuple(found)


def _checked(statement: str) -> str:
    return only_select(statement, questions.READABLE, questions.SAFE_FUNCTIONS)


def _answered(
    connection: psycopg.Connection[Any], statement: str, overdue: threading.Event
) -> Answer:
    try:
        _begin(connection)
        return _bounded(connection, statement)
    except (psycopg.Error, UnicodeError) as error:
        reason = "interrupted" if overdue.is_set() else _reason(error)
        raise QueryRefusedError(questions.refusal(reason)) from error
    finally:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")


def _connected(store: Store) -> psycopg.Connection[Any]:
    login = reader_url(store)
    _, options = store.engine.dialect.create_connect_args(login)
    own = {"context": _as_sqlite(), "connect_timeout": CONNECT_TIMEOUT_S, "autocommit": True}
    try:
        return psycopg.connect(**{**options, **own}, client_encoding="UTF8")
    except psycopg.Error as error:
        msg = (
            f"the role {login.username}, which answers questions, cannot log in: {error}; the "
            "server must let it in with its password (pg_hba.conf), or EVTL_READER_URL name another"
        )
        raise EvidenceError(msg) from error


@contextmanager
def _watched(connection: psycopg.Connection[Any]) -> Iterator[threading.Event]:
    """Event that is set when what the server does not end by itself has been ended from here."""
    finished, overdue = threading.Event(), threading.Event()
    watchdog = threading.Thread(target=_watch, args=(connection, finished, overdue), daemon=True)
    watchdog.start()
    try:
        yield overdue
    finally:
        finished.set()
        watchdog.join()


def _watch(
    connection: psycopg.Connection[Any], finished: threading.Event, overdue: threading.Event
) -> None:
    """Ask the server to cancel, and hang up where that does not help."""
    if finished.wait(questions.QUERY_TIMEOUT_S + questions.GRACE_S):
        return
    overdue.set()
    with suppress(psycopg.Error, OSError):
        connection.cancel_safe(timeout=questions.GRACE_S)
    if finished.wait(questions.GRACE_S):
        return
    with (
        suppress(psycopg.Error, OSError),
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


def _begin(connection: psycopg.Connection[Any]) -> None:
    """Read-only transaction with limits of its own, whoever the role is."""
    milliseconds = str(int(1000 * questions.QUERY_TIMEOUT_S))
    limits = {
        "search_path": SCHEMA,
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        "client_connection_check_interval": "1s",
        "jit": "off",  # compiles longer than most questions run
    }
    connection.execute("BEGIN READ ONLY")
    for name, value in limits.items():
        connection.execute(sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), value))
    row = connection.execute(_CAN_WRITE).fetchone()
    if row is None or row[0]:
        msg = (
            f"the role {connection.info.user} can do more than read, so nothing is asked as it; "
            "set EVTL_READER_URL to one that can only read, or unset it"
        )
        raise EvidenceError(msg)


def _bounded(connection: psycopg.Connection[Any], statement: str) -> Answer:
    """Rows up to `QUERY_ROWS` and about `QUERY_BYTES`, one at a time over the line."""
    # Prepared, for the extended protocol; without rows, for the names that an empty answer has.
    described = connection.execute(_limited(statement, 0), prepare=True).description or ()
    columns = column_names(statement, [column.name for column in described])
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in connection.cursor().stream(_limited(statement, questions.QUERY_ROWS + 1)):
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if len(rows) == questions.QUERY_ROWS or size > questions.QUERY_BYTES:
            return Answer(columns, tuple(rows), truncated=True)
        rows.append(row)
    return Answer(columns, tuple(rows), truncated=False)


def _limited(statement: str, rows: int) -> sql.Composed:
    question, row_bytes = sql.SQL(statement), questions.QUERY_VALUE_BYTES
    return sql.SQL(_BOUNDED).format(question=question, rows=rows, row_bytes=row_bytes)


def _reason(error: psycopg.Error | UnicodeError) -> str:
    """The server's words, in SQLite's where `questions.refusal` knows them."""
    message = (isinstance(error, psycopg.Error) and error.diag.message_primary) or str(error)
    if isinstance(error, errors.QueryCanceled):
        return "interrupted"
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return f"not authorized: {message}"
    return message.removeprefix("invalid input syntax for type boolean: ")


class _Truth(Loader):
    def load(self, data: Buffer) -> int:
        return int(data == b"t")


class _Float(Loader):
    def load(self, data: Buffer) -> float | None:
        value = float(bytes(data))
        return None if math.isnan(value) else value


class _Numeric(_Float):
    def load(self, data: Buffer) -> float | None:
        digits = bytes(data)
        whole = digits.lstrip(b"-").isdigit() and len(digits) <= INTEGER_DIGITS
        return int(digits) if whole else super().load(data)


#: How values become Python's: these, and text for whatever psycopg has no such type for.
_LOADERS: dict[str, type[_Truth | _Float | _Numeric]] = {
    "bool": _Truth,
    "float4": _Float,
    "float8": _Float,
    "numeric": _Numeric,
}
_PLAIN = frozenset({"int2", "int4", "int8", "oid", "bytea"})


@cache
def _as_sqlite() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    for kind in adapters.types:
        if kind.name not in _PLAIN:
            adapters.register_loader(kind.oid, _LOADERS.get(kind.name, TextLoader))
        if kind.array_oid:
            adapters.register_loader(kind.array_oid, TextLoader)
    return adapters
