"""What programs may ask for, made from the app's own description."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from evtl.web import described
from evtl.web.pages import page

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def overview(request: Request) -> Response:
    """Every operation, with a link to all that is known of it."""
    found = _operations(request)
    return page(request, "docs.html", operations=found)


@router.get("/docs/{group}")
def group(request: Request, group: str) -> Response:
    """Operations of one group: parameters, bodies, answers, and the fields of both.

    Raises
    ------
    HTTPException
        There is no such group.
    """
    found = tuple(each for each in _operations(request) if each.group == group)
    if not found:
        raise HTTPException(404)
    schemas = described.schemas_of(request.app.openapi(), found)
    return page(request, "docs_group.html", group=group, operations=found, schemas=schemas)


def _operations(request: Request) -> tuple[described.Operation, ...]:
    return described.operations(request.app.openapi(), str(request.base_url).rstrip("/"))
