"""Attacks on a real server over the wire: nothing outside its roots is read or touched."""

import asyncio
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from evtl.jobs.locks import take
from evtl.jobs.queue import Queue
from tests.browser.serving import TOKEN, Server
from tests.integration.web.raw import ANSWER_S, connected, request, said
from tests.integration.web.trainings import until, wanted
from tests.unit.trainer.model_runs import LENET, write_run

SECRET = "a-secret-outside-of-every-root"
BEARER = f"authorization: Bearer {TOKEN}"
UP = (
    "..", "%2e%2e", "%2E%2E", ".%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", "..%5c", "....", "..;",
    "%EF%BC%8E%EF%BC%8E",
)  # fmt: skip
SLASHES = ("/", "%2f", "%252f", "%5c", "//")
#: Requests at once, and bytes by which the server may grow meanwhile.
CROWD, MOST_GROWTH = 1000, 1_000_000_000


class Attacked(NamedTuple):
    """A served place with secrets around it."""

    server: Server
    place: Path

    def untouched(self) -> dict[str, str]:
        """Digest of every file that is nobody's to touch, read or not."""
        outside = [self.place / "outside", self.server.images, self.server.runs / "tried"]
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for root in outside
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def entries(self) -> set[str]:
        """Names of everything that lies around, but for the store, the cache and the jobs."""
        own = {"evtl.sqlite", "cache", "server.log"}
        return {
            str(path.relative_to(self.place))
            for path in self.place.rglob("*")
            if not any(path.relative_to(self.place).parts[0].startswith(name) for name in own)
            and ".jobs" not in path.parts
        }


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Attacked]:
    """One server for every attack; after all of them nothing around it has changed."""
    place = tmp_path_factory.mktemp("attacked")
    shutil.copy(template, place / "evtl.sqlite")
    (place / "outside" / "breast" / "a").mkdir(parents=True)
    for name in ("secret.txt", "result.json", "breast/a/1.png", "breast/a/2.png"):
        (place / "outside" / name).write_text(SECRET, encoding="utf-8")
    (place / "images").mkdir()
    (place / "images" / "link").symlink_to(place / "outside")
    write_run(place / "runs" / "tried", backbone=LENET)
    (place / "runs" / "linked").symlink_to(place / "outside")
    found = Attacked(Server(place), place)
    before = found.untouched(), found.entries()
    yield found
    assert found.server.lives
    found.server.end()
    assert not found.server.faults(), found.server.faults()
    assert (found.untouched(), found.entries()) == before


def assert_told_nothing(attacked: Attacked, wire: bytes, allowed: set[int]) -> None:
    """The request is answered, with one of these statuses, and without the secret."""
    found = said(attacked.server.port, wire)
    assert set(found.statuses) <= allowed, (wire[:200], found.text[:500])
    assert found.statuses, wire[:200]
    assert SECRET.encode() not in found.text


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize(
    "where",
    ["/runs/{}outside", "/runs/tried/files/{}{}outside{}secret.txt", "/api/runs/{}outside",
     "/runs/{}outside/report", "/static/{}{}app.py", "/runs/tried{}{}{}outside{}secret.txt",
     "/studies/{}outside", "/evidence/plots/{}outside.svg", "/docs/{}outside"],
)  # fmt: skip
def test_no_address_leads_out_of_the_roots(attacked: Attacked, where: str, up: str) -> None:
    for slash in SLASHES:
        target = where.replace("{}", up + slash)
        assert_told_nothing(attacked, request(target), {303, 307, 400, 404, 422})


@pytest.mark.parametrize(
    "target",
    ["//etc/passwd", "/runs/linked", "/runs/linked/report", "/api/runs/linked/files/result.json",
     "/runs/.jobs", "/runs/.jobs/files/job.json", "/runs/tried/files/.lock",
     "/runs/tried/files/%2fetc%2fpasswd", "/%00", "/runs/%ff%fe", "/runs/" + "a" * 5000],
)  # fmt: skip
def test_links_hidden_names_and_odd_names_are_not_found(attacked: Attacked, target: str) -> None:
    assert_told_nothing(attacked, request(target), {400, 404, 422})


FOLDERS = [
    "../outside/breast", "..%2foutside%2fbreast", "%252e%252e/outside", "link", "link/breast",
    "/etc", "//etc", "~", "C:\\", "..\\outside", "breast/../../outside", "\x00", "a\nb", "file:///etc",
    "\u202e", "." * 300, "a" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_outside_of_the_data_root_is_read_or_trained_on(
    attacked: Attacked, folder: str
) -> None:

    asked = f"modality=ultrasound&n=100&data={quote(folder)}"
    for page in ("/recommend", "/train", "/api/recommend", "/api/explain"):
        assert_told_nothing(attacked, request(f"{page}?{asked}"), {400, 404, 422})
    body = json.dumps({"question": {"modality": "ultrasound", "n": 100, "data": folder}}).encode()
    wire = request("/api/runs", BEARER, "content-type: application/json", method="POST", body=body)
    assert_told_nothing(attacked, wire, {400, 404, 422})
    assert list(Queue(attacked.server.runs).jobs()) == []


@pytest.mark.parametrize(
    "name", ["../../outside/evil.png", "/etc/evil.png", "..\\evil.png", "", "a\0b", "x" * 5000]
)
def test_the_name_of_an_upload_is_never_a_place(attacked: Attacked, name: str) -> None:
    content = b"\x89PNG\r\n\x1a\nnothing"
    form = f'--b\r\ncontent-disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    body = form.encode() + content + b"\r\n--b--\r\n"
    kind = "content-type: multipart/form-data; boundary=b"
    wire = request("/api/runs/tried/predict", BEARER, kind, method="POST", body=body)
    assert_told_nothing(attacked, wire, {400, 422})


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["host: evil.example"], 421),
        (["host: 127.0.0.1", "host: evil.example"], 400),
        (["host:"], 421),
        (["host: 127.0.0.1.evil.example"], 421),
        (["host: 127.0.0.1", "x-forwarded-host: evil.example"], 200),
        (["host: evil.example", "x-forwarded-host: 127.0.0.1", "forwarded: host=127.0.0.1"], 421),
    ],
)
def test_a_host_that_is_not_ours_is_refused(
    attacked: Attacked, lines: list[str], status: int
) -> None:
    found = said(attacked.server.port, request("/sign-in", *lines))
    assert found.statuses == [status]
    assert b"evil.example" not in found.text


@pytest.mark.parametrize(
    "wire",
    [
        b"GET /sign-in HTTP/1.1\r\nconnection: close\r\n\r\n",  # no host at all
        b"GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
        b"GET /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /sign-in\r\n\r\n",
        b"GET /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\n folded: x\r\nb ad: x\r\n\r\n",
    ],
)
def test_what_is_no_proper_request_is_refused_and_ends_the_connection(
    attacked: Attacked, wire: bytes
) -> None:
    found = said(attacked.server.port, wire)
    assert all(400 <= status < 500 for status in found.statuses), found.text[:500]


@pytest.mark.parametrize(
    "lines",
    [
        ["content-length: 6", "content-length: 60"],
        ["content-length: +6"],
        ["content-length: 6, 6"],
        ["transfer-encoding: xchunked"],
        ["transfer-encoding: chunked, identity"],
        ["transfer-encoding: chunked", "transfer-encoding: identity"],
        ["content-length : 6"],
    ],
)
def test_a_request_hidden_in_another_is_not_answered(attacked: Attacked, lines: list[str]) -> None:
    hidden = b"0\r\n\r\nGET /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
    wire = request("/api/runs", *lines, method="POST").replace(b"connection: close\r\n", b"")
    found = said(attacked.server.port, wire + hidden)
    assert len(found.statuses) <= 1, found.text[:500]
    assert all(400 <= status < 500 for status in found.statuses)


def test_a_thousand_requests_at_once_are_all_answered(attacked: Attacked) -> None:
    targets = [
        "/studies", "/api/recommend?modality=ultrasound&n=800", "/sign-in", "/docs", "/runs",
        "/api/studies?per_page=5", "/static/style.css", "/sql?query=SELECT+count(*)+FROM+study",
    ]  # fmt: skip
    before = _memory(attacked.server)

    async def one(number: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", attacked.server.port)
        writer.write(request(targets[number % len(targets)]))
        found = await reader.read()
        writer.close()
        return int(found.split(b" ", 2)[1]) if found else 0

    async def crowd() -> list[int]:
        async with asyncio.timeout(10 * ANSWER_S):
            return await asyncio.gather(*map(one, range(CROWD)))

    statuses = Counter(asyncio.run(crowd()))
    # Who asks in SQL or for much may be told to come again; nobody is left without an answer.
    assert set(statuses) <= {200, 503}, statuses
    assert statuses[200] > CROWD / 2
    assert _memory(attacked.server) - before < MOST_GROWTH
    assert said(attacked.server.port, request("/sign-in")).statuses == [200]


def _memory(server: Server) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_clients_that_never_finish_a_request_hinder_nobody(attacked: Attacked) -> None:
    begun = [connected(attacked.server.port) for _ in range(100)]
    try:
        for number, connection in enumerate(begun):
            if number % 2:
                connection.sendall(b"GET /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ")
            else:
                connection.sendall(
                    b"POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 900\r\n"
                    b"content-type: application/x-www-form-urlencoded\r\n\r\ntoken="
                )
        for target in ("/sign-in", "/studies", "/runs"):
            assert said(attacked.server.port, request(target)).statuses == [200]
    finally:
        for connection in begun:
            connection.close()


def test_clients_that_leave_a_stream_of_events_are_let_go(attacked: Attacked) -> None:
    queue = Queue(attacked.server.runs)
    device = take(queue.device_lock)  # so that the training waits
    assert device is not None
    job = queue.add(wanted(attacked.server.images))
    n_open = _open_files(attacked.server)
    watching = [connected(attacked.server.port) for _ in range(30)]
    for connection in watching:
        connection.sendall(request(f"/runs/{job.run.name}/events").replace(b"close", b"keep-alive"))
        assert connection.recv(15).startswith(b"HTTP/1.1 200")
    assert _open_files(attacked.server) >= n_open + 30
    for connection in watching:
        connection.close()
    until(lambda: _open_files(attacked.server) < n_open + 10)
    job.cancel()
    assert said(attacked.server.port, request("/sign-in")).statuses == [200]


def _open_files(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
