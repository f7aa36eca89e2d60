"""Connections of the server: no more than there are files for, and none that only begins to ask."""

import asyncio
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds in which the head of a request must have come, from its first byte or the connection on.
HEAD_S = 20.0
#: Open files that are left for all else: the store, pictures, processes.
RESERVED = 200
#: Connections beyond which more are of no use to two cores.
MOST = 5000


class Hurried(H11Protocol):
    """A connection that is ended where the head of a request takes too long, or there are too many.

    uvicorn itself times only connections that are idle after an answer.
    """

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request, unless no more can be taken."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()
        else:
            self._hurry()

    def data_received(self, data: bytes) -> None:
        """Take what came; while it is no whole head, the time goes on."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._relax()
        elif self._head is None:
            self._hurry()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, for whatever reason."""
        self._relax()
        super().connection_lost(exc)

    def _hurry(self) -> None:
        self._head = self.loop.call_later(HEAD_S, self.transport.close)

    def _relax(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def most_connections() -> int:
    """Connections that may be open at a time."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(MOST, files - RESERVED))


def allow_files() -> None:
    """Let this process open as many files as it may, up to what `MOST` connections take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + RESERVED
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
