"""Who may enter, and who may change something.

A change of any kind needs the token, or a session and the word that only its own pages know
(against cross-site request forgery). Beyond loopback everything needs the token or a session that
was opened with it; on loopback only changes of the corpus do.
"""

import hmac

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from evtl.web.problems import problem, wants_page
from evtl.web.sessions import WORD, has_token, is_signed_in, settings_of

#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: What anybody may see before signing in.
ENTRANCE = ("/sign-in", "/static/")
#: Carries the word of a session where no form does.
WORD_HEADER = "x-csrf-token"


def may_enter(request: Request) -> Response | None:
    """Objects beyond loopback to who shows no token; for `limits.Refusing`."""
    path = request.url.path
    if settings_of(request).is_open or is_signed_in(request):
        return None
    if any(path == place or path.startswith(place) for place in ENTRANCE):
        return None
    if wants_page(request) and request.method == "GET":
        return RedirectResponse("/sign-in", 303)
    said = "send the token that evtl serve printed: Authorization: Bearer TOKEN"
    return problem(request, 401, "Not signed in", said, {"www-authenticate": "Bearer"})


async def guard(request: Request) -> None:
    """Dependency of every route: a change comes from our own page or with the token.

    Raises
    ------
    HTTPException
        It comes from neither.
    """
    if request.method in SAFE or has_token(request):
        return
    known = request.scope.get("session", {}).get(WORD, "")
    shown = request.headers.get(WORD_HEADER) or await _form_word(request)
    if not known or not hmac.compare_digest(shown.encode(), known.encode()):
        msg = (
            "this did not come from a page of this session: reload the page and try again, or "
            "send the token that evtl serve printed as Authorization: Bearer TOKEN"
        )
        raise HTTPException(403, msg)


async def _form_word(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return ""
    word = (await request.form()).get(WORD, "")
    return word if isinstance(word, str) else ""


async def signed_in(request: Request) -> None:
    """Dependency of routes that change the corpus.

    Raises
    ------
    HTTPException
        The token was not shown.
    """
    if not is_signed_in(request):
        msg = "sign in with the token that evtl serve printed: only who has it changes the corpus"
        raise HTTPException(401, msg, {"www-authenticate": "Bearer"})


#: Puts `signed_in` before a route.
NEEDS_TOKEN = Depends(signed_in)
