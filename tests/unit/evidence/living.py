"""Rows of a living review, as tests make them."""

from collections.abc import Mapping

from evidence.living_rows import ReadingRow, ScreeningRow

REVIEW = "thyroid2026"
#: Fields of an extraction that must not be empty.
EXTRACTION = {
    "status": "extracted",
    "table": "1",
    "position": "1",
    "row_label": "Doe 2020",
    "reading": "as_printed",
    "year": "2020",
    "backbone": "VGG-16",
}


def decision(study: str, person: str, word: str, **other: str) -> ScreeningRow:
    """A reviewer's decision at title and abstract; an exclusion says why."""
    cells = {
        "review": REVIEW,
        "study_key": study,
        "stage": "title_abstract",
        "reviewer": person,
        "role": "reviewer",
        "decision": word,
        "reason": "not on images" if word == "exclude" else "",
    }
    return ScreeningRow.model_validate(cells | other)


def adjudication(study: str, person: str, word: str, **other: str) -> ScreeningRow:
    """An adjudicator's decision."""
    return decision(study, person, word, role="adjudicator", **other)


def read(person: str, cells: Mapping[str, str], study: str = "doe-2020") -> list[ReadingRow]:
    """What a person read of a study, in addition to `EXTRACTION`."""
    own = {"review": REVIEW, "study_key": study, "reader": person, "role": "reader", "reason": ""}
    said = {**EXTRACTION, **cells}
    return [ReadingRow.model_validate(own | {"field": f, "value": v}) for f, v in said.items()]
