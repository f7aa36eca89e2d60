"""Sessions: what is remembered of a browser, and whether the token was shown."""

import hashlib
import hmac
import secrets
from typing import NamedTuple

from starlette.requests import Request

from evtl.web.settings import Settings

COOKIE = "evtl_session"
#: Seconds after which a session ends: half a day.
SESSION_S = 12 * 3600
#: Name of the word that only pages of a session know, as a form carries it.
WORD = "csrf"
#: Where a session keeps the number of the change set that it stored last.
STORED = "stored"


class Visitor(NamedTuple):
    """What a page knows of who looks at it: the word its forms carry, and what may be changed.

    `stored` is the change set that was just stored; it is told once.
    """

    csrf: str
    signed_in: bool
    stored: int | None = None


def visitor(request: Request) -> Visitor:
    """Who looks at a page; a session is begun where there is none."""
    if "session" not in request.scope:
        return Visitor("", signed_in=False)
    word = request.session.setdefault(WORD, secrets.token_urlsafe(24))
    return Visitor(word, is_signed_in(request), request.session.pop(STORED, None))


def session_key(token: str) -> str:
    """What sessions are signed with: another token ends them all."""
    return hashlib.sha256(f"evtl session {token}".encode()).hexdigest()


def is_signed_in(request: Request) -> bool:
    """Whether the token was shown: now by a program, or before by this browser."""
    return has_token(request) or bool(request.scope.get("session", {}).get("signed_in"))


def has_token(request: Request) -> bool:
    """Whether a program shows the token: ``Authorization: Bearer TOKEN``."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and is_token(request, shown.strip())


def is_token(request: Request, shown: str) -> bool:
    """Whether a text is the token, told in a time that does not depend on how near it is."""
    token: str = settings_of(request).token
    return hmac.compare_digest(shown.encode(), token.encode())


def settings_of(request: Request) -> Settings:
    """How this page is served."""
    found: Settings = request.app.state.settings
    return found
