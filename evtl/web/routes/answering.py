"""Asking: the question, the answer, and all that it rests on."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from evidence.errors import EvtlError
from evtl import render_explanation, render_recommendation, services, wording
from evtl.web.asked import Asked, Typed, in_these_words
from evtl.web.drawing import interval, score_bars
from evtl.web.pages import page
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


@router.get("/", include_in_schema=False)
def ask(request: Request, asked: Asked) -> Response:
    """The question, with what was typed before."""
    return page(request, "ask.html", asked=asked, problem="")


@router.get("/recommend", include_in_schema=False)
def answer_page(request: Request, asked: Asked) -> Response:
    """The answer; the question again where there is none."""
    return _answered(request, asked, "recommend.html", TOP)


@router.get("/explain", include_in_schema=False)
def explanation_page(request: Request, asked: Asked) -> Response:
    """All that the answer rests on."""
    return _answered(request, asked, "explain.html", render_explanation.SHOWN)


@router.get("/api/recommend")
def recommend(request: Request, asked: Asked, top: Top = TOP) -> Recommendation:
    """Which network, transferred how, on whose evidence, and how sure that is."""
    return _found(request, asked, top)


@router.get("/api/explain")
def explain(request: Request, asked: Asked) -> Recommendation:
    """The whole answer: every choice that was ranked, and all that the order rests on."""
    return _found(request, asked, None)


def _found(request: Request, asked: Typed, top: int | None) -> Recommendation:
    with in_these_words():
        folder = asked.folder(settings_of(request).data_root)
        return services.recommend(asked.options(), folder, top=top)


def _answered(request: Request, asked: Typed, template: str, top: int) -> Response:
    if asked.is_empty:
        return RedirectResponse("/", 303)
    try:
        found = _found(request, asked, top)
    except EvtlError as error:
        return page(request, "ask.html", status_code=400, asked=asked, problem=str(error))
    parts = wording.parts(found.ranking)
    return page(
        request,
        template,
        asked=asked,
        found=found,
        best=found.ranking[0],
        parts=parts,
        bars=score_bars(found.ranking, parts),
        interval=interval(found.expected),
        say=wording,
        behind=behind,
        duration=duration,
        shown=render_recommendation.SHOWN,
    )
