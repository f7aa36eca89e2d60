"""Row models of the files of a living review: records found, decisions, readings."""

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from evidence.rows import Name, Row, StudyRow
from evidence.vocabulary import Decision, Stage

Person = Annotated[str, Field(min_length=1, max_length=80)]


class IdentifiedRow(Row):
    """A row of ``identified.csv``: a record that a search of a review brought.

    `record` names it within its source; several records may be one study (duplicates).
    `matched_by` says how the study was recognised; empty where it was new.
    """

    natural_key = ("review", "source", "record")

    review: Name
    source: Name
    record: Name
    study_key: Name
    matched_by: Literal["", "doi", "pmid", "title"]
    note: str


class ScreeningRow(Row):
    """A row of ``screening.csv``: one person's decision on one study at one stage."""

    natural_key = ("review", "study_key", "stage", "reviewer")

    review: Name
    study_key: Name
    stage: Stage
    reviewer: Person
    role: Literal["reviewer", "adjudicator"]
    decision: Decision
    reason: str

    @model_validator(mode="after")
    def _exclusion_has_a_reason(self) -> "ScreeningRow":
        if self.decision == "exclude" and not self.reason:
            msg = "an exclusion needs a reason"
            raise ValueError(msg)
        return self


#: Columns of ``studies.csv`` that a person reads.
READ_FIELDS = tuple(name for name in StudyRow.model_fields if name not in StudyRow.natural_key)
#: A row in which each single field can be tried; an approach needs a backbone.
_SPECIMEN = dict.fromkeys(StudyRow.model_fields, "") | {
    "review": "-",
    "study_key": "-",
    "status": "known",
    "table": "-",
    "position": "1",
    "row_label": "-",
    "reading": "as_printed",
    "year": "2000",
    "backbone": "unknown",
}


@lru_cache(maxsize=4096)
def study_cell(field: str, text: str) -> str:
    """One cell of ``studies.csv`` as it is written there.

    Raises
    ------
    ValueError
        The field may not hold that.
    """
    try:
        return StudyRow.model_validate(_SPECIMEN | {field: text}).cells()[field]
    except ValidationError as error:
        msg = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(msg) from error


class ReadingRow(Row):
    """A row of ``readings.csv``: one cell of ``studies.csv`` as one person read it.

    The value is kept as ``studies.csv`` would write it. A field that a reader left empty has no
    row; an adjudicator may say with an empty value that nothing is reported.
    """

    natural_key = ("review", "study_key", "field", "reader")

    review: Name
    study_key: Name
    field: Name
    reader: Person
    role: Literal["reader", "adjudicator"]
    value: str
    reason: str

    @field_validator("field")
    @classmethod
    def _is_read(cls, field: str) -> str:
        if field not in READ_FIELDS:
            msg = f"a reading is of one of {', '.join(READ_FIELDS)}"
            raise ValueError(msg)
        return field

    @field_validator("value")
    @classmethod
    def _written_alike(cls, value: str, info: ValidationInfo) -> str:
        return study_cell(info.data["field"], value) if "field" in info.data else value
