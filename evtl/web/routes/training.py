"""Starting a training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from evidence.errors import EvtlError
from evtl import backbone_services, run_services, services
from evtl.jobs import dispatcher
from evtl.jobs.queue import BusyError
from evtl.run_records import Snapshot
from evtl.web import wanting
from evtl.web.asked import Asked, AskedError, Typed, in_these_words
from evtl.web.pages import page
from evtl.web.paging import PER_PAGE, PageNumber, Pages, PerPage, paged
from evtl.web.problems import Problem
from evtl.web.roots import folders
from evtl.web.sending import Sent
from evtl.web.sessions import settings_of
from evtl.web.wanting import WISHES, Training
from recommender.records import Recommendation

router = APIRouter()


@contextmanager
def dispatching(runs: Path) -> Iterator[None]:
    """While this lasts, trainings that wait below `runs` are started one after the other."""
    with dispatcher.dispatching(runs):
        yield


@router.get("/train", include_in_schema=False)
def planned(request: Request, asked: Asked) -> Response:
    """The recommended plan, with a button that carries it out."""
    try:
        found, problem = _recommended(request, asked), ""
    except EvtlError as error:
        found, problem = None, str(error)
    return _form(request, asked, found, problem)


def _recommended(request: Request, asked: Typed) -> Recommendation | None:
    """The answer, where enough was asked."""
    data = asked.folder(settings_of(request).data_root)
    if not asked.modality or not (asked.n or data):
        return None
    with in_these_words():
        return services.recommend(asked.options(), data)


def _form(
    request: Request,
    asked: Typed,
    found: Recommendation | None,
    problem: str,
    sent: Mapping[str, str] | None = None,
) -> HTMLResponse:
    root = settings_of(request).data_root
    return page(
        request,
        "train.html",
        status_code=400 if problem else 200,
        asked=asked,
        found=found,
        problem=problem,
        sent=sent or {},
        shown=wanting.digest_shown(found.plan) if found else "",
        wishes=WISHES,
        backbones=backbone_services.trainable(),
        folders=folders(root) if root else None,
    )


@router.post("/train", include_in_schema=False)
def train_page(request: Request, sent: Sent) -> Response:
    """Start it and show it; or say what cannot be, with everything that was typed."""
    settings = settings_of(request)
    try:
        run = wanting.begin(wanting.of_form(sent), settings.runs, settings.data_root)
    except BusyError:
        raise
    except EvtlError as error:
        asked = _typed(sent)
        return _form(request, asked, None, str(error), sent)
    return RedirectResponse(f"/runs/{run}", 303)


def _typed(sent: Mapping[str, str]) -> Typed:
    try:
        return wanting.question_of(sent)
    except AskedError:
        return Typed()


@router.get("/api/backbones")
def list_backbones(
    request: Request, page: PageNumber = 1, per_page: PerPage = PER_PAGE
) -> Pages[str]:
    """List the networks that can be trained, by name."""
    return paged(request, backbone_services.trainable(), page, per_page)


@router.post("/api/runs", status_code=202, responses={409: {"model": Problem}})
def train(request: Request, training: Training) -> Snapshot:
    """Start a training, or have it wait for those before it."""
    settings = settings_of(request)
    run = wanting.begin(training, settings.runs, settings.data_root)
    return run_services.snapshot(settings.runs, run)
