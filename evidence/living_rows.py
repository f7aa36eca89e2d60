"""Row models of the files of a living review: records found, decisions, readings."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evidence.rows import Name, Row
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


class ReadingRow(Row):
    """A row of ``readings.csv``: one cell of ``studies.csv`` as one person read it."""

    natural_key = ("review", "study_key", "field", "reader")

    review: Name
    study_key: Name
    field: Name
    reader: Person
    role: Literal["reader", "adjudicator"]
    value: str
    reason: str
