"""What a request may be: asked by a known name, from this page, of a bounded size, in time."""

import asyncio
import re
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evtl.web.problems import problem

#: Bytes of a request's body, and of one that uploads an image.
MAX_BODY = 1_000_000
MAX_UPLOAD = 20_000_000
#: Addresses at which images are uploaded.
UPLOADS = re.compile(r"/(?:api/)?runs/[^/]+/(?:try|predict)")
#: Addresses that no link of another site leads to: some of the files are made when asked for.
NO_PAGES = re.compile(r"/api/|/runs/[^/]+/files/")
#: Seconds in which a body must have come.
BODY_S = 30.0
#: What is left of a body that was refused is not read: the connection ends.
CLOSE = {"connection": "close"}

#: A Host header: a name or an IPv4 address, or an IPv6 address in brackets, and a port.
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")
#: Nothing is loaded from elsewhere, nothing inline is carried out, nobody frames the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
#: Addresses of files of ours change with their content: browsers need not ask for them again.
STATIC, KEPT = "/static/", "public, max-age=31536000, immutable"


class Headered:
    """Adds the headers of `HEADERS` to every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, with headers."""
        added = HEADERS
        if scope["type"] == "http" and scope["path"].startswith(STATIC):
            added = HEADERS | {"cache-control": KEPT}

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in added.items()
                        if name.encode() not in present
                    ),
                ]
            await send(message)

        await self.app(scope, receive, headed)


class Refusing:
    """Refuses a request for which `objection` has an answer, before its body is read."""

    def __init__(self, app: ASGIApp, objection: Callable[[Request], Response | None]) -> None:
        self.app, self.objection = app, objection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, or with the objection."""
        refusal = self.objection(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)


def known_host(hosts: frozenset[str]) -> Callable[[Request], Response | None]:
    """Objects to a Host header that names another machine: a name that was rebound to this one."""

    def objection(request: Request) -> Response | None:
        named = request.headers.getlist("host")
        found = HOST.fullmatch(named[0]) if len(named) == 1 else None
        name = (found[1] or found[2]).lower() if found else ""
        if name and name in hosts:
            return None
        said = f"this page is served as {', '.join(sorted(hosts))}; ask for it by that name"
        return problem(request, 421, "Wrong host", said)

    return objection


def from_here(request: Request) -> Response | None:
    """Objects to what another site makes a browser ask, but for following a link to a page.

    References
    ----------
    https://www.w3.org/TR/fetch-metadata
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    follows = request.headers.get("sec-fetch-mode") == "navigate" and request.method == "GET"
    if site in {"same-origin", "none"} or (follows and not NO_PAGES.match(request.url.path)):
        return None
    said = "another site made your browser ask for this; open the page itself"
    return problem(request, 403, "Asked from elsewhere", said)


class Bounded:
    """Ends a request whose body is too large or too slow."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does while the body keeps its bounds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = MAX_UPLOAD if UPLOADS.fullmatch(scope["path"]) else MAX_BODY
        stated = Headers(scope=scope).get("content-length", "0")
        if not (stated.isascii() and stated.isdigit()) or int(stated) > limit:
            refusal = problem(Request(scope), 413, "Too large", _too_large(limit), CLOSE)
            await refusal(scope, receive, send)
            return
        await self.app(scope, _Body(receive, limit).receive, send)


class _Body:
    """A body that is counted and timed while it is read."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit, self._left = receive, limit, limit
        self._until = asyncio.get_running_loop().time() + BODY_S
        self._is_read = False

    async def receive(self) -> Message:
        if self._is_read:
            return await self._receive()  # waits for the client to go away: no body, no limit
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            said = f"what is sent must have come within {BODY_S:g} s"
            raise HTTPException(408, said, CLOSE) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, _too_large(self._limit), CLOSE)
        self._is_read = not message.get("more_body", False)
        return message


def _too_large(limit: int) -> str:
    return f"at most {limit / 1e6:g} MB can be sent here"
