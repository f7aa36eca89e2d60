"""Use cases of a living review: screening, double extraction, flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from evidence import double_extraction, screening, screening_lists
from evidence.decisions import PairAgreement
from evidence.double_extraction import FieldAgreement, FieldConflict
from evidence.errors import EvidenceError, IngestError, Problem
from evidence.flow import Flow, flow
from evidence.living_rows import ReadingRow, ScreeningRow
from evidence.records import ChangeSet
from evidence.screening import Protocol
from evidence.screening_lists import Conflict, Queue, Status
from evidence.store import Store
from evidence.vocabulary import Stage
from evtl.corpus_services import actor


@dataclass(frozen=True)
class Judgement:
    """What somebody decides on studies, as typed."""

    studies: Sequence[str]
    stage: Stage
    decision: str
    reason: str = ""
    adjudicates: bool = False


def decide(judgement: Judgement, protocol: Protocol, by: str | None) -> ChangeSet | None:
    """Keep one person's decisions; None where they were so already.

    Raises
    ------
    EvidenceError
        A decision is not possible; nothing was stored.
    """
    store = Store()
    with store.connect() as connection:
        review = screening.living_review(connection, protocol.review)
    said = {
        "review": review,
        "stage": judgement.stage,
        "reviewer": actor(by),
        "role": "adjudicator" if judgement.adjudicates else "reviewer",
        "decision": judgement.decision,
        "reason": judgement.reason,
    }
    try:
        rows = [ScreeningRow.model_validate(said | {"study_key": s}) for s in judgement.studies]
    except ValidationError as error:
        raise EvidenceError(_said_wrong(error)) from error
    return screening.decide(store, rows, protocol.n_reviewers)


def _said_wrong(error: ValidationError) -> str:
    said = []
    for detail in error.errors():
        field = f"{detail['loc'][0]}: " if detail["loc"] else ""
        said.append(field + detail["msg"].removeprefix("Value error, "))
    return "; ".join(said)


def queue(protocol: Protocol, stage: Stage, by: str | None, limit: int) -> Queue:
    """What somebody has still to decide."""
    return screening_lists.queue(Store(), protocol, stage, actor(by), limit)


def conflicts(protocol: Protocol) -> tuple[Conflict, ...]:
    """Studies on which people differ."""
    return screening_lists.conflicts(Store(), protocol)


def status(protocol: Protocol) -> Status:
    """How far the screening came."""
    return screening_lists.status(Store(), protocol)


def agreement(protocol: Protocol) -> tuple[PairAgreement, ...]:
    """How far reviewers agree."""
    return screening_lists.agreement(Store(), protocol)


def read_study(file: Path, by: str | None) -> ChangeSet | None:
    """Keep what one person extracted; None where all of it was there.

    Raises
    ------
    IngestError
        The file cannot be read, or lists every bad cell; nothing was stored.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        found = error.strerror or str(error)
        problem = Problem(str(file), 0, "-", found, "name a file that can be read")
        raise IngestError((problem,)) from error
    return double_extraction.read_study(Store(), actor(by), file.name, data)


def extraction_conflicts(review: str | None, study: str | None) -> tuple[FieldConflict, ...]:
    """Fields that readers filled in differently.

    Raises
    ------
    EvidenceError
        A study was named that nobody read.
    """
    found = double_extraction.stored_readings(Store(), review, study)
    if study is not None and not found:
        raise EvidenceError(_unread(review, study))
    return double_extraction.conflicts(found)


def extraction_agreement(review: str | None) -> tuple[FieldAgreement, ...]:
    """How far readers agree, field by field."""
    return double_extraction.agreement(double_extraction.stored_readings(Store(), review))


@dataclass(frozen=True)
class Ruling:
    """An adjudicator's word on one field, as typed."""

    study: str
    field: str
    value: str
    reason: str


def adjudicate(ruling: Ruling, review: str | None, by: str | None) -> ChangeSet | None:
    """Keep an adjudicator's word; None where it was so already.

    Raises
    ------
    EvidenceError
        The field may not hold the value, or it is not this person's to say.
    """
    store = Store()
    said = {
        "review": _review_of(store, review, ruling.study),
        "study_key": ruling.study,
        "field": ruling.field,
        "reader": actor(by),
        "role": "adjudicator",
        "value": ruling.value,
        "reason": ruling.reason,
    }
    try:
        row = ReadingRow.model_validate(said)
    except ValidationError as error:
        raise EvidenceError(_said_wrong(error)) from error
    return double_extraction.adjudicate(store, row)


def adopt(study: str, review: str | None, by: str | None) -> ChangeSet | None:
    """Make what readers agree on the extraction of a study; None where it is so already."""
    store = Store()
    return double_extraction.adopt(store, _review_of(store, review, study), study, actor(by))


def _review_of(store: Store, review: str | None, study: str) -> str:
    """The review that a study was read for: the one named, or the only one."""
    reviews = {row.review for row in double_extraction.stored_readings(store, review, study)}
    if len(reviews) == 1:
        return reviews.pop()
    if not reviews:
        raise EvidenceError(_unread(review, study))
    msg = f"{study} was read for {', '.join(sorted(reviews))}; name one with --review"
    raise EvidenceError(msg)


def _unread(review: str | None, study: str) -> str:
    where = f" for {review}" if review else ""
    return f"nobody read {study!r}{where}; evtl extract add FILE brings what a person read"


def review_flow(protocol: Protocol, out: Path | None) -> Flow:
    """The flow of a review, drawn to a file where one is named."""
    found = flow(Store(), protocol)
    if out is not None:
        from evidence.figures import save  # noqa: PLC0415  (only where something is drawn)
        from evidence.prisma import prisma  # noqa: PLC0415

        save(prisma(found.steps, f"Flow of {found.review}"), out)
    return found
