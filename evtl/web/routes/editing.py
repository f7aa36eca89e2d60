"""Studies: adding and correcting them, through change sets."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from starlette.requests import Request
from starlette.responses import Response

from evidence.errors import EvidenceError, IngestError, StudyChangedError, StudyNotFoundError
from evidence.records import Record
from evidence.study_entry import Entered, StudyCells
from evtl import study_services as services
from evtl.study_services import Typed
from evtl.web import study_fields, study_form
from evtl.web.acting import Name, Why, name_of, remember, to_sign_in, told
from evtl.web.entering import NEEDS_TOKEN
from evtl.web.pages import page
from evtl.web.problems import Problem
from evtl.web.sending import Sent
from evtl.web.study_form import MOST_EXTRACTIONS, StudyForm

router = APIRouter()

Key = Annotated[str, Path(max_length=80, description="e.g. shin-2016.")]
_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem}}


@router.get("/add-study", include_in_schema=False)
def new_study(request: Request) -> Response:
    """The empty form."""
    return to_sign_in(request) or _page(request, study_form.new_form(name_of(request)))


@router.post("/add-study", include_in_schema=False, dependencies=[NEEDS_TOKEN])
def add_typed(request: Request, sent: Sent) -> Response:
    """Try or store what was typed."""
    return _entered(request, study_form.parsed(sent), sent)


@router.get("/studies/{key}/edit", include_in_schema=False)
def stored_study(request: Request, key: Key, further: Annotated[bool, Query()] = False) -> Response:
    """The form of a study as it is stored."""
    if entrance := to_sign_in(request):
        return entrance
    stored = services.study_cells(key)
    form = study_form.stored_form(key, stored, name_of(request), further=further)
    return _page(request, form)


@router.post("/studies/{key}/edit", include_in_schema=False, dependencies=[NEEDS_TOKEN])
def correct_typed(request: Request, key: Key, sent: Sent) -> Response:
    """Try or store what was corrected."""
    stored = services.study_cells(key)
    kept = frozenset(cells["review"] for cells in stored.extractions)
    return _entered(request, study_form.parsed(sent, key, kept), sent)


def _entered(request: Request, form: StudyForm, sent: dict[str, str]) -> Response:
    """Store and go to the study; or the form again, with what was typed and what is wrong."""
    remember(request, form.by)
    tries = sent.get("act") != "store"
    typed = study_form.typed(form, dry_run=tries)
    try:
        done = (
            services.correct_study(form.key, typed, form.seen)
            if form.key
            else services.add_study(typed)
        )
    except IngestError as error:
        wrong = study_form.complaints(error.problems, form)
        return _page(request, form._replace(complaints=wrong), 400)
    except StudyNotFoundError:
        raise
    except EvidenceError as error:
        status = 409 if isinstance(error, StudyChangedError) else 400
        return _page(request, form._replace(failed=str(error)), status)
    if tries:
        return _page(request, form._replace(tried=done))
    return told(request, f"/studies/{done.key}", done.change_set)


def _page(request: Request, form: StudyForm, status: int = 200) -> Response:
    return page(
        request,
        "edit_study.html",
        status_code=status,
        form=form,
        fields=study_fields,
        suggested=study_fields.suggested(services.known_names()),
    )


def _described(columns: tuple[study_fields.Field, ...]) -> dict[str, Any]:
    """JSON Schema of the cells of a row."""
    cells = {}
    for each in columns:
        allowed = f"One of: {', '.join(each.options)}." if each.options else ""
        said = ". ".join(filter(None, (each.label, each.hint, allowed)))
        cells[each.name] = {"type": ["string", "number"], "description": said}
    return {"type": "object", "properties": cells, "additionalProperties": False}


def _as_text(sent: Any) -> Any:
    """Numbers may be sent as numbers."""
    if not isinstance(sent, dict):
        return sent
    return {name: str(v) if type(v) in {int, float} else v for name, v in sent.items()}


def _known(columns: tuple[study_fields.Field, ...]) -> AfterValidator:
    """Refuse cells of no column."""
    names = [each.name for each in columns]

    def check(cells: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(cells.keys() - set(names)):
            msg = f"no column is called {unknown[0][:40]!r}; allowed: {', '.join(names)}"
            raise ValueError(msg)
        return cells

    return AfterValidator(check)


_PUBLICATION = study_fields.fields(study_fields.PUBLICATION)
_EXTRACTION = (study_fields.REVIEW, *study_fields.fields(study_fields.EXTRACTION))
PublicationCells = Annotated[
    dict[str, str],
    BeforeValidator(_as_text),
    _known(_PUBLICATION),
    WithJsonSchema(_described(_PUBLICATION)),
]
ExtractionCells = Annotated[
    dict[str, str],
    BeforeValidator(_as_text),
    _known(_EXTRACTION),
    WithJsonSchema(_described(_EXTRACTION)),
]


class StudyDraft(BaseModel):
    """A study to be taken up, in the notation of publications.csv and studies.csv."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publication: PublicationCells
    extractions: tuple[ExtractionCells, ...] = Field(
        min_length=1, max_length=MOST_EXTRACTIONS, description="For reviews of your own."
    )
    by: Name = Field(description="Who does this.")
    reason: Why = Field(description="Why; kept with the change set.")
    dry_run: bool = Field(default=False, description="Say what would happen, store nothing.")

    def typed(self) -> Typed:
        """What is asked to be stored."""
        return Typed(self.publication, self.extractions, self.by, self.reason, dry_run=self.dry_run)


class StudyCorrection(StudyDraft):
    """Corrections; columns and extractions that are not sent stay as they are."""

    publication: PublicationCells = {}
    extractions: tuple[ExtractionCells, ...] = Field(
        default=(), max_length=MOST_EXTRACTIONS, description="Each names its review."
    )
    digest: str = Field(max_length=64, description="Of the cells that are corrected, as read.")


class CellsShown(Record):
    """A study as it is typed; `digest` goes with a correction."""

    publication: dict[str, str]
    extractions: tuple[dict[str, str], ...]
    digest: str


@router.get("/api/studies/{key}/cells")
def show_cells(key: Key) -> CellsShown:
    """Show a study as cells of publications.csv and studies.csv, to correct them."""
    found: StudyCells = services.study_cells(key)
    return CellsShown(
        publication=found.publication, extractions=found.extractions, digest=found.digest
    )


@router.post("/api/studies", dependencies=[NEEDS_TOKEN])
def add_study(draft: StudyDraft) -> Entered:
    """Add a study with what was read of it, as one change set; or nothing, with every bad cell."""
    return services.add_study(draft.typed())


@router.put("/api/studies/{key}", dependencies=[NEEDS_TOKEN], responses=_CONFLICT)
def correct_study(key: Key, draft: StudyCorrection) -> Entered:
    """Correct a study, or read it for a further review, unless it was changed since it was read."""
    return services.correct_study(key, draft.typed(), draft.digest)
