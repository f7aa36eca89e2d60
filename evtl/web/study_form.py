"""A form for a study: what was typed -> cells of the corpus files, and what is wrong with them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evidence.errors import Problem
from evidence.imports import OWN_REVIEW
from evidence.study_entry import STUDIES, Entered, StudyCells
from evtl.study_services import Typed
from evtl.web.study_fields import EXTRACTION, PUBLICATION, REVIEW, Group, fields

#: Extractions that one form holds.
MOST_EXTRACTIONS = 20
_PUBLISHED = frozenset(field.name for field in fields(PUBLICATION))
_EXTRACTED = frozenset(field.name for field in (REVIEW, *fields(EXTRACTION)))
#: An extraction that nobody typed yet.
_OWN = {"review": OWN_REVIEW}
#: ``p-title``, or ``x2-modality`` of the second extraction.
_NAME = re.compile(r"p-(\w{1,40})|x([1-9]\d?)-(\w{1,40})", re.ASCII)


class Complaint(NamedTuple):
    """What is wrong with one field; `field` is the name of a set of them where it is all."""

    field: str
    label: str
    said: str


class StudyForm(NamedTuple):
    """A form as it is shown: what it holds, and what came of it so far.

    Attributes
    ----------
    key : str
        Study that is corrected; empty for a new one.
    seen : str
        Digest of what was read, against corrections by two at once.
    kept : frozenset of str
        Reviews whose extraction is stored: they cannot be renamed.
    failed : str
        Why nothing was stored, where it is no field's fault.
    tried : Entered or None
        What storing would do.
    """

    cells: StudyCells
    key: str = ""
    seen: str = ""
    kept: frozenset[str] = frozenset()
    by: str = ""
    reason: str = ""
    complaints: tuple[Complaint, ...] = ()
    failed: str = ""
    tried: Entered | None = None

    def wrong(self, name: str) -> tuple[str, ...]:
        """What is said against a field, without all that is known: the field suggests that."""
        said = (each.said for each in self.complaints if each.field == name)
        return tuple(text.partition(" Known: ")[0] for text in said)

    def is_open(self, prefix: str, group: Group) -> bool:
        """Whether a group is shown unfolded: nothing that is wrong is hidden."""
        names = {f"{prefix}-{field.name}" for field in group.fields}
        return not group.folded or any(each.field in names for each in self.complaints)


def new_form(by: str) -> StudyForm:
    """An empty form with one extraction."""
    return StudyForm(StudyCells(publication={}, extractions=(_OWN,)), by=by)


def stored_form(key: str, stored: StudyCells, by: str, *, further: bool) -> StudyForm:
    """A form of a study as it is stored, with room for a `further` extraction."""
    extractions = (*stored.extractions, _OWN) if further else stored.extractions
    kept = frozenset(cells["review"] for cells in stored.extractions)
    shown = StudyCells(publication=stored.publication, extractions=extractions)
    return StudyForm(shown, key, stored.digest, kept, by)


def parsed(sent: Mapping[str, str], key: str = "", kept: frozenset[str] = frozenset()) -> StudyForm:
    """What a browser sent; names that are no field are passed over."""
    publication: dict[str, str] = {}
    extractions: dict[int, dict[str, str]] = {}
    for name, text in sent.items():
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        column, number, read = match.groups()
        if column in _PUBLISHED:
            publication[column] = _lines(text)
        elif read in _EXTRACTED and int(number) <= MOST_EXTRACTIONS:
            extractions.setdefault(int(number), {})[read] = _lines(text)
    ordered = tuple(extractions[number] for number in sorted(extractions))
    return StudyForm(
        StudyCells(publication=publication, extractions=ordered),
        key,
        sent.get("seen", ""),
        kept,
        sent.get("by", ""),
        sent.get("reason", ""),
    )


def _lines(text: str) -> str:
    """A text with line breaks as the store has them; browsers send others."""
    return text.replace("\r\n", "\n")


def typed(form: StudyForm, *, dry_run: bool) -> Typed:
    """What the form asks to be stored."""
    return Typed(
        form.cells.publication, form.cells.extractions, form.by, form.reason, dry_run=dry_run
    )


def complaints(problems: Sequence[Problem], form: StudyForm) -> tuple[Complaint, ...]:
    """Problems beside the fields that they are about."""
    return tuple(_complaint(problem, form) for problem in problems)


def _complaint(problem: Problem, form: StudyForm) -> Complaint:
    column = problem.column.partition(",")[0]
    if problem.file == STUDIES:
        return _placed(f"x{problem.row}", column, problem, (REVIEW, *fields(EXTRACTION)))
    if problem.file == "reviews.csv":  # a new review: its name was typed with an extraction
        return _placed(f"x{len(form.cells.extractions)}", "review", problem, (REVIEW,))
    return _placed("p", column, problem, fields(PUBLICATION))


def _placed(prefix: str, column: str, problem: Problem, known: Sequence[Any]) -> Complaint:
    label = next((field.label for field in known if field.name == column), "")
    return Complaint(f"{prefix}-{column}" if label else prefix, label or "As a whole",
                     problem.allowed)  # fmt: skip
