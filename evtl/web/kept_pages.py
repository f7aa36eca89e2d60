"""Pages that show everybody the same while the store says the same: made once for all of them."""

import secrets
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from evtl import snapshot
from evtl.kept import Kept
from evtl.web.pages import text_of
from evtl.web.sessions import Visitor, visitor

#: Stands in a page that is kept for the word of who looks at it; nothing else can hold it.
_WORD = secrets.token_urlsafe(24)
#: Pages that are kept; one takes up to 100 kB.
KEPT = 300
_pages: Kept[Hashable, str] = Kept(KEPT)


def kept_page(
    request: Request, template: str, make: Callable[[], Mapping[str, Any]], *of: Hashable
) -> HTMLResponse:
    """A page made of a template, with each visitor's own word in its forms.

    Parameters
    ----------
    template : str
        File below ``templates``.
    make : callable
        Gives what the template names; its errors are raised and not kept.
    of : hashable
        What the page depends on beside the store, its address and whether somebody signed in.
    """
    who, url = visitor(request), request.url
    if who.stored is not None:  # told to this visitor, once
        return HTMLResponse(text_of(template, url.path, who, make()))
    common = Visitor(_WORD, who.signed_in)
    text = _pages.get(
        (snapshot.key(), who.signed_in, url.path, url.query, of),
        lambda: text_of(template, url.path, common, make()),
    )
    return HTMLResponse(text.replace(_WORD, who.csrf))
