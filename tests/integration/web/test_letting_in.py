"""Who is let in, and from where: host names, other sites, forged requests, tokens, sizes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from evtl.web import limits
from evtl.web.settings import ServeError, Settings, settings
from tests.integration.web.visiting import TOKEN, Visit

STRANGE = ("127.0.0.1@evil", "evil@127.0.0.1", "127.0.0.1/../evil", "[::1", "127.0.0.1:x", "")


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", *STRANGE])
def test_another_host_name_is_refused_as_rebinding(visit: Visit, name: str) -> None:
    found = visit.get("/sign-in", headers={"host": name})
    assert found.status_code == 421
    assert "127.0.0.1" in found.text


@pytest.mark.parametrize("name", ["127.0.0.1:8000", "localhost:9", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine_are_answered(visit: Visit, name: str) -> None:
    assert visit.get("/sign-in", headers={"host": name}).status_code == 200


def test_every_answer_forbids_what_the_page_does_not_need(visit: Visit) -> None:
    for address in ("/sign-in", "/nothing", "/api/nothing", "/static/style.css"):
        policy = visit.get(address).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_a_change_without_the_word_of_the_session_is_refused(visit: Visit) -> None:
    assert visit.client.post("/sign-in", data={"token": TOKEN}).status_code == 403
    visit.word()
    forged = visit.client.post("/sign-in", data={"token": TOKEN, "csrf": "guessed"})
    assert forged.status_code == 403
    assert visit.post("/sign-in", {"token": TOKEN}).status_code == 303


def test_a_change_that_another_site_asks_for_is_refused_whatever_it_carries(visit: Visit) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert visit.post("/sign-in", {"token": TOKEN}, headers=headers).status_code == 403
    assert visit.get("/sign-in", headers=headers).status_code == 200
    embedded = headers | {"sec-fetch-mode": "no-cors"}
    assert visit.get("/sign-in", headers=embedded).status_code == 403


def test_beyond_loopback_nobody_enters_without_the_token(served: Settings) -> None:
    visit = Visit(served.model_copy(update={"host": "10.0.0.7"}))
    visit.client.base_url = "http://10.0.0.7:8000"
    assert visit.get("/").headers["location"] == "/sign-in"
    refused = visit.get("/api/nothing")
    assert (refused.status_code, refused.headers["content-type"]) == (
        401, "application/problem+json",
    )  # fmt: skip
    assert visit.program("GET", "/api/nothing").status_code == 404
    assert visit.get("/sign-in?token=guessed-guessed-guessed").status_code == 200
    assert visit.get("/").status_code == 303
    visit.signed_in()
    assert visit.get("/nothing").status_code == 404


def test_a_name_of_another_machine_asks_for_the_token_too(served: Settings) -> None:
    """Something that hands on what others ask, e.g. a proxy that ends TLS, comes over loopback."""
    visit = Visit(served.model_copy(update={"names": frozenset({"gpu.example"})}))
    assert visit.get("/api/nothing", headers={"host": "gpu.example"}).status_code == 401
    assert visit.get("/api/nothing").status_code == 401
    assert served.model_copy(update={"names": frozenset({"localhost"})}).is_open


def test_signing_in_leads_nowhere_else(visit: Visit) -> None:
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil"):
        found = visit.get("/sign-in", params={"token": TOKEN, "to": elsewhere})
        assert found.headers["location"] == "/"
    found = visit.get("/sign-in", params={"token": TOKEN, "to": "/studies?review=kim2022"})
    assert found.headers["location"] == "/studies?review=kim2022"


def test_signing_out_ends_what_only_the_token_allows(visit: Visit) -> None:
    visit.signed_in()
    assert "Sign out" in visit.shown("/sign-in")
    visit.post("/sign-out")
    assert "Sign out" not in visit.shown("/sign-in")


def test_a_body_that_is_too_large_is_refused_stated_or_not(visit: Visit) -> None:
    much = b"x" * (limits.MAX_BODY + 1)
    assert visit.client.post("/sign-in", content=much).status_code == 413

    def pieces() -> Iterator[bytes]:
        yield from (much[:500_000],) * 3

    form = {"content-type": "application/x-www-form-urlencoded"}
    assert visit.client.post("/sign-in", content=pieces(), headers=form).status_code == 413


def test_a_fault_of_ours_is_told_without_its_cause(
    served: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    visit = Visit(served)
    app = visit.client.app

    def broken() -> PlainTextResponse:
        msg = "secret cause"
        raise RuntimeError(msg)

    app.add_api_route("/api/broken", broken)  # type: ignore[attr-defined]
    visit.client = type(visit.client)(
        app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False
    )
    found = visit.get("/api/broken")
    assert found.status_code == 500
    assert found.json()["title"] == "A fault of evtl"
    assert "secret" not in found.text
    assert "/api/broken failed" in caplog.text


def test_settings_are_refused_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="--token: found 5 characters; allowed: 16"):
        settings("127.0.0.1", 8000, "short", None, tmp_path)
    with pytest.raises(ServeError, match=r"--data-root .* is no folder"):
        settings("127.0.0.1", 8000, None, tmp_path / "absent", tmp_path)
    with pytest.raises(ServeError, match="say with --name"):
        settings("0.0.0.0", 8000, None, None, tmp_path)
    for host in ("", "0", "a b", "host:80", "evil/"):
        with pytest.raises(ServeError, match="is no address"):
            settings(host, 8000, None, None, tmp_path)
    with pytest.raises(ServeError, match="without a port"):
        settings("127.0.0.1", 8000, None, None, tmp_path, frozenset({"gpu.example:8443"}))
    made = {settings("127.0.0.1", 8000, None, None, tmp_path).token for _ in range(3)}
    assert len(made) == 3
