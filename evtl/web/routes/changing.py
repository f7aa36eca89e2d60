"""The history of the corpus: change sets, releases, differences."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evidence.errors import EvidenceError
from evidence.history import HistoryEntry
from evidence.records import ChangeSet, Record, Release, RowChange
from evidence.releases import NOW
from evtl import corpus_services, history_services
from evtl.corpus_services import Difference
from evtl.web.acting import LINE, Name, Why, name_of, remember, told
from evtl.web.differing import Comparisons
from evtl.web.entering import NEEDS_TOKEN
from evtl.web.fitting import cut
from evtl.web.pages import page as rendered
from evtl.web.paging import PER_PAGE, PageNumber, Pages, PerPage, paged

router = APIRouter()

#: Rows of a change set on one page: each may have some forty columns.
ROWS_PER_PAGE = 10
#: Rows of a difference that a page shows; the API has all.
SHOWN_ROWS = 100
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="As the list names it.")]
Tag = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=LINE)
]
OneState = Annotated[str, Query(max_length=80, description=f"A release, or {NOW!r}.")]
_comparisons = Comparisons()


class ChangedRowPages(Pages[RowChange]):
    """A change set and one page of its rows."""

    change_set: HistoryEntry


class Undoing(BaseModel):
    """Who takes a change set back, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Name = Field(description="Who does this.")
    reason: Why = Field(description="Why; kept with the change set.")


class NewRelease(BaseModel):
    """A name for the corpus as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: Tag = Field(description="Letters, digits, '.', '-' and '_', e.g. 2026-01.")
    by: Name = Field(description="Who does this.")


class BeingMade(Record):
    """A comparison is being made; ask again."""

    retry_after_s: int = 5


@router.get("/changes", include_in_schema=False)
def changes_page(request: Request, page: PageNumber = 1) -> Response:
    """Change sets, newest first."""
    found = _history(request, page, PER_PAGE)
    return rendered(request, "changes.html", found=found, cut=cut)


@router.get("/api/changes")
def list_changes(
    request: Request, page: PageNumber = 1, per_page: PerPage = PER_PAGE
) -> Pages[HistoryEntry]:
    """List change sets, newest first: who, when, why, how many rows, undone by which."""
    return _history(request, page, per_page)


def _history(request: Request, page: int, per_page: int) -> Pages[HistoryEntry]:
    found = history_services.recent_changes((page - 1) * per_page, per_page)
    return paged(request, found.entries, page, per_page, found.total)


@router.get("/changes/{number}", include_in_schema=False)
def change_page(request: Request, number: Number, page: PageNumber = 1) -> Response:
    """One change set, row by row, before and after."""
    found = _rows(request, number, page, ROWS_PER_PAGE)
    return _change_page(request, found)


@router.get("/api/changes/{number}")
def show_change(
    request: Request, number: Number, page: PageNumber = 1, per_page: PerPage = PER_PAGE
) -> ChangedRowPages:
    """Show one change set: each row before and after, column by column."""
    return _rows(request, number, page, per_page)


def _rows(request: Request, number: int, page: int, per_page: int) -> ChangedRowPages:
    found = history_services.change_rows(number, (page - 1) * per_page, per_page)
    rows = paged(request, found.rows, page, per_page, found.total)
    return ChangedRowPages(**dict(rows), change_set=found.entry)


def _change_page(
    request: Request, found: ChangedRowPages, failed: str = "", reason: str = ""
) -> Response:
    n_cells = 2 * sum(len(row.columns) for row in found.items)
    return rendered(
        request,
        "change.html",
        status_code=400 if failed else 200,
        found=found,
        by=name_of(request),
        failed=failed,
        reason=reason,
        cut=lambda text: cut(text, min(240, max(40, 40_000 // max(1, n_cells)))),
    )


@router.post("/changes/{number}/undo", include_in_schema=False, dependencies=[NEEDS_TOKEN])
def undo_typed(
    request: Request,
    number: Number,
    reason: Annotated[str, Form()] = "",
    by: Annotated[str, Form()] = "",
) -> Response:
    """Take a change set back, or say on its page why that is not possible."""
    name = by or name_of(request)
    remember(request, name)
    try:
        done = corpus_services.undo(number, name, reason.strip())
    except EvidenceError as error:
        found = _rows(request, number, 1, ROWS_PER_PAGE)
        return _change_page(request, found, str(error), reason)
    return told(request, f"/changes/{done.id}", done)


@router.post("/api/changes/{number}/undo", dependencies=[NEEDS_TOKEN])
def undo(number: Number, undoing: Undoing) -> ChangeSet:
    """Undo a change set by a further one that puts every row as it was."""
    return corpus_services.undo(number, undoing.by, undoing.reason)


@router.get("/releases", include_in_schema=False)
def releases_page(request: Request, page: PageNumber = 1) -> Response:
    """Releases, newest first, and a form for a further one."""
    return _releases_page(request, page)


def _releases_page(request: Request, page: int = 1, tag: str = "", failed: str = "") -> Response:
    return rendered(
        request,
        "releases.html",
        status_code=400 if failed else 200,
        found=_releases(request, page, PER_PAGE),
        by=name_of(request),
        tag=tag,
        failed=failed,
        now=NOW,
    )


@router.post("/releases", include_in_schema=False, dependencies=[NEEDS_TOKEN])
def release_typed(
    request: Request, tag: Annotated[str, Form()] = "", by: Annotated[str, Form()] = ""
) -> Response:
    """Make a release, or say on the page why that is not possible."""
    remember(request, by)
    try:
        wanted = NewRelease(tag=tag, by=by)
        corpus_services.release(wanted.tag, wanted.by)
    except ValueError:
        failed = "a release has a name and somebody who makes it, each of at most 80 characters"
        return _releases_page(request, 1, tag, failed)
    except EvidenceError as error:
        return _releases_page(request, 1, tag, str(error))
    return told(request, "/releases", None)


@router.get("/api/releases")
def list_releases(
    request: Request, page: PageNumber = 1, per_page: PerPage = PER_PAGE
) -> Pages[Release]:
    """List releases, newest first, each with its digest."""
    return _releases(request, page, per_page)


def _releases(request: Request, page: int, per_page: int) -> Pages[Release]:
    return paged(request, corpus_services.list_releases()[::-1], page, per_page)


@router.post("/api/releases", dependencies=[NEEDS_TOKEN])
def make_release(wanted: NewRelease) -> Release:
    """Make a release: keep the corpus as it is under a name."""
    return corpus_services.release(wanted.tag, wanted.by)


@router.get("/diff", include_in_schema=False)
def diff_page(request: Request, before: OneState = "", after: OneState = NOW) -> Response:
    """What differs between two states; while that is being found, a page that asks again."""
    states = [*(each.tag for each in corpus_services.list_releases()[::-1]), NOW]
    found, is_made = None, bool(before)
    if before:
        found = _comparisons.find(before, after, history_services.states(before, after))
    return rendered(
        request,
        "diff.html",
        status_code=202 if is_made and found is None else 200,
        found=found,
        is_made=is_made and found is None,
        states=states,
        before=before,
        after=after,
        shown=SHOWN_ROWS,
        cut=lambda text: cut(text, 100),
    )


@router.get("/api/diff", response_model=Difference, responses={202: {"model": BeingMade}})
def diff(before: OneState, after: OneState = NOW) -> Difference | JSONResponse:
    """Compare two states: rows that differ, and recommendations that do.

    Answers 202 while the comparison is being made; ask again.
    """
    found = _comparisons.find(before, after, history_services.states(before, after))
    if found is None:
        wait = BeingMade()
        headers = {"retry-after": str(wait.retry_after_s)}
        return JSONResponse(wait.model_dump(), 202, headers)
    return found
