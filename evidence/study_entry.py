"""One study as a person types it: a publication and what was read of it, as one change set.

A study that is new comes with an extraction for a review of one's own. A published review takes
up none, but a row of it that was copied wrongly may be corrected, with the reason.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from evidence import schema
from evidence.changes import Changes, Reason, apply
from evidence.codecs import CODECS
from evidence.errors import IngestError, Problem, StudyChangedError, StudyNotFoundError
from evidence.imports import OWN_REVIEW, look_alikes, own_key, own_review
from evidence.ingest import Line, validated
from evidence.records import ChangeSet, PossibleDuplicate, Record
from evidence.rows import PublicationRow, Row
from evidence.store import Store

PUBLICATIONS, STUDIES, REVIEWS = "publications.csv", "studies.csv", "reviews.csv"
#: Cells of one row, by column; a column that is left out keeps what it holds.
Cells = Mapping[str, str]
#: Stands for the key of a study that has none yet.
_UNNAMED = "new"


class StudyCells(Record):
    """A study as cells of ``publications.csv`` and ``studies.csv``, one extraction per review."""

    publication: dict[str, str]
    extractions: tuple[dict[str, str], ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the cells (hex): another one says that somebody changed them."""
        said = json.dumps([self.publication, self.extractions], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


class Entered(Record):
    """What came of it: the study, the change set (None where all was so already), look-alikes."""

    key: str
    change_set: ChangeSet | None
    possible: tuple[PossibleDuplicate, ...] = ()
    dry_run: bool = False


def stored_cells(connection: Connection, key: str) -> StudyCells:
    """What is stored of one study.

    Raises
    ------
    StudyNotFoundError
        No study has this key.
    """
    found = CODECS[PUBLICATIONS].read(connection, [(key,)])
    if (key,) not in found:
        msg = f"there is no study {key!r}; evtl studies --words TEXT looks for titles and authors"
        raise StudyNotFoundError(msg)
    table = schema.extraction.c
    reviews = connection.scalars(select(table.review).where(table.study == key).order_by(table.id))
    rows = CODECS[STUDIES].read(connection, [(review, key) for review in reviews])
    return StudyCells(publication=found[(key,)], extractions=tuple(rows.values()))


def add(store: Store, typed: StudyCells, reason: Reason, *, dry_run: bool = False) -> Entered:
    """Take up a study that is not there yet; its key is made of author, year and citation.

    Raises
    ------
    IngestError
        Lists every bad cell; nothing was stored.
    """
    nothing = StudyCells(publication={}, extractions=())
    with store.begin() as connection:
        lines = _checked(connection, _UNNAMED, typed, nothing)
        key = _free_key(connection, lines[PUBLICATIONS])
        lines = _named(lines, key)
        possible = tuple(look_alikes(connection, lines[PUBLICATIONS]))
        done = apply(connection, Changes(lines), reason)
        if dry_run:
            connection.rollback()
    return Entered(key=key, change_set=done, possible=possible, dry_run=dry_run)


def correct(
    store: Store, key: str, typed: StudyCells, seen: str, reason: Reason, *, dry_run: bool = False
) -> Entered:
    """Correct a study, or read it for a further review of one's own.

    Parameters
    ----------
    typed : StudyCells
        Columns and extractions that are left out stay as they are.
    seen : str
        `StudyCells.digest` of what the corrections were made on.

    Raises
    ------
    StudyNotFoundError
        No study has this key.
    StudyChangedError
        Somebody changed it since it was seen.
    IngestError
        Lists every bad cell; nothing was stored.
    """
    with store.begin() as connection:
        stored = stored_cells(connection, key)
        if stored.digest != seen:
            msg = (
                f"{key} was changed since you read it: evtl changes says by whom. Nothing was "
                "stored; look at it as it is now and correct it again"
            )
            raise StudyChangedError(msg)
        done = apply(connection, Changes(_checked(connection, key, typed, stored)), reason)
        if dry_run:
            connection.rollback()
    return Entered(key=key, change_set=done, dry_run=dry_run)


def _checked(
    connection: Connection, key: str, typed: StudyCells, stored: StudyCells
) -> dict[str, list[Line]]:
    """Rows to be stored, each checked as in a file, with the reviews that are new."""
    before = {cells["review"]: cells for cells in stored.extractions}
    rows = _rows(typed, stored.publication, before, key)
    added = [cells["review"] for cells in rows[STUDIES] if cells["review"] not in before]
    kinds = _kinds(connection, added)
    problems = [*_problems(rows), *_closed(rows[STUDIES], before, kinds)]
    if problems:
        raise IngestError(tuple(problems))
    new = [review for review in dict.fromkeys(added) if review not in kinds]
    return {REVIEWS: [Line(REVIEWS, 0, own_review(review)) for review in new], **validated(rows)}


def _rows(
    typed: StudyCells, publication: Cells, before: Mapping[str, Cells], key: str
) -> dict[str, list[dict[str, str]]]:
    """Whole rows of both files: what was typed, over what is stored or usual."""
    cited = {**publication, **typed.publication}
    extractions = [
        {**before[cells["review"]], **cells}
        if cells.get("review") in before
        else _completed(cells, cited)
        for cells in typed.extractions
    ]
    rows = {PUBLICATIONS: [_attributed(cited, extractions)], STUDIES: extractions}
    return {
        name: [{**_blank(name), **cells, "study_key": key} for cells in found]
        for name, found in rows.items()
    }


def _problems(rows: Mapping[str, Sequence[Cells]]) -> tuple[Problem, ...]:
    try:
        validated(rows)
    except IngestError as error:
        return error.problems
    return ()


def _kinds(connection: Connection, reviews: Sequence[str]) -> dict[str, str]:
    table = schema.review.c
    query = select(table.key, table.review_type).where(table.key.in_(reviews))
    return {row.key: row.review_type for row in connection.execute(query)}


def _closed(
    extractions: Sequence[Cells], before: Mapping[str, object], kinds: Mapping[str, str]
) -> Iterator[Problem]:
    """New extractions for published reviews."""
    for number, cells in enumerate(extractions, 1):
        review = cells["review"]
        if review not in before and kinds.get(review, "living") != "living":
            allowed = (
                "a published review is kept as it was printed and takes up no extraction of "
                f"yours; name a review of your own, e.g. {OWN_REVIEW}"
            )
            yield Problem(STUDIES, number, "review", review, allowed)


def _completed(cells: Cells, publication: Cells) -> dict[str, str]:
    """A new extraction with what need not be typed: that the study itself was read, and when."""
    family, year = _family(publication), publication.get("year", "")
    usual = {
        "review": OWN_REVIEW, "status": "extracted", "table": "own reading", "position": "1",
        "row_label": f"{family} {year}".strip(), "reading": "as_printed", "year": year,
    }  # fmt: skip
    return dict(cells) | {name: text for name, text in usual.items() if not cells.get(name)}


def _attributed(publication: Cells, extractions: Sequence[Cells]) -> dict[str, str]:
    """A publication with its first author, and where it is cited from."""
    review = next((cells["review"] for cells in extractions), OWN_REVIEW)
    usual = {"first_author": _family(publication), "cited_from": review}
    given = dict(publication)
    return given | {name: text for name, text in usual.items() if not given.get(name)}


def _family(publication: Cells) -> str:
    """The first author's family name: before a comma, else the longest of the words."""
    if publication.get("first_author"):
        return publication["first_author"]
    first = publication.get("authors", "").partition(";")[0].partition(",")[0]
    return max(first.replace(".", " ").split(), key=len, default="")


def _blank(name: str) -> dict[str, str]:
    return dict.fromkeys(CODECS[name].model.model_fields, "")


def _free_key(connection: Connection, lines: Sequence[Line]) -> str:
    """Key of the one publication.

    Raises
    ------
    IngestError
        The same citation was taken up before.
    """
    (key,) = (own_key(line.row) for line in lines if isinstance(line.row, PublicationRow))
    if CODECS[PUBLICATIONS].read(connection, [(key,)]):
        allowed = f"this citation is stored already: correct {key} instead"
        raise IngestError((Problem(PUBLICATIONS, 1, "title", key, allowed),))
    return key


def _named(lines: Mapping[str, Sequence[Line]], key: str) -> dict[str, list[Line]]:
    def named(row: Row) -> Row:
        has_key = "study_key" in type(row).model_fields
        return row.model_copy(update={"study_key": key}) if has_key else row

    return {
        name: [Line(line.file, line.line, named(line.row)) for line in own]
        for name, own in lines.items()
    }


class Known(Record):
    """Names that an extraction may point to: backbones, and reviews of one's own."""

    backbones: tuple[str, ...]
    reviews: tuple[str, ...]


def known_names(connection: Connection) -> Known:
    """Names of the store that a person may choose from."""
    backbones = select(schema.backbone.c.name).order_by(schema.backbone.c.name)
    own = select(schema.review.c.key).where(schema.review.c.review_type == "living")
    reviews = {OWN_REVIEW, *connection.scalars(own)}
    return Known(backbones=tuple(connection.scalars(backbones)), reviews=tuple(sorted(reviews)))
