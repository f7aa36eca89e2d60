"""The database: where it is, made and filled on first use, opened read-only for questions.

Nothing is ever half made: a new SQLite file is built aside and renamed into place; a newer
corpus replaces the older one in one transaction.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from evidence.errors import EvidenceError

#: Newest migration; a test compares it with Alembic's own head. Reading Alembic at every start
#: would cost more than answering.
HEAD = "0002"
#: How long a writer waits for another one before it gives up.
BUSY_TIMEOUT_S = 30.0


def shipped(name: str) -> Path:
    """Folder that ships with evtl: inside the installed package, else beside it in a checkout."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parent.parent / name


def database_url() -> str | URL:
    """``EVTL_DATABASE_URL``, else an SQLite file in the user's data directory."""
    default = platformdirs.user_data_path("evtl") / "evtl.sqlite"
    return os.environ.get("EVTL_DATABASE_URL") or URL.create("sqlite", database=str(default))


class Store:
    """An evidence store that is there, migrated and filled.

    Parameters
    ----------
    url : str or None
        SQLAlchemy URL; None for `database_url`.

    Raises
    ------
    EvidenceError
        The URL is not understood, the file cannot be made or opened, or it is from a newer evtl.
    """

    def __init__(self, url: str | None = None) -> None:
        self.path = _sqlite_path(url or database_url())
        self.engine = _engine(self.path)
        self._make_ready()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Connection for reading."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Connection for writing: all or nothing."""
        with self._translated(), self.engine.begin() as connection:
            yield connection

    def read_only(self) -> sqlite3.Connection:
        """Bare connection that the database itself keeps from writing."""
        return sqlite3.connect(f"file:{_quoted(self.path)}?mode=ro", uri=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, sqlite3.OperationalError) as error:
            msg = f"database {self.path}: {getattr(error, 'orig', error)}"
            raise EvidenceError(msg) from error

    def _make_ready(self) -> None:
        from evidence.ingest import corpus_digest  # noqa: PLC0415  (parsers only when needed)

        state = _state(self.path)
        if state == (HEAD, corpus_digest(shipped("data"))):
            return
        if state is None:
            self._create()
        elif state[0] is not None and state[0] > HEAD:
            msg = (
                f"database {self.path} has schema {state[0]}, this evtl knows up to {HEAD}: "
                "upgrade evtl, or set EVTL_DATABASE_URL to another file"
            )
            raise EvidenceError(msg)
        else:
            with self._translated():
                _fill(self.engine)

    def _create(self) -> None:
        """Build the file aside; the first of several builders at once wins, all are the same."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with (
                self._translated(),
                tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".evtl-") as folder,
            ):
                draft = Path(folder) / self.path.name
                _fill(_engine(draft))
                try:
                    os.link(draft, self.path)
                except FileExistsError:
                    self._make_ready()
                except OSError:  # a file system without hard links
                    draft.replace(self.path)
        except OSError as error:
            msg = f"cannot create the database {self.path}: {error.strerror or error}"
            raise EvidenceError(msg) from error


def _sqlite_path(url: str | URL) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        msg = f"EVTL_DATABASE_URL {url!r} is no database URL; write sqlite:////path/to/file.sqlite"
        raise EvidenceError(msg) from None
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        msg = (
            f"EVTL_DATABASE_URL {parsed.render_as_string()!r}: this version keeps its evidence in "
            "an SQLite file; write sqlite:////path/to/file.sqlite"
        )
        raise EvidenceError(msg)
    return Path(str(parsed.database)).expanduser().resolve()


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _enforce_foreign_keys)
    return engine


def _enforce_foreign_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


def _state(path: Path) -> tuple[str | None, str | None] | None:
    """Schema version and corpus digest of an existing store; None where there is no file."""
    if not path.exists():
        return None
    if not path.is_file():
        msg = f"{path} is no file; set EVTL_DATABASE_URL to a file"
        raise EvidenceError(msg)
    try:
        connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            version, digest = None, None
            if "alembic_version" in tables:
                version = next(
                    connection.execute("SELECT version_num FROM alembic_version"), (None,)
                )[0]
            elif tables:
                msg = f"{path} is an SQLite database of something else; name another file"
                raise EvidenceError(msg)
            if "corpus" in tables:
                digest = next(connection.execute("SELECT digest FROM corpus"), (None,))[0]
            return version, digest
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        msg = f"{path} cannot be read as an SQLite database: {error}"
        raise EvidenceError(msg) from error


def _fill(engine: Engine) -> None:
    """Migrate to `HEAD` and load the shipped corpus."""
    from alembic import command  # noqa: PLC0415  (only where there is something to migrate)
    from alembic.config import Config  # noqa: PLC0415

    from evidence.ingest import load_corpus  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    with engine.begin() as connection:
        load_corpus(connection, shipped("data"))
