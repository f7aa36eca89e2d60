"""Bodies that come drop by drop, on a server of the test's own process."""

import threading
from collections.abc import Iterator

import pytest
import uvicorn

from evtl.web import limits
from evtl.web.app import create_app
from evtl.web.serving import bound
from evtl.web.settings import Settings
from tests.integration.web.raw import connected, request, said
from tests.integration.web.trainings import until
from tests.integration.web.visiting import TOKEN

#: Seconds for a body, here.
BODY_S = 1.0


@pytest.fixture
def port(served: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a server that gives a body a second."""
    monkeypatch.setattr(limits, "BODY_S", BODY_S)
    settings = served.model_copy(update={"port": 0})
    with bound(settings) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        until(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("target", "kind", "begun"),
    [
        ("/sign-in", "application/x-www-form-urlencoded", b"token="),
        ("/api/sql", "application/json", b'{"query": "'),
        ("/api/runs/none/predict", "multipart/form-data; boundary=b", b"--b\r\n"),
    ],
)
def test_a_body_that_does_not_come_is_not_waited_for(
    port: int, target: str, kind: str, begun: bytes
) -> None:
    wire = request(
        target, "content-length: 900", f"content-type: {kind}", f"authorization: Bearer {TOKEN}",
        method="POST",
    )  # fmt: skip
    found = said(port, wire + begun)
    assert found.statuses == [408]
    assert b"within 1 s" in found.text


def test_while_bodies_do_not_come_others_are_answered(port: int) -> None:
    waiting = [connected(port) for _ in range(60)]
    for connection in waiting:
        head = request("/sign-in", "content-length: 900", method="POST")
        connection.sendall(head + b"t")
    assert said(port, request("/sign-in")).statuses == [200]
    for connection in waiting:
        assert connection.recv(12) in {b"HTTP/1.1 408", b"HTTP/1.1 403"}
        connection.close()
