"""Pages: templates, what every page shows, and addresses of static files that may be kept."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from evtl.web.run_words import RUN_FILTERS
from evtl.web.sessions import Visitor, visitor
from evtl.web.words import FILTERS

STATIC = Path(__file__).with_name("static")


class Place(NamedTuple):
    """An entry of the menu."""

    address: str
    words: str


MENU = (
    Place("/", "Ask"),
    Place("/train", "Train"),
    Place("/runs", "Runs"),
    Place("/studies", "Studies"),
    Place("/evidence", "Evidence"),
    Place("/changes", "Changes"),
    Place("/sql", "SQL"),
    Place("/docs", "API"),
)


@cache
def environment() -> Environment:
    """Templates of this package; every text is escaped, a name that is not there is an error."""
    made = Environment(
        loader=PackageLoader("evtl.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"menu": MENU, "static": static, "version": version("evtl")}
    made.filters |= FILTERS | RUN_FILTERS
    return made


@cache
def static(name: str) -> str:
    """Address of a file of ours that changes with its content, so that browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def page(request: Request, template: str, *, status_code: int = 200, **shown: Any) -> HTMLResponse:
    """A page made of a template.

    Parameters
    ----------
    template : str
        File below ``templates``.
    shown : object
        What the template names.
    """
    return HTMLResponse(text_of(template, request.url.path, visitor(request), shown), status_code)


def text_of(template: str, path: str, who: Visitor, shown: Mapping[str, Any]) -> str:
    """The text of a page, as `page` makes it.

    Parameters
    ----------
    path : str
        Where the page is.
    who : Visitor
        Who looks at it.
    """
    place = next((entry for entry in MENU if _is_within(path, entry.address)), None)
    made = environment().get_template(template)
    return made.render(visitor=who, path=path, place=place, **shown)


def _is_within(path: str, address: str) -> bool:
    return path == address or (address != "/" and path.startswith(f"{address}/"))
