"""Several processes that answer at one address."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.serving import TOKEN, Server
from tests.integration.web.raw import request, said
from tests.integration.web.studies import DRAFT
from tests.integration.web.trainings import until

BEARER = f"authorization: Bearer {TOKEN}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Two processes, both of which answer."""
    made = Server(tmp_path, processes=2)
    try:
        until(lambda: len(_answering(made.process.pid)) == 2)
        assert all(_answers_alone(made, pid) for pid in _answering(made.process.pid))
        yield made
    finally:
        if made.lives:
            made.end()


def _answering(parent: int) -> list[int]:
    """Numbers of the processes that answer for another."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return [int(pid) for pid in children if b"spawn_main" in _command(pid)]


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


@contextmanager
def without(server: Server, alone: int) -> Iterator[None]:
    """While this lasts, only one process can answer."""
    others = [pid for pid in _answering(server.process.pid) if pid != alone]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def _answers_alone(server: Server, pid: int) -> bool:
    with without(server, pid):
        return said(server.port, request("/sign-in")).statuses == [200]


def test_what_one_is_told_the_other_knows(server: Server) -> None:
    first, second = _answering(server.process.pid)
    with without(server, first):
        body = json.dumps(DRAFT).encode()
        told = request(
            "/api/studies", BEARER, "content-type: application/json", method="POST", body=body
        )
        added = said(server.port, told)
    assert added.statuses == [200]
    with without(server, second):
        found = said(server.port, request("/studies?words=lesions"))
    assert found.statuses == [200]
    assert b"Transfer learning for breast lesions in ultrasound" in found.text


def test_one_that_was_killed_is_replaced(server: Server) -> None:
    before = set(_answering(server.process.pid))
    os.kill(min(before), signal.SIGKILL)
    until(lambda: len(after := set(_answering(server.process.pid))) == 2 and after != before)
    assert said(server.port, request("/sign-in")).statuses == [200]


#: A signal, and the exit status of a single process that it ends.
ENDS = {signal.SIGTERM: 1, signal.SIGINT: 130, signal.SIGHUP: -1, signal.SIGKILL: -9}


@pytest.mark.parametrize(("how", "status"), ENDS.items())
def test_none_outlives_the_one_that_started_them(
    server: Server, how: signal.Signals, status: int
) -> None:
    answering = _answering(server.process.pid)
    server.end(how)
    assert server.process.returncode == status
    until(lambda: not any(_command(str(pid)) for pid in answering))
    again = Server(server.place, server.port)
    try:
        assert said(again.port, request("/sign-in")).statuses == [200]
    finally:
        again.end()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_server_that_is_interrupted_while_it_begins_ends_without_a_fault(
    tmp_path: Path, processes: int
) -> None:
    begun = Server(tmp_path, processes=processes)
    try:
        os.killpg(begun.process.pid, signal.SIGINT)  # as Ctrl-C does
        begun.end(signal.SIGINT)
    finally:
        if begun.lives:
            begun.kill()
    assert begun.process.returncode == ENDS[signal.SIGINT]
    assert begun.faults() == ""
