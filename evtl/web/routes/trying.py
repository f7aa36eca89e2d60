"""Trying a trained model on an image that a visitor sends."""

from typing import Annotated

from fastapi import APIRouter, File, Query, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from evtl.upload_services import (
    BEGINNINGS,
    CrowdedError,
    Tried,
    UploadError,
    prepare,
    trained_run,
    try_image,
)
from evtl.web.limits import MAX_UPLOAD
from evtl.web.pages import page
from evtl.web.problems import Problem
from evtl.web.sessions import settings_of

router = APIRouter()
#: Seconds after which it makes sense to ask again where too many ask.
AGAIN_S = "10"
#: What pictures hold beside the text of an answer.
PICTURES = {"image", "heat_map", "caption"}

Sent = Annotated[
    UploadFile, File(description=f"{', '.join(BEGINNINGS)}; at most {MAX_UPLOAD / 1e6:g} MB.")
]


@router.get("/runs/{run}/try", include_in_schema=False)
def form(request: Request, run: str) -> Response:
    """The form."""
    trained_run(settings_of(request).runs, run)
    prepare()
    return _page(request, run)


@router.post("/runs/{run}/try", include_in_schema=False)
def answer(request: Request, run: str, image: Sent) -> Response:
    """What the model says of the image, and where it looked."""
    try:
        return _page(request, run, tried=_tried(request, run, image))
    except UploadError as error:
        return _page(request, run, problem=str(error), status_code=422)


@router.post(
    "/api/runs/{run}/predict",
    responses={503: {"model": Problem, "description": "Too many at once"}},
)
def predict(
    request: Request,
    run: str,
    image: Sent,
    pictures: Annotated[
        bool, Query(description="With the image as the network was given it, and its heat map.")
    ] = False,
) -> Tried:
    """Apply a finished run's model to one image, which is not kept.

    Raises
    ------
    HTTPException
        The file cannot be read as an image, or too many are tried at this moment.
    """
    try:
        found = _tried(request, run, image)
    except UploadError as error:
        raise HTTPException(422, str(error)) from error
    return found if pictures else found.model_copy(update=dict.fromkeys(PICTURES, ""))


def _tried(request: Request, run: str, image: UploadFile) -> Tried:
    trained = trained_run(settings_of(request).runs, run)
    try:
        return try_image(trained, image.file.read())
    except CrowdedError as error:
        raise HTTPException(503, str(error), {"retry-after": AGAIN_S}) from error


def _page(
    request: Request,
    run: str,
    *,
    tried: Tried | None = None,
    problem: str = "",
    status_code: int = 200,
) -> Response:
    return page(
        request,
        "try.html",
        status_code=status_code,
        run=run,
        tried=tried,
        problem=problem,
        kinds=", ".join(BEGINNINGS),
        most_mb=f"{MAX_UPLOAD / 1e6:g}",
    )
