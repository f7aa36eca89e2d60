"""Screening, double extraction and flow as text."""

from collections.abc import Iterator, Sequence
from typing import Any

from evidence.agreement import Kappa
from evidence.decisions import PairAgreement
from evidence.double_extraction import FieldAgreement, FieldConflict
from evidence.flow import Flow
from evidence.questions import Answer
from evidence.records import ChangeSet
from evidence.screening_lists import Conflict, Queue, Status, ToScreen
from evtl.render import Format, answer, printable, wrapped
from evtl.render_corpus import change_set

_KAPPA = ("n", "agreement", "kappa", "low", "high", "reason")


def _rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], form: Format) -> str:
    return answer(Answer(tuple(columns), tuple(map(tuple, rows)), truncated=False), form)


def done(found: ChangeSet | None) -> str:
    """What was stored."""
    return "it was so already; nothing changed" if found is None else change_set(found)


def queue(found: Queue, form: Format) -> str:
    """Studies that wait for a person; as text in paragraphs, with their abstracts."""
    if form is not Format.table:
        rows = [
            [s.study_key, s.title, "; ".join(s.authors), s.year, s.abstract] for s in found.studies
        ]
        return _rows(tuple(ToScreen.model_fields), rows, form)
    return "\n".join(_queue(found))


def _queue(found: Queue) -> Iterator[str]:
    yield (
        f"{found.n_left} studies of {found.review} wait for {found.reviewer} at {found.stage}; "
        f"{len(found.studies)} shown, oldest first"
    )
    for study in found.studies:
        yield ""
        yield wrapped(printable(f"{study.study_key}: {study.title or 'no title'}"))
        yield wrapped(printable(f"  {'; '.join(study.authors)} ({study.year or 'n.d.'})"))
        yield wrapped(printable(f"  {study.abstract or 'no abstract'}"))


def conflicts(found: Sequence[Conflict], form: Format) -> str:
    """A row for each decision on a study in conflict."""
    columns = ("stage", "study_key", "title", "reviewer", "role", "decision", "reason")
    rows = [
        [one.stage, one.study_key, one.title, *said.model_dump().values()]
        for one in found
        for said in one.said
    ]
    return _rows(columns, rows, form)


def status(found: Status, form: Format) -> str:
    """A row for each stage, then one for each person and stage."""
    columns = ("stage", "reviewer", "role", "pending", "include", "exclude", "conflict")
    stages: list[list[Any]] = [
        [s.stage, "all", f"{s.n_studies} studies", s.n_pending, s.n_include, s.n_exclude,
         s.n_conflict]
        for s in found.stages
    ]  # fmt: skip
    people = [
        [p.stage, p.reviewer, p.role, p.n_left, p.n_include, p.n_exclude, None]
        for p in found.reviewers
    ]
    return _rows(columns, stages + people, form)


def agreement(found: Sequence[PairAgreement], form: Format) -> str:
    """A row for each stage and pair of reviewers."""
    columns = ("stage", "reviewers", *_KAPPA, "revised")
    rows = [
        [one.stage, " and ".join(one.reviewers), *_kappa(one.kappa), one.n_revised] for one in found
    ]
    return _rows(columns, rows, form)


def field_agreement(found: Sequence[FieldAgreement], form: Format) -> str:
    """A row for each field and pair of readers."""
    columns = ("field", "readers", *_KAPPA)
    rows = [[one.field, " and ".join(one.readers), *_kappa(one.kappa)] for one in found]
    return _rows(columns, rows, form)


def _kappa(found: Kappa) -> list[Any]:
    """Its numbers to three decimals; more would be read as more than they say."""
    values = (getattr(found, name) for name in _KAPPA)
    return [round(value, 3) if isinstance(value, float) else value for value in values]


def field_conflicts(found: Sequence[FieldConflict], form: Format) -> str:
    """A row for each value of a field in conflict."""
    rows = [
        [one.review, one.study_key, one.field, reader, value]
        for one in found
        for reader, value in one.said
    ]
    return _rows(("review", "study_key", "field", "reader", "value"), rows, form)


def flow(found: Flow, form: Format) -> str:
    """A row for each step, and for each source and reason under its step."""
    rows: list[list[Any]] = []
    for step in found.steps:
        rows.append([step.kind, step.label, step.n_printed, step.n_derived, step.note])
        rows += [[step.kind, f"- {n}", count, None, ""] for n, count in step.sources + step.reasons]
    return _rows(("kind", "step", "n", "n_derived", "note"), rows, form)
