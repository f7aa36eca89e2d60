"""Long lists a page at a time."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

T = TypeVar("T")
#: Rows of a page, and the most that a program and a browser may ask for: pages stay below 100 kB.
PER_PAGE, MOST_PER_PAGE, MOST_SHOWN = 50, 500, 100
#: Pages that can be asked for.
MOST_PAGES = 1_000_000

PageNumber = Annotated[int, Query(ge=1, le=MOST_PAGES, description="From 1.")]
PerPage = Annotated[int, Query(ge=1, le=MOST_PER_PAGE, description="Rows of a page.")]
ShownPerPage = Annotated[int, Query(ge=1, le=MOST_SHOWN)]


class Pages(BaseModel, Generic[T]):
    """One page of a list, and the addresses of those beside it.

    Attributes
    ----------
    total : int
        Rows of the whole list.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: tuple[T, ...]
    total: int
    page: int
    per_page: int
    n_pages: int
    previous: str | None
    next: str | None


def paged(
    request: Request, items: Sequence[T], page: int, per_page: int, total: int | None = None
) -> Pages[T]:
    """One page of a list.

    Parameters
    ----------
    items : sequence
        The whole list; or the rows of this page alone where `total` is given.
    total : int or None
        Rows of the whole list, where `items` are those of this page.
    """
    first = (page - 1) * per_page
    shown = tuple(items[first : first + per_page]) if total is None else tuple(items)
    n_rows = len(items) if total is None else total
    n_pages = max(1, -(-n_rows // per_page))
    return Pages(
        items=shown,
        total=n_rows,
        page=page,
        per_page=per_page,
        n_pages=n_pages,
        previous=_address(request, min(page - 1, n_pages)) if page > 1 else None,
        next=_address(request, page + 1) if page < n_pages else None,
    )


def _address(request: Request, page: int) -> str:
    others = [(key, value) for key, value in request.query_params.multi_items() if key != "page"]
    return f"{request.url.path}?{urlencode([*others, ('page', page)])}"
