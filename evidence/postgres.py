"""Who may ask a PostgreSQL store: a role that reads some views and can do nothing else.

Questions are asked as a role of their own, one a database, because nothing less holds: whoever may
write can leave a READ ONLY transaction, and a superuser reads and writes the server's files from
within one. The role sees the schema `ask`, which has a view for each table that may be read.

References
----------
https://www.postgresql.org/docs/current/ddl-priv.html, "Privileges".
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.errors import (
    InsufficientPrivilege,
    InvalidSchemaName,
    UndefinedObject,
    UndefinedTable,
)
from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from evidence.errors import EvidenceError
from evidence.postgres_tree import SCHEMA
from evidence.questions import GRACE_S, QUERY_FILE_BYTES, QUERY_TIMEOUT_S, READABLE
from evidence.store import Store

#: Names a login that an administrator made, where the owner may make none.
VARIABLE = "EVTL_READER_URL"
#: Where the role's password is kept; only the owner may look.
PRIVATE = "evtl_private"
#: Any number, the same in every process: of several parallel starts, one at a time prepares.
LOCK = 5_370_202_206_986
_LONGEST_MS = str(int(1000 * (QUERY_TIMEOUT_S + GRACE_S)))
#: What the role begins with. A question sets its own limits; these bound any other use of it.
DEFAULTS = {
    "search_path": SCHEMA,
    "default_transaction_read_only": "on",
    "statement_timeout": _LONGEST_MS,
    "lock_timeout": _LONGEST_MS,
    "idle_in_transaction_session_timeout": _LONGEST_MS,
    "idle_session_timeout": _LONGEST_MS,
    "work_mem": "16MB",
    "temp_file_limit": f"{QUERY_FILE_BYTES // 1024}kB",  # only a superuser may set it
}
#: PostgreSQL's functions that write, wait, signal, read files or run a text as SQL, and that
#: everybody may call until it is revoked.
DANGEROUS = (
    "^(lo_.*|loread|lowrite|set_config|pg_notify|pg_(try_)?advisory_.*|pg_sleep.*|pg_read_.*"
    "|pg_ls_.*|pg_stat_file|pg_cancel_backend|pg_terminate_backend|pg_export_snapshot"
    "|pg_logical_emit_message|(query|table|cursor|schema|database)_to_xml.*|ts_stat|ts_rewrite)$"
)
#: 64 connections: several processes of `PARALLEL_QUESTIONS` each.
_CREATE_ROLE: LiteralString = (
    "CREATE ROLE {role} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
    "NOBYPASSRLS CONNECTION LIMIT 64 PASSWORD {password}"
)
_PLEA = """\
questions need a role that can only read, and {owner} may not make it; ask the administrator to run
  GRANT CREATE ON DATABASE {database} TO {owner};
  {create};
and set {variable}={url}"""


def reader_name(database: str) -> str:
    """Role that asks a database: roles belong to the whole server, so that each has its own."""
    return f"evtl_ask_{hashlib.sha256(database.encode()).hexdigest()[:16]}"


def withdraw_views(connection: Connection) -> None:
    """Drop the views, which would keep a migration from changing their tables."""
    _run(_driver(connection), "DROP SCHEMA IF EXISTS {} CASCADE", SCHEMA)


def prepare_reader(connection: Connection) -> None:
    """Make the views and the role that reads them, and take from everybody what is not theirs.

    May be done again at any time and by several processes at once. What the owner may not do is
    left out: `reader_url` says so when somebody asks.

    Parameters
    ----------
    connection : Connection
        Of the owner of a migrated database, in a transaction that the caller commits.

    Raises
    ------
    EvidenceError
        ``EVTL_READER_URL`` is no URL.
    """
    driver, given = _driver(connection), _given()
    database = driver.info.dbname
    role = str(given.username) if given else reader_name(database)
    driver.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    with _where_permitted(driver):
        _make_views(driver)
    with _where_permitted(driver):
        if not given:
            _make_role(driver, role)
        _run(driver, "GRANT CONNECT ON DATABASE {} TO {}", database, role)
        _run(driver, "GRANT USAGE ON SCHEMA {} TO {}", SCHEMA, role)
        _run(driver, "GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}", SCHEMA, role)
    with _where_permitted(driver):
        _run(driver, "REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC", database)
    with _where_permitted(driver):
        _run(driver, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    _revoke_dangerous(driver)


def reader_url(store: Store) -> URL:
    """Where questions are asked; makes the role and its views where they are missing.

    Raises
    ------
    EvidenceError
        The role is missing and may not be made; the message is what to ask an administrator for.
    """
    owner = store.engine.url
    with store.begin() as connection:
        login = _login(connection, owner)
        if login is None:
            prepare_reader(connection)
            login = _login(connection, owner)
    if login is None:
        raise EvidenceError(_plea(owner))
    return login


def _login(connection: Connection, owner: URL) -> URL | None:
    """URL of a role that is there and may read the views."""
    driver, given = _driver(connection), _given()
    role = str(given.username) if given else reader_name(driver.info.dbname)
    ready = driver.execute(
        "SELECT 1 FROM pg_roles r, pg_namespace n WHERE r.rolname = %s AND n.nspname = %s"
        " AND has_schema_privilege(r.oid, n.oid, 'USAGE')",
        (role, SCHEMA),
    ).fetchone()
    if ready is None or given:
        return given if ready else None
    password = _password(driver, role)
    return owner.set(username=role, password=password) if password else None


def _given() -> URL | None:
    written = os.environ.get(VARIABLE)
    try:
        return make_url(written) if written else None
    except ArgumentError:
        msg = f"{VARIABLE} is no database URL; write postgresql+psycopg://role:password@host/name"
        raise EvidenceError(msg) from None


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's own connection, for its quoting and savepoints, inside the same transaction."""
    connection.exec_driver_sql("SELECT 1")  # psycopg begins with the first statement
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


@contextmanager
def _where_permitted(driver: psycopg.Connection[Any]) -> Iterator[None]:
    """All of what stands here, or nothing of it where the owner may not."""
    with suppress(InsufficientPrivilege, UndefinedObject, InvalidSchemaName), driver.transaction():
        yield


def _run(driver: psycopg.Connection[Any], statement: LiteralString, *names: str) -> None:
    driver.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _make_views(driver: psycopg.Connection[Any]) -> None:
    _run(driver, "DROP SCHEMA IF EXISTS {} CASCADE", SCHEMA)
    _run(driver, "CREATE SCHEMA {}", SCHEMA)
    there = driver.execute(
        "SELECT current_schema(), relname FROM pg_class WHERE relname = ANY (%s)"
        " AND relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')",
        (list(READABLE),),
    ).fetchall()
    for schema, name in there:
        _run(driver, "CREATE VIEW {}.{} AS SELECT * FROM {}.{}", SCHEMA, name, schema, name)


def _make_role(driver: psycopg.Connection[Any], role: str) -> None:
    """Role and password, left as they are where both are there."""
    _run(driver, "CREATE SCHEMA IF NOT EXISTS {}", PRIVATE)
    keep = "CREATE TABLE IF NOT EXISTS {}.reader (role text PRIMARY KEY, password text NOT NULL)"
    _run(driver, keep, PRIVATE)
    known = driver.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    if known is None:
        _set_password(driver, role, _CREATE_ROLE)
    elif _password(driver, role) is None:  # of a database of this name that is no more
        _set_password(driver, role, "ALTER ROLE {role} PASSWORD {password}")
    for name, value in DEFAULTS.items():
        with _where_permitted(driver):
            setting = sql.SQL("ALTER ROLE {} SET {} = {}")
            driver.execute(setting.format(sql.Identifier(role), sql.Identifier(name), value))


def _set_password(driver: psycopg.Connection[Any], role: str, statement: LiteralString) -> None:
    """Give the role a new random password; the server only ever sees what verifies it."""
    password = secrets.token_hex(32)
    verifier = driver.pgconn.encrypt_password(password.encode(), role.encode()).decode()
    driver.execute(
        sql.SQL(statement).format(role=sql.Identifier(role), password=sql.Literal(verifier))
    )
    driver.execute(
        sql.SQL(
            "INSERT INTO {}.reader VALUES (%s, %s)"
            " ON CONFLICT (role) DO UPDATE SET password = excluded.password"
        ).format(sql.Identifier(PRIVATE)),
        (role, password),
    )


def _password(driver: psycopg.Connection[Any], role: str) -> str | None:
    query = sql.SQL("SELECT password FROM {}.reader WHERE role = %s")
    with suppress(InsufficientPrivilege, UndefinedTable, InvalidSchemaName), driver.transaction():
        row = driver.execute(query.format(sql.Identifier(PRIVATE)), (role,)).fetchone()
        return str(row[0]) if row else None
    return None


def _revoke_dangerous(driver: psycopg.Connection[Any]) -> None:
    """Keep `DANGEROUS` to the owner of the database; only a superuser may do this."""
    if driver.info.parameter_status("is_superuser") != "on":
        return
    changes: tuple[LiteralString, ...] = (
        "REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION {} TO pg_database_owner",  # who dumps the database
    )
    found = driver.execute(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ %s",
        (DANGEROUS,),
    ).fetchall()
    functions = sql.SQL(", ").join(sql.SQL(name) for (name,) in found)
    with _where_permitted(driver):
        for change in changes:
            driver.execute(sql.SQL(change).format(functions))


def _plea(owner: URL) -> str:
    role = reader_name(str(owner.database))
    create = sql.SQL(_CREATE_ROLE).format(role=sql.Identifier(role), password=sql.SQL("'...'"))
    return _PLEA.format(
        database=sql.Identifier(str(owner.database)).as_string(),
        owner=sql.Identifier(str(owner.username)).as_string(),
        create=create.as_string(),
        variable=VARIABLE,
        url=owner.set(username=role, password="...").render_as_string(hide_password=False),
    )
