"""The database: where it is, made and filled on first use, opened read-only for questions.

Nothing is ever half made: a new SQLite file is built aside and renamed into place, a PostgreSQL
database is filled in one transaction; a newer corpus replaces the older one in one transaction,
with the store's own changes laid over it.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import platformdirs
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from evidence.errors import EvidenceError
from evidence.shipped import corpus_digest, shipped

#: Newest migration; a test compares it with Alembic's own head. Reading Alembic at every start
#: would cost more than answering.
HEAD = "0007"
#: How long a writer waits for another one before it gives up.
BUSY_TIMEOUT_S = 60.0
#: Names the lock that writers of one PostgreSQL database take in turn.
WRITER_LOCK = 7_316_017
#: Connections that a store which stays open keeps.
KEPT_OPEN = 4


def database_url() -> str | URL:
    """``EVTL_DATABASE_URL``, else an SQLite file in the user's data directory."""
    default = platformdirs.user_data_path("evtl") / "evtl.sqlite"
    return os.environ.get("EVTL_DATABASE_URL") or URL.create("sqlite", database=str(default))


class _State(NamedTuple):
    """What an existing database says of itself."""

    version: str | None
    digest: str | None


class Store:
    """An evidence store that is there, migrated and filled.

    Parameters
    ----------
    url : str or None
        SQLAlchemy URL of an SQLite file or a PostgreSQL database; None for `database_url`.
    stays_open : bool
        Keep connections open between two uses: a server asks often, a command once or twice.

    Attributes
    ----------
    url : sqlalchemy.engine.URL
    dialect : str
        ``sqlite`` or ``postgresql``.

    Raises
    ------
    EvidenceError
        The URL is not understood, the database cannot be made or opened, or it is from a newer
        evtl.
    """

    def __init__(self, url: str | URL | None = None, *, stays_open: bool = False) -> None:
        self.url = _parsed(url or database_url())
        self.dialect = self.url.get_backend_name()
        self.engine = _engine(self.url, stays_open=stays_open)
        self._make_ready()
        self._opened_in = self._file()

    @property
    def path(self) -> Path:
        """The file of an SQLite store."""
        return Path(str(self.url.database))

    @property
    def is_there(self) -> bool:
        """Whether an SQLite store is still in the file that it was opened in."""
        return self._file() == self._opened_in

    def _file(self) -> tuple[int, int] | None:
        if self.dialect != "sqlite":
            return None
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Connection for reading, of one state of the store."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Connection for writing: all or nothing, one writer at a time."""
        with self._translated(), self.engine.connect() as connection:
            connection = connection.execution_options(evtl_writes=True)
            with connection.begin():
                take_turn(connection)
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            cause = str(getattr(error, "orig", error)).strip()
            if cause == "database is locked":
                cause = "another evtl is writing to it; try again in a moment"
            msg = f"database {self.url.render_as_string()}: {cause}"
            raise EvidenceError(msg) from error

    def _make_ready(self) -> None:
        state = self._state()
        if state == (HEAD, corpus_digest(shipped("data"))):
            return
        if state is None:
            self._create()
        elif state.version is not None and state.version > HEAD:
            msg = (
                f"database {self.url.render_as_string()} has schema {state.version}, this evtl "
                f"knows up to {HEAD}: upgrade evtl, or set EVTL_DATABASE_URL to another database"
            )
            raise EvidenceError(msg)
        else:
            with self._translated():
                fill(self.url)

    def _create(self) -> None:
        """Build the file aside; the first of several builders at once wins, all are the same."""
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with (
                self._translated(),
                tempfile.TemporaryDirectory(dir=path.parent, prefix=".evtl-") as folder,
            ):
                draft = Path(folder) / path.name
                fill(self.url.set(database=str(draft)))
                try:
                    os.link(draft, path)
                except FileExistsError:
                    self._make_ready()
                except OSError:  # a file system without hard links
                    draft.replace(path)
        except OSError as error:
            msg = f"cannot create the database {path}: {error.strerror or error}"
            raise EvidenceError(msg) from error

    def _state(self) -> _State | None:
        """Version and corpus of an existing database; None where there is no file yet."""
        if self.dialect == "sqlite" and not self.path.exists():
            return None
        if self.dialect == "sqlite" and not self.path.is_file():
            msg = f"{self.path} is no file; set EVTL_DATABASE_URL to a file"
            raise EvidenceError(msg)
        try:
            with self.engine.connect() as connection:
                return _state(connection)
        except DBAPIError as error:
            kind = "an SQLite" if self.dialect == "sqlite" else "a PostgreSQL"
            msg = (
                f"{self.url.render_as_string()} cannot be read as {kind} database: "
                f"{str(error.orig).strip()}"
            )
            raise EvidenceError(msg) from error


_open: dict[str, Store] = {}
_opening = Lock()


def opened() -> Store:
    """The store of `database_url`, which this process opens once and keeps open.

    Raises
    ------
    EvidenceError
        As for `Store`.
    """
    url = str(database_url())
    with _opening:
        if url not in _open or not _open[url].is_there:
            for other in _open.values():
                other.engine.dispose()
            _open.clear()
            _open[url] = Store(stays_open=True)
        return _open[url]


def take_turn(connection: Connection) -> None:
    """Wait until no other writer of a PostgreSQL database is at work; SQLite does so itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": WRITER_LOCK})


def _state(connection: Connection) -> _State:
    tables = set(inspect(connection).get_table_names())
    if tables and "alembic_version" not in tables:
        msg = (
            f"{connection.engine.url.render_as_string()} is a database of something else; "
            "name another one"
        )
        raise EvidenceError(msg)
    version = digest = None
    if "alembic_version" in tables:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if "corpus" in tables:
        digest = connection.execute(text("SELECT digest FROM corpus")).scalar()
    return _State(version, digest)


def _parsed(url: str | URL) -> URL:
    allowed = "write sqlite:////path/to/file.sqlite or postgresql+psycopg://user@host/database"
    try:
        parsed = make_url(url)
    except ArgumentError:
        msg = f"EVTL_DATABASE_URL {url!r} is no database URL; {allowed}"
        raise EvidenceError(msg) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed.set(database=str(Path(str(parsed.database)).expanduser().resolve()))
    if backend == "postgresql" and parsed.database:
        return parsed.set(drivername="postgresql+psycopg")
    msg = f"EVTL_DATABASE_URL {parsed.render_as_string()!r} names no such database; {allowed}"
    raise EvidenceError(msg)


def _engine(url: URL, *, foreign_keys: bool = True, stays_open: bool = False) -> Engine:
    """Engine without a pool unless it is to stay open.

    On SQLite transactions are begun by us, so that a writer holds its lock from the first read on
    and tables are changed within a transaction.
    """
    if url.get_backend_name() == "postgresql":
        return _postgres_engine(url, stays_open=stays_open)
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_S}, **_pool(stays_open=stays_open)
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("evtl_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _pool(*, stays_open: bool) -> dict[str, Any]:
    """How connections are kept: none, or a few, and for as many more as are asked for at once."""
    if stays_open:
        return {"poolclass": QueuePool, "pool_size": KEPT_OPEN, "max_overflow": -1}
    return {"poolclass": NullPool}


def _postgres_engine(url: URL, *, stays_open: bool) -> Engine:
    # A server that was restarted has ended the connections to it.
    alive = {"pool_pre_ping": True} if stays_open else {}
    try:
        return create_engine(
            url, connect_args={"connect_timeout": 10}, **_pool(stays_open=stays_open), **alive
        )
    except ModuleNotFoundError as error:
        msg = f"PostgreSQL needs {error.name}: install the extra, pip install 'evtl[postgres]'"
        raise EvidenceError(msg) from error


def fill(url: URL) -> None:
    """Migrate to `HEAD` and load the shipped corpus, with the store's own changes over it."""
    from evidence.changes import overlay  # noqa: PLC0415  (only where there is something to load)
    from evidence.ingest import load_corpus  # noqa: PLC0415

    migrate(url, "head")
    with _engine(url).execution_options(evtl_writes=True).begin() as connection:
        take_turn(connection)
        if _state(connection).digest != corpus_digest(shipped("data")):
            load_corpus(connection, shipped("data"), overlay(connection))
        if connection.dialect.name == "postgresql":
            from evidence.postgres import prepare_reader  # noqa: PLC0415  (needs its driver)

            prepare_reader(connection)


def migrate(url: URL, revision: str) -> None:
    """Bring the tables of a database up to a revision, or down to it, all or nothing."""
    # Rebuilding a table would silently delete what points to it while foreign keys are enforced.
    engine = _engine(url, foreign_keys=False).execution_options(evtl_writes=True)
    with engine.begin() as connection:
        take_turn(connection)
        _migrate(connection, revision)


def _migrate(connection: Connection, revision: str) -> None:
    from alembic import command  # noqa: PLC0415  (only where there is something to migrate)
    from alembic.config import Config  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        from evidence.postgres import withdraw_views  # noqa: PLC0415  (needs its driver)

        withdraw_views(connection)
    now = MigrationContext.configure(connection).get_current_revision()
    down = revision == "base" or (now is not None and revision.isdigit() and now > revision)
    (command.downgrade if down else command.upgrade)(config, revision)
