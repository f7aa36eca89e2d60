"""What the reviews call their categories -> the vocabularies of the store (``crosswalk.csv``).

Morid 2022 prints image type and anatomical focus (Tables S3-S10; S6-S8 have no column of anatomy)
and training type and final classifier; Kim 2022 lists its modalities, subjects and approaches in
Methods; Fourcade 2019 prints a data type (Table 4), transfer learning and pre-training (Table 3).
"""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, model_validator

from evidence.errors import UnknownTermError
from evidence.rows import Name, Row
from evidence.vocabulary import ANATOMY, MODALITY, Approach, Head, Initialisation, canonical

Field = Literal["modality", "anatomy", "modality_anatomy", "approach"]
#: Columns that a row of each field may fill.
TARGETS: dict[str, tuple[str, ...]] = {
    "modality": ("modality",),
    "anatomy": ("anatomy",),
    "modality_anatomy": ("modality", "anatomy"),
    "approach": ("approach", "initialisation", "head"),
}

_BLANK_IS_NONE = BeforeValidator(lambda text: text or None)


class CrosswalkRow(Row):
    """A row of ``crosswalk.csv``: one category as a review writes it, and what it means here.

    `second_category` is the other half of a category that a review prints in two columns. A
    target is None where the category does not say it; a row without any target says why in
    `note`, and so does one that spells a category of another row differently.
    """

    natural_key = ("review", "field", "category", "second_category")

    review: Name
    field: Field
    category: Name
    second_category: str
    modality: Annotated[
        Annotated[str, AfterValidator(partial(canonical, MODALITY))] | None, _BLANK_IS_NONE
    ]
    anatomy: Annotated[
        Annotated[str, AfterValidator(partial(canonical, ANATOMY))] | None, _BLANK_IS_NONE
    ]
    approach: Annotated[Approach | None, _BLANK_IS_NONE]
    initialisation: Annotated[Initialisation | None, _BLANK_IS_NONE]
    head: Annotated[Head | None, _BLANK_IS_NONE]
    note: str

    @property
    def target(self) -> tuple[str | None, ...]:
        """The canonical words, in the order of `TARGETS`."""
        return tuple(getattr(self, column) for column in TARGETS[self.field])

    @model_validator(mode="after")
    def _fills_the_columns_of_its_field(self) -> "CrosswalkRow":
        columns = {column for names in TARGETS.values() for column in names}
        foreign = columns - set(TARGETS[self.field])
        filled = [column for column in sorted(foreign) if getattr(self, column) is not None]
        if filled:
            msg = f"a row of field {self.field} leaves {', '.join(filled)} blank"
            raise ValueError(msg)
        if not any(self.target) and not self.note:
            msg = "a category that maps to nothing says why in its note"
            raise ValueError(msg)
        return self


def find(
    rows: Iterable[CrosswalkRow], review: str, field: Field, category: str, second: str = ""
) -> CrosswalkRow:
    """The row of one printed category, which must be written as printed.

    Raises
    ------
    UnknownTermError
        The review has no such category; the message lists those that it has.
    """
    known = {
        (row.category, row.second_category): row
        for row in rows
        if (row.review, row.field) == (review, field)
    }
    if (category, second) not in known:
        words = ", ".join(" / ".join(filter(None, pair)) for pair in known) or "none"
        found = " / ".join(filter(None, (category, second)))
        msg = f"{review} has no {field} {found!r}; known: {words}. Add it to crosswalk.csv"
        raise UnknownTermError(msg)
    return known[category, second]


def translate(
    rows: Iterable[CrosswalkRow], review: str, category: str, second: str = ""
) -> tuple[str | None, str | None]:
    """Canonical modality and anatomy of what a review prints.

    Parameters
    ----------
    rows : iterable of CrosswalkRow
        The crosswalk.
    review : str
        Key of the review.
    category, second : str
        Modality and anatomy as printed. Where the review reads both from one column or only
        together, they are looked up as a pair; else each on its own, empty meaning not printed.

    Returns
    -------
    modality, anatomy : str or None
        None where the print does not say.

    Raises
    ------
    UnknownTermError
        The review has no such category.
    """
    rows = [row for row in rows if row.review == review]
    if any(row.field == "modality_anatomy" for row in rows):
        pair = find(rows, review, "modality_anatomy", category, second)
        return pair.modality, pair.anatomy
    modality = find(rows, review, "modality", category).modality if category else None
    anatomy = find(rows, review, "anatomy", second).anatomy if second else None
    return modality, anatomy
