"""Where the page is served, and what is said of it."""

import socket
from pathlib import Path

import pytest

from evtl.web.serving import bound, welcome
from evtl.web.settings import ServeError, Settings, is_loopback

TOKEN = "a-token-for-tests-only"


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    return Settings(token=TOKEN, port=0, runs=tmp_path)


def test_a_taken_port_is_told_with_what_to_do(local: Settings) -> None:
    with bound(local) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(ServeError, match=rf"port {port}: .*; choose another with --port"):
            bound(local.model_copy(update={"port": port}))


def test_an_address_of_another_machine_cannot_be_bound(local: Settings) -> None:
    with pytest.raises(ServeError, match=r"192\.0\.2\.1, port 0"):
        bound(local.model_copy(update={"host": "192.0.2.1"}))


def test_both_kinds_of_addresses_are_bound(local: Settings) -> None:
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        with bound(local.model_copy(update={"host": host})) as listening:
            assert listening.family == family


def test_the_first_line_ends_with_the_address(local: Settings) -> None:
    assert welcome(local, 8123).splitlines()[0].endswith(" http://127.0.0.1:8123")
    six = local.model_copy(update={"host": "::1"})
    assert welcome(six, 8123).splitlines()[0].endswith(" http://[::1]:8123")
    named = local.model_copy(update={"host": "0.0.0.0", "names": frozenset({"gpu.example"})})
    told = welcome(named, 80)
    assert told.splitlines()[0].endswith(" http://gpu.example:80")
    assert f"/sign-in?token={TOKEN}" in told
    assert "put TLS before it" in told
    assert "TLS" not in welcome(local, 80)
    behind_a_proxy = local.model_copy(update={"names": frozenset({"gpu.example"})})
    assert "Nobody enters without the token" in welcome(behind_a_proxy, 80)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
