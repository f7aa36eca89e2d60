"""The server itself: a socket that is bound first, then the application on it."""

import socket
from collections.abc import Callable
from functools import partial

import uvicorn
from fastapi import FastAPI

from evidence.store import Store
from evtl.web.app import create_app
from evtl.web.connections import Hurried, allow_files
from evtl.web.processes import end_with_parent, serve_with_several
from evtl.web.settings import ServeError, Settings

#: Connections that wait to be taken.
BACKLOG = 2048
#: Seconds that an idle connection is kept, and that open ones have to end when the server does.
IDLE_S, LAST_S = 10, 3


def serve(settings: Settings, tell: Callable[[str], object], processes: int = 1) -> None:
    """Serve until interrupted; says where, and how to sign in, once the socket is bound.

    Parameters
    ----------
    processes : int
        That answer at the same time; one can use one core.

    Raises
    ------
    EvtlError
        The address cannot be bound, or the store cannot be used.
    """
    Store()  # made and filled now, not while the first visitor waits
    allow_files()
    with bound(settings) as listening:
        tell(welcome(settings, listening.getsockname()[1]))
        config = uvicorn.Config(
            partial(_create_app, settings),
            factory=True,
            workers=processes,
            http=Hurried,
            log_level="warning",
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=LAST_S,
        )
        if processes > 1:
            serve_with_several(config, listening)
        else:
            uvicorn.Server(config).run(sockets=[listening])


def _create_app(settings: Settings) -> FastAPI:
    """The application, in a process that does not outlive the one that started it."""
    end_with_parent()
    return create_app(settings)


def bound(settings: Settings) -> socket.socket:
    """A socket on the asked address.

    Raises
    ------
    ServeError
        It is taken, or no address of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(BACKLOG)  # now: who comes before the app is ready waits, and is answered
    except OSError as error:
        listening.close()
        msg = (
            f"{settings.host}, port {settings.port}: {error.strerror}; choose another with --port "
            "or --host"
        )
        raise ServeError(msg) from error
    return listening


def welcome(settings: Settings, port: int) -> str:
    """Where the page is, and how to sign in."""
    name = min(settings.names, default=settings.host)
    address = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
    lines = [
        f"evtl is served at {address}",
        f"To change the corpus, sign in: {address}/sign-in?token={settings.token}",
        f"Trainings are kept in {settings.runs}",
    ]
    if settings.data_root is None:
        lines.append("No folder of images may be read: name one with --data-root to train")
    if not settings.is_open:
        lines.append("Nobody enters without the token. This is plain HTTP: put TLS before it")
    return "\n".join([*lines, "Ctrl-C ends it; a training that runs goes on"])
