"""Errors as people and programs are told them: a page, or problem details.

References
----------
RFC 9457, Problem Details for HTTP APIs.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evidence.errors import (
    EvtlError,
    IngestError,
    QueryRefusedError,
    StudyChangedError,
    StudyNotFoundError,
)
from evidence.records import Record
from evtl.jobs.queue import BusyError, RunNotFoundError
from evtl.run_services import RunFileError
from evtl.web.pages import page

LOG = logging.getLogger("evtl.web")
#: Errors of evtl that are not the asker's input, by the status that says so.
STATUS: dict[type[EvtlError], int] = {
    StudyNotFoundError: 404,
    RunNotFoundError: 404,
    RunFileError: 404,
    StudyChangedError: 409,
    BusyError: 409,
}
#: Characters of one answer's detail.
MOST_SAID = 4000


class Problem(Record):
    """Problem details, as `/api` answers where it cannot do what was asked."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str = ""


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer; programs ask below ``/api``."""
    path = request.url.path
    return not path.startswith("/api/") and path != "/openapi.json"


def problem(
    request: Request,
    status: int,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as a page or as problem details, whichever the address is for."""
    said = detail[:MOST_SAID]
    if wants_page(request):
        found = page(request, "problem.html", status_code=status, title=title, detail=said)
        found.headers.update(headers or {})
        return found
    body = Problem(title=title, status=status, detail=said, instance=request.url.path)
    return JSONResponse(
        body.model_dump(), status, dict(headers or {}), media_type="application/problem+json"
    )


def tell_problems(app: FastAPI) -> None:
    """Have every error of the app told by `problem`."""
    app.add_exception_handler(EvtlError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _broken)


def _refused(request: Request, error: Exception) -> Response:
    kinds = (status for kind, status in STATUS.items() if isinstance(error, kind))
    title = "Refused" if isinstance(error, QueryRefusedError | IngestError) else "Not possible"
    status = next(kinds, 400)
    conflict = "Not now" if isinstance(error, BusyError) else "Changed meanwhile"
    titles = {400: title, 404: "Not found", 409: conflict}
    return problem(request, status, titles[status], str(error))


def _http(request: Request, error: Exception) -> Response:
    status = int(getattr(error, "status_code", 500))
    detail = str(getattr(error, "detail", ""))
    title = HTTPStatus(status).phrase
    words = {404: "there is nothing at this address", 405: "this address does not take that"}
    said = words.get(status, detail) if detail == title else detail
    return problem(request, status, title, said, getattr(error, "headers", None))


def _invalid(request: Request, error: Exception) -> Response:
    details: Any = error.errors() if isinstance(error, RequestValidationError) else ()
    lines = (f"{'.'.join(map(str, each['loc'][1:])) or 'body'}: {_said(each)}" for each in details)
    return problem(request, 422, "Not understood", "; ".join(lines))


def _said(detail: Mapping[str, Any]) -> str:
    found = "" if detail["type"] == "missing" else f"; found {str(detail.get('input'))[:80]!r}"
    return f"{detail['msg']}{found}"


def _broken(request: Request, error: Exception) -> Response:
    """A fault of ours: the log has it, with no more of the request than its path."""
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(request, 500, "A fault of evtl", "this should not happen; the log tells more")
