"""Who acts: the name that a visitor gives once, and what was stored last."""

from typing import Annotated

from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import RedirectResponse

from evidence.records import ChangeSet
from evtl.web.sessions import STORED, is_signed_in

#: Where a session keeps the name.
NAME = "by"
#: A text in a line, and one of several lines.
LINE, LINES = r"^[^\x00-\x1f\x7f]*$", r"^[^\x00]*$"
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=LINE)
]
Why = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=LINES)
]


def name_of(request: Request) -> str:
    """The name that this visitor gave before; empty where none."""
    return str(request.session.get(NAME, ""))


def remember(request: Request, by: str) -> None:
    """Keep a visitor's name for their next change."""
    request.session[NAME] = by.strip()[:80]


def told(request: Request, address: str, stored: ChangeSet | None) -> RedirectResponse:
    """To a page that says, once, what was stored and offers to take it back."""
    if stored is not None:
        request.session[STORED] = stored.id
    return RedirectResponse(address, 303)


def to_sign_in(request: Request) -> RedirectResponse | None:
    """To the entrance and back, where the token was not shown."""
    return (
        None if is_signed_in(request) else RedirectResponse(f"/sign-in?to={request.url.path}", 303)
    )
