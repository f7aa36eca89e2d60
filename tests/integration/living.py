"""A living review in a store: three studies that two searches brought."""

from collections.abc import Iterable

from evidence.changes import Changes, Reason, apply
from evidence.ingest import Line
from evidence.living_rows import IdentifiedRow
from evidence.rows import PublicationRow, ReviewRow, Row
from evidence.store import Store
from tests.unit.evidence.living import REVIEW

#: In the order in which they were found.
STUDIES = ("zhou-2020", "adams-2021", "moore-2019")


def add_review(store: Store) -> None:
    """Put the review and its records into a store; `adams-2021` was found twice."""
    blank = dict.fromkeys(ReviewRow.model_fields, "")
    said = {"review": REVIEW, "title": "Thyroid", "authors": "Anna", "journal": "-"}
    review = ReviewRow.model_validate(blank | said | {"review_type": "living", "year": "2026"})
    publications = [_publication(key) for key in STUDIES]
    records = [_record("PubMed", key) for key in STUDIES] + [_record("Embase", STUDIES[1], "doi")]
    puts = {
        "reviews.csv": _lines([review]),
        "publications.csv": _lines(publications),
        "identified.csv": _lines(records),
    }
    with store.begin() as connection:
        apply(connection, Changes(puts), Reason("anna", "searches", "import"))


def _lines(rows: Iterable[Row]) -> list[Line]:
    return [Line("search", number, row) for number, row in enumerate(rows, 1)]


def _publication(key: str) -> PublicationRow:
    family, year = key.split("-")
    cells = dict.fromkeys(PublicationRow.model_fields, "") | {
        "study_key": key,
        "first_author": family.title(),
        "authors": f"A. {family.title()}; B. Second",
        "year": year,
        "title": f"Nodules of {family}",
        "abstract": f"What {family} found.",
        "cited_from": REVIEW,
    }
    return PublicationRow.model_validate(cells)


def _record(source: str, key: str, matched_by: str = "") -> IdentifiedRow:
    cells = {"review": REVIEW, "source": source, "record": f"r-{key}", "study_key": key}
    return IdentifiedRow.model_validate(cells | {"matched_by": matched_by, "note": ""})
