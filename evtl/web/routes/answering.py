"""Asking: the question, the answer, and all that it rests on."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from evidence.errors import EvtlError
from evidence.records import Record
from evtl import render_explanation, render_recommendation, services, wording
from evtl.image_services import Held, held
from evtl.suggesting import Field, Suggestion, suggest
from evtl.web.asked import Asked, Typed, filled_in, here, in_these_words, root_of
from evtl.web.drawing import interval, score_bars
from evtl.web.in_turn import in_turn
from evtl.web.kept_pages import kept_page
from evtl.web.pages import page
from evtl.web.paging import PER_PAGE, PageNumber, Pages, PerPage, paged
from evtl.web.roots import contained, folders, joined
from evtl.web.run_words import duration
from evtl.web.sessions import settings_of
from recommender.certainty import behind
from recommender.records import Recommendation

router = APIRouter()

#: Choices that a page shows.
TOP = 5
#: Choices that a program may ask for.
MOST = 10_000
Top = Annotated[int, Query(ge=1, le=MOST, description="Choices to tell of, the best first.")]


Folder = Annotated[str, Query(max_length=500, description="Below the data root; empty: itself.")]


class FolderPlace(Record):
    """A folder below the data root: its name, and where it is, as `data` takes it."""

    name: str
    path: str


@router.get("/", include_in_schema=False)
def ask(request: Request, asked: Asked, browse: Folder | None = None) -> Response:
    """The question, with what was typed before, and what a folder holds that was chosen."""
    try:
        found = _held(request, asked.data) if asked.data else None
        places = None if browse is None else _folders(request, browse)
    except EvtlError as error:
        return _ask(request, asked, str(error))
    filled = asked if found is None else filled_in(asked, found)
    return _ask(request, filled, "", held=found, browse=browse, places=places)


@router.get("/api/suggest")
def suggestions(
    field: Annotated[Field, Query(description="Field of the question.")],
    text: Annotated[str, Query(max_length=80, description="What was typed so far.")] = "",
) -> tuple[Suggestion, ...]:
    """Terms that a text may become, with the number of studies on each."""
    return suggest(field, text)


@router.get("/api/folders")
def list_folders(
    request: Request, folder: Folder = "", page: PageNumber = 1, per_page: PerPage = PER_PAGE
) -> Pages[FolderPlace]:
    """Folders in a folder below the data root."""
    return paged(request, _folders(request, folder), page, per_page)


@router.get("/api/fingerprint")
def look(
    request: Request,
    data: Folder,
    shortcuts: Annotated[bool, Query(description="Decode every image to look for them.")] = False,
) -> Held:
    """What a folder of images holds, as far as a question goes, and what to look at in it."""
    return _held(request, data, shortcuts=shortcuts)


@router.get("/recommend", include_in_schema=False)
async def answer_page(request: Request, asked: Asked) -> Response:
    """The answer; the question again where there is none."""
    return await _served(request, _answered, asked, "recommend.html", TOP)


@router.get("/explain", include_in_schema=False)
async def explanation_page(request: Request, asked: Asked) -> Response:
    """All that the answer rests on."""
    return await _served(request, _answered, asked, "explain.html", render_explanation.SHOWN)


@router.get("/api/recommend", response_model=Recommendation)
async def recommend(request: Request, asked: Asked, top: Top = TOP) -> Response:
    """Which network, transferred how, on whose evidence, and how sure that is."""
    return await _served(request, _as_json, asked, top)


@router.get("/api/explain", response_model=Recommendation)
async def explain(request: Request, asked: Asked) -> Response:
    """The whole answer: every choice that was ranked, and all that the order rests on."""
    return await _served(request, _as_json, asked, None)


async def _served(
    request: Request, answer: Callable[..., Response], asked: Typed, *how: str | int | None
) -> Response:
    """An answer in its turn; what takes seconds, images and what is at hand, holds nobody up."""
    if asked.data or asked.available == "true":
        return await run_in_threadpool(answer, request, asked, *how)
    return await in_turn(request, answer, request, asked, *how)


def _as_json(request: Request, asked: Typed, top: int | None) -> Response:
    """The bytes that the command line prints; a record need not be checked again."""
    found = _found(request, asked, top)
    return Response(found.model_dump_json(indent=2) + "\n", media_type="application/json")


def _held(request: Request, data: str, *, shortcuts: bool = False) -> Held:
    root = root_of(request)
    with in_these_words(root):
        return held(contained(root, data), shortcuts=shortcuts)


def _folders(request: Request, folder: str) -> tuple[FolderPlace, ...]:
    names = folders(root_of(request), folder)
    return tuple(FolderPlace(name=name, path=joined(folder, name)) for name in names)


def _found(request: Request, asked: Typed, top: int | None) -> Recommendation:
    root = settings_of(request).data_root
    with in_these_words(root):
        return services.recommend(asked.options(), asked.folder(root), top=top)


def _ask(request: Request, asked: Typed, problem: str, **shown: Any) -> Response:
    return page(
        request,
        "ask.html",
        status_code=400 if problem else 200,
        asked=asked,
        problem=problem,
        has_root=settings_of(request).data_root is not None,
        **{"held": None, "browse": None, "places": None, **shown},
    )


def _answered(request: Request, asked: Typed, template: str, top: int) -> Response:
    """An answer as a page; kept, unless it hangs on more than the store."""
    if asked.is_empty:
        return RedirectResponse("/", 303)
    try:
        if asked.data or asked.available:
            return page(request, template, **_shown(request, asked, top))
        return kept_page(request, template, lambda: _shown(request, asked, top))
    except EvtlError as error:
        return _ask(request, asked, str(error))


def _shown(request: Request, asked: Typed, top: int) -> dict[str, Any]:
    """What the templates of an answer name."""
    found = _found(request, asked, top)
    parts = wording.parts(found.ranking)
    return {
        "asked": asked,
        "found": found,
        "best": found.ranking[0],
        "parts": parts,
        "bars": score_bars(found.ranking, parts),
        "interval": interval(found.expected),
        "say": wording,
        "behind": behind,
        "duration": duration,
        "here": here,
        "shown": render_recommendation.SHOWN,
    }
