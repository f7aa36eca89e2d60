"""Trainings: what runs, what ran, and what came of it."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathPart
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from evidence.records import Record, ShippedRun
from evtl import job_services, training_services
from evtl import run_services as services
from evtl.exporting import onnx_of
from evtl.run_records import Shown, Snapshot, Summary
from evtl.web import run_words
from evtl.web.pages import page
from evtl.web.paging import PER_PAGE, PageNumber, Pages, PerPage, ShownPerPage, paged
from evtl.web.problems import Problem
from evtl.web.sessions import settings_of
from evtl.web.watching import Watching

router = APIRouter()

#: A report is a page of its own making: it may show what lies in it and do nothing.
REPORT_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; "
        "frame-ancestors 'self'"
    ),
    "x-frame-options": "SAMEORIGIN",
}

#: What is answered where the state of a run or of the queue does not allow it.
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem}}


async def runs_folder(request: Request) -> Path:
    """Dependency: the folder below which trainings are kept."""
    return settings_of(request).runs


Runs = Annotated[Path, Depends(runs_folder)]
Name = Annotated[str, PathPart(max_length=100, description="Name of the run.")]
FileName = Annotated[str, PathPart(max_length=100, description="One of the run's `files`.")]


class Listed(Record):
    """Trainings: those that run and wait in their order, and those that ended, newest first."""

    going: tuple[Summary, ...]
    ended: Pages[Summary]


@router.get("/runs", include_in_schema=False)
def listed_page(
    request: Request,
    runs: Runs,
    page_number: Annotated[PageNumber, Query(alias="page")] = 1,
    per_page: ShownPerPage = PER_PAGE,
    shipped: bool = False,
) -> Response:
    """What runs, waits and ran."""
    if shipped:
        found = paged(request, training_services.shipped_runs(), page_number, per_page)
        return page(request, "runs_shipped.html", found=found)
    found_runs = listed(request, runs, page_number, per_page)
    return page(request, "runs.html", found=found_runs)


@router.get("/api/runs")
def listed(
    request: Request,
    runs: Runs,
    page_number: Annotated[PageNumber, Query(alias="page")] = 1,
    per_page: PerPage = PER_PAGE,
) -> Listed:
    """Trainings on this machine, whoever started them."""
    ended = paged(request, services.ended(runs), page_number, per_page)
    return Listed(going=services.going(runs), ended=ended)


@router.get("/api/shipped-runs")
def shipped_runs(
    request: Request,
    page_number: Annotated[PageNumber, Query(alias="page")] = 1,
    per_page: PerPage = PER_PAGE,
) -> Pages[ShippedRun]:
    """Trainings that ship with evtl, those of one configuration side by side."""
    return paged(request, training_services.shipped_runs(), page_number, per_page)


@router.get("/runs/{run}", include_in_schema=False)
def shown_page(request: Request, runs: Runs, run: Name) -> Response:
    """One run: live while it goes on, then what came of it."""
    found = services.shown(runs, run)
    template = "run.html" if found.snapshot.is_over else "run_live.html"
    return page(request, template, found=found, now=found.snapshot, words=run_words)


@router.get("/api/runs/{run}")
def shown(runs: Runs, run: Name) -> Shown:
    """One run: where it stands, its plan, its history and what came of it."""
    return services.shown(runs, run)


@router.get("/runs/{run}/events", include_in_schema=False)
@router.get(
    "/api/runs/{run}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, 503: {"model": Problem}},
)
def events(request: Request, runs: Runs, run: Name) -> Watching:
    """What happens to a run, as server-sent events, until it has ended.

    `state` holds a snapshot, `line` a line of the history; after `anew` the history begins again.
    """
    services.found(runs, run)
    return Watching(request, runs, run)


@router.post("/runs/{run}/cancel", include_in_schema=False)
def cancel_page(runs: Runs, run: Name) -> Response:
    """Have it end, then show it."""
    job_services.cancel(runs, run)
    return RedirectResponse(f"/runs/{run}", 303)


@router.post("/api/runs/{run}/cancel", status_code=202, responses=CONFLICT)
def cancel(runs: Runs, run: Name) -> Snapshot:
    """Have a training end, or not begin."""
    job_services.cancel(runs, run)
    return services.snapshot(runs, run)


@router.post("/runs/{run}/resume", include_in_schema=False)
def resume_page(request: Request, runs: Runs, run: Name) -> Response:
    """Go on with it, then show it."""
    job_services.resume(runs, run, settings_of(request).data_root)
    return RedirectResponse(f"/runs/{run}", 303)


@router.post("/api/runs/{run}/resume", status_code=202, responses=CONFLICT)
def resume(request: Request, runs: Runs, run: Name) -> Snapshot:
    """Go on with a training that was stopped."""
    job_services.resume(runs, run, settings_of(request).data_root)
    return services.snapshot(runs, run)


@router.get("/runs/{run}/report", include_in_schema=False)
@router.get("/api/runs/{run}/report", response_class=FileResponse)
def report(runs: Runs, run: Name) -> FileResponse:
    """The report of a run, a page that needs nothing else."""
    path = services.file_of(runs, run, "report.html")
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=REPORT_HEADERS)


@router.get("/runs/{run}/files/{name}", include_in_schema=False)
@router.get("/api/runs/{run}/files/{name}", response_class=FileResponse, responses=CONFLICT)
def file(runs: Runs, run: Name, name: FileName) -> FileResponse:
    """A file of a run. `model.onnx` is made when it is first asked for, which takes a minute."""
    is_onnx = name == services.ONNX_FILE
    path = onnx_of(runs, run) if is_onnx else services.file_of(runs, run, name)
    return FileResponse(path, media_type="application/octet-stream", filename=f"{run}-{name}")
