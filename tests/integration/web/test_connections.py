"""Connections that only begin to ask are ended; those that do ask are not."""

import asyncio
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from evtl.web import connections
from evtl.web.connections import Hurried, allow_files, most_connections

#: Seconds after which a test is stuck.
STUCK_S = 20.0


@contextmanager
def answering() -> Iterator[int]:
    """Port of a server that says hello."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            PlainTextResponse("hello"), http=Hurried, log_level="critical", lifespan="off"
        )
        server = uvicorn.Server(config)
        serving = threading.Thread(
            target=lambda: asyncio.run(server.serve([listening])), daemon=True
        )
        serving.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            serving.join(STUCK_S)


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=STUCK_S)


def is_ended(connection: socket.socket) -> bool:
    """Whether the server ends it, sooner or later."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nX: a"])
def test_who_only_begins_to_ask_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.1)
    with answering() as port, opened(port) as slow:
        slow.sendall(begun)
        assert is_ended(slow)


def test_a_second_request_that_only_begins_is_hung_up_on_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    with answering() as port, opened(port) as slow, slow.makefile("rb") as answer:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        assert answer.read().endswith(b"hello")  # to the end of the connection


def test_who_asks_in_pieces_is_answered() -> None:
    with answering() as port, opened(port) as patient:
        for piece in (b"GET / HT", b"TP/1.1\r\nHost: a", b"\r\n\r\n"):
            patient.sendall(piece)
        assert patient.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_no_more_are_taken_than_there_are_files_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 1)
    with answering() as port, opened(port) as first:
        first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        with opened(port) as second:
            assert is_ended(second)
        first.sendall(b"\r\n")
        assert first.recv(100).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("limits", "most"), [((256, 4096), 56), ((100, 100), 1), ((10**6, 10**6), connections.MOST)]
)
def test_files_are_left_for_all_else(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits)
    assert most_connections() == most


def test_a_process_allows_itself_the_files_that_it_may_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, limits: asked.append(limits))
    for limits in ((256, 4096), (256, resource.RLIM_INFINITY), (10**6, 10**6)):
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, found=limits: found)
        allow_files()
    assert asked == [(4096, 4096), (5200, resource.RLIM_INFINITY)]
