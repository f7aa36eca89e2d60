"""Showing the token, so that this browser may do what needs it."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from evtl.web.pages import page
from evtl.web.sessions import is_token

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def entrance(request: Request, token: str = "", to: str = "/") -> Response:
    """The form; or, with the token in the link that was printed, straight in."""
    if token and is_token(request, token):
        return _enter(request, to)
    return page(request, "sign_in.html", failed=bool(token), to=_within(to))


@router.post("/sign-in")
def sign_in(
    request: Request, token: Annotated[str, Form()], to: Annotated[str, Form()] = "/"
) -> Response:
    """Sign in with the token."""
    if is_token(request, token.strip()):
        return _enter(request, to)
    return page(request, "sign_in.html", status_code=403, failed=True, to=_within(to))


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """Forget the session."""
    request.session.clear()
    return RedirectResponse("/", 303)


def _enter(request: Request, to: str) -> Response:
    request.session.clear()  # a session from before must not become one that may change things
    request.session["signed_in"] = True
    return RedirectResponse(_within(to), 303)


def _within(address: str) -> str:
    """The address if it is one of ours, else the first page."""
    parts = urlsplit(address)
    own = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if own and not parts.netloc and address.isprintable() else "/"
