"""How the web page is served: where, to whom, and which folders it may touch."""

import ipaddress
import re
import secrets
from pathlib import Path

from pydantic import Field

from evidence.errors import EvtlError
from evidence.records import Record

#: Bytes of randomness of a token that is made here.
TOKEN_BYTES = 24
#: A name or an address by which a page may be asked for.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
#: Characters that a token which a person chooses must have.
LEAST_TOKEN = 16


class ServeError(EvtlError):
    """The web page cannot be served as asked."""


class Settings(Record):
    """How the web page is served.

    Attributes
    ----------
    host : str
        Address that is bound.
    port : int
        0 lets the system choose.
    token : str
        Who has it may change the corpus; beyond loopback, who has it may enter at all.
    data_root : pathlib.Path or None
        Folder below which images may be read; None where none may.
    runs : pathlib.Path
        Folder below which trainings are kept.
    names : frozenset of str
        Host names beside `host` by which the page may be asked for, e.g. that of a proxy.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    token: str
    data_root: Path | None = None
    runs: Path = Path("runs")
    names: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether pages are shown without a token: nobody but this machine can ask for them.

        A name of another machine means that something, a proxy that ends TLS, hands on what others
        ask.
        """
        return all(is_loopback(name) for name in (self.host, *self.names))

    @property
    def hosts(self) -> frozenset[str]:
        """Host names by which the page may be asked for; others are DNS rebinding."""
        own = {"127.0.0.1", "localhost", "::1"} if is_loopback(self.host) else {self.host}
        return frozenset(name.lower() for name in own | self.names)


def is_loopback(host: str) -> bool:
    """Whether an address is that of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def settings(
    host: str,
    port: int,
    token: str | None,
    data_root: Path | None,
    runs: Path,
    names: frozenset[str] = frozenset(),
) -> Settings:
    """Settings as asked for, with a token that nobody can guess where none was given.

    Raises
    ------
    ServeError
        The token is too short, the folder of images is none, or the page would be asked for by a
        name that is not known.
    """
    if token is not None and len(token) < LEAST_TOKEN:
        msg = f"--token: found {len(token)} characters; allowed: {LEAST_TOKEN} or more"
        raise ServeError(msg)
    if data_root is not None and not data_root.is_dir():
        msg = f"--data-root {data_root} is no folder; name the folder that holds your image sets"
        raise ServeError(msg)
    _check_names(host, names)
    return Settings(
        host=host,
        port=port,
        token=token or secrets.token_urlsafe(TOKEN_BYTES),
        data_root=data_root.resolve() if data_root else None,
        runs=runs.resolve(),
        names=names,
    )


def _check_names(host: str, names: frozenset[str]) -> None:
    """Refuse names by which no page can be asked for, and an address that needs one."""
    for name in names:
        if not NAME.fullmatch(name):
            msg = f"--name {name!r} is no host name; allowed: e.g. gpu.example.org, without a port"
            raise ServeError(msg)
    try:
        every = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        every = False
        if not NAME.fullmatch(host) or host.isdigit():
            msg = f"--host {host!r} is no address; allowed: e.g. 127.0.0.1, ::1, 192.168.1.5"
            raise ServeError(msg) from None
    if every and not names:
        msg = (
            f"--host {host} binds every address: say with --name by which the page is asked for, "
            "e.g. --name gpu.example.org"
        )
        raise ServeError(msg)
