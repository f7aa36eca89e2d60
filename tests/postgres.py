"""A PostgreSQL server of the tests' own: made once, private, stopped when the tests are over.

It listens on a free port of the loopback device and asks for passwords, as a team's server would.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL

#: Whoever owns the tests' databases: no superuser, but may create the role that asks.
OWNER = "evtl_owner"
#: Speed instead of safety: nothing here outlives the tests.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
}
#: Debian keeps a server's programs out of PATH.
DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes
    ----------
    admin : URL
        Where its superuser connects.
    owner : URL
        Where the owner of the tests' databases connects, without a database.
    """

    admin: URL
    owner: URL

    @contextmanager
    def administer(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """Connection of the superuser; every statement stands for itself."""
        address = self.admin.set(drivername="postgresql", database=database)
        with psycopg.connect(
            address.render_as_string(hide_password=False), autocommit=True
        ) as connection:
            yield connection

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[URL]:
        """Database of its own for one test, a copy of `template`, dropped afterwards."""
        name = f"evtl_{secrets.token_hex(6)}"
        create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        with self.administer() as connection:
            connection.execute(create.format(*map(sql.Identifier, (name, OWNER, template))))
        try:
            yield self.owner.set(database=name)
        finally:
            with self.administer() as connection:
                connection.execute(drop)


def programs() -> Path | None:
    """Folder of initdb, pg_ctl and postgres; the newest where Debian keeps several."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(DEBIAN.glob("*/bin"), key=lambda folder: -float(folder.parent.name))
    needed = ("initdb", "pg_ctl", "postgres")
    return next((f for f in folders if all((f / name).exists() for name in needed)), None)


def account() -> pwd.struct_passwd | None:
    """Whom the server runs as: ourselves, or `postgres` for root, whom initdb refuses."""
    try:
        return pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    except KeyError:
        return None


def free_port() -> int:
    """A port of the loopback device that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(user: pwd.struct_passwd, *command: str | Path) -> None:
    other = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    subprocess.run(
        [str(word) for word in command],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        **(other if os.geteuid() == 0 else {}),  # type: ignore[call-overload]
    )


@contextmanager
def running(folder: Path, programs: Path, user: pwd.struct_passwd) -> Iterator[Server]:
    """Make a server in an empty folder that `user` owns, start it, and stop it in the end."""
    data, password = folder / "data", secrets.token_hex(16)
    (folder / "password").write_text(password)
    shutil.chown(folder / "password", user.pw_uid, user.pw_gid)
    login = ("-U", "admin", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256")
    _run(user, programs / "initdb", "-D", data, *login, "-E", "UTF8", "--locale=C", "--no-sync")
    port = free_port()
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    options += f" -p {port} -k {folder}"
    control = (programs / "pg_ctl", "-D", data, "-w", "-s")
    _run(user, *control, "-l", folder / "log", "-o", options, "start")
    try:
        yield _with_owner(
            URL.create("postgresql+psycopg", "admin", password, "127.0.0.1", port, "postgres")
        )
    finally:
        _run(user, *control, "-m", "immediate", "stop")


def _with_owner(admin: URL) -> Server:
    password = secrets.token_hex(16)
    server = Server(admin, admin.set(username=OWNER, password=password, database=None))
    create = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}")
    with server.administer() as connection:
        connection.execute(create.format(sql.Identifier(OWNER), sql.Literal(password)))
    return server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server that all tests share."""
    found, user = programs(), account()
    if found is None:
        pytest.skip("initdb, pg_ctl and postgres are neither in PATH nor in /usr/lib/postgresql")
    if user is None:
        pytest.skip("PostgreSQL refuses to run as root and there is no account postgres")
    with tempfile.TemporaryDirectory(prefix="evtl-pg-") as name:
        folder = Path(name)
        shutil.chown(folder, user.pw_uid, user.pw_gid)
        with running(folder, found, user) as server:
            yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[URL]:
    """An empty database of the test's own; the URL is its owner's."""
    with postgres_server.database() as url:
        yield url
