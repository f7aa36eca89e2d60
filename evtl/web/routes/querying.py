"""Questions in SQL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from evidence.errors import EvidenceError
from evidence.questions import PARALLEL_QUESTIONS, QUERY_CHARACTERS, Answer
from evidence.records import Record
from evtl import corpus_services, services
from evtl.corpus_services import CountedSource
from evtl.render import Format, plain, written
from evtl.web.fitting import Fitted, fitted
from evtl.web.pages import page
from evtl.web.problems import Problem

router = APIRouter()

#: Characters of a question in an address; longer ones are sent as a body.
ADDRESS_CHARACTERS = 4000
#: Rows of an answer that a page shows.
SHOWN_ROWS = 200
#: Who asks or waits for their turn; each keeps a thread of the server, which has 40, busy.
MOST_ASKING = PARALLEL_QUESTIONS + 8
_asking = threading.BoundedSemaphore(MOST_ASKING)

#: What is asked most, in words and in SQL that both databases understand.
EXAMPLES = (
    (
        "Which networks were studied for ultrasound, and how often",
        "SELECT family, count(*) AS extractions\nFROM study_features\n"
        "WHERE modality = 'ultrasound'\nGROUP BY family\nORDER BY extractions DESC, family",
    ),
    (
        "Approaches by modality",
        "SELECT modality, approach, count(*) AS n\nFROM study_features\n"
        "WHERE modality IS NOT NULL\nGROUP BY modality, approach\nORDER BY modality, n DESC",
    ),
    (
        "What a figure was read from, letter for letter",
        "SELECT review, field, value, printed, column_name, locator_table\nFROM fact\n"
        "WHERE study = 'byra-2019'\nORDER BY review, field",
    ),
    (
        "Studies that more than one review read",
        "SELECT study, count(*) AS reviews\nFROM extraction\nGROUP BY study\n"
        "HAVING count(*) > 1\nORDER BY study",
    ),
    (
        "Who changed what",
        "SELECT id, at, actor, kind, reason\nFROM change_set\nORDER BY id DESC",
    ),
)
Asked = Annotated[str, Query(max_length=ADDRESS_CHARACTERS, description="One SELECT.")]
Form = Annotated[
    Literal["json", "csv"],
    Query(description="csv: as evtl sql writes it; cells are never altered, not even formulas."),
]
#: A cell of an answer: blobs in hexadecimal, infinities null.
Value = int | float | str | None


class SqlAnswer(Record):
    """Answer to a question; `truncated` where there are more rows than are given."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    truncated: bool


class SqlExample(Record):
    """A question that is asked often."""

    line: str
    query: str


class SqlSchema(Record):
    """What may be asked: tables and views, and questions to begin with."""

    sources: tuple[CountedSource, ...]
    examples: tuple[SqlExample, ...]


class SqlQuestion(BaseModel):
    """A question that may be too long for an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(max_length=QUERY_CHARACTERS, description="One SELECT.")
    format: Literal["json", "csv"] = "json"


class Shown(Record):
    """An answer as a page shows it."""

    columns: Fitted
    rows: Fitted
    n_rows: int
    truncated: bool


@router.get("/sql", include_in_schema=False)
def editor(request: Request, query: str = "") -> Response:
    """The editor, with the answer where something is asked."""
    answer, failed, status = None, "", 200
    try:
        if query.strip():
            answer = _ask(_of_an_address(query))
    except EvidenceError as error:
        failed, status = str(error), 400
    except HTTPException as error:
        failed, status = error.detail, error.status_code
    return page(
        request,
        "sql.html",
        status_code=status,
        query=query[:ADDRESS_CHARACTERS],
        failed=failed[:2000],
        shown=_shown(answer) if answer else None,
        catalogue=corpus_services.catalogue(),
        examples=EXAMPLES,
        most=ADDRESS_CHARACTERS,
    )


def _of_an_address(query: str) -> str:
    if len(query) > ADDRESS_CHARACTERS:
        msg = (
            f"a question of {len(query)} characters is too long for an address, which holds "
            f"{ADDRESS_CHARACTERS}: send it with POST /api/sql, or ask with evtl sql"
        )
        raise HTTPException(414, msg)
    return query


def _shown(answer: Answer) -> Shown:
    head = fitted([answer.columns], 1)
    return Shown(
        columns=head,
        rows=fitted(answer.rows, SHOWN_ROWS),
        n_rows=len(answer.rows),
        truncated=answer.truncated,
    )


@router.get(
    "/api/sql",
    response_model=SqlAnswer,
    responses={200: {"content": {"text/csv": {}}}, 429: {"model": Problem}},
)
def ask(query: Asked, format: Form = "json") -> Response:
    """Ask one SELECT over the store, read-only, within limits of time, rows and memory."""
    return _written(_ask(query), format)


@router.post(
    "/api/sql",
    response_model=SqlAnswer,
    responses={200: {"content": {"text/csv": {}}}, 429: {"model": Problem}},
)
def ask_long(question: SqlQuestion) -> Response:
    """Ask one SELECT that is too long for an address."""
    return _written(_ask(question.query), question.format)


@router.get("/api/sql/schema")
def describe() -> SqlSchema:
    """Name what may be asked: tables and views with columns and number of rows, and examples."""
    examples = tuple(SqlExample(line=line, query=query) for line, query in EXAMPLES)
    return SqlSchema(sources=corpus_services.counted(), examples=examples)


def _ask(query: str) -> Answer:
    with _turn():
        return services.sql(query)


@contextmanager
def _turn() -> Iterator[None]:
    """A place among those who ask.

    Raises
    ------
    HTTPException
        There is none: nobody waits without end, and other pages stay quick.
    """
    if not _asking.acquire(blocking=False):
        msg = f"{MOST_ASKING} questions are being answered already; ask again in a few seconds"
        raise HTTPException(429, msg, {"retry-after": "5"})
    try:
        yield
    finally:
        _asking.release()


def _written(answer: Answer, form: Literal["json", "csv"]) -> Response:
    """The answer as a file; a header says where rows are missing from it."""
    headers = {
        "content-disposition": f'attachment; filename="evtl.{form}"',
        "x-evtl-truncated": str(answer.truncated).lower(),
    }
    if form == "csv":
        text = written(answer, Format.csv) + "\n"
        return Response(text.encode(errors="replace"), 200, headers, "text/csv; charset=utf-8")
    rows = tuple(tuple(map(plain, row)) for row in answer.rows)
    found = SqlAnswer(columns=answer.columns, rows=rows, truncated=answer.truncated)
    return Response(found.model_dump_json(), 200, headers, "application/json")
