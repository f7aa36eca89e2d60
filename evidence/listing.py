"""Finding studies, and everything that is stored of one, with where it stands."""

import difflib
from collections import defaultdict
from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    text,
)

from evidence import schema
from evidence.catalogue import CATALOGUE
from evidence.errors import EvidenceError, StudyNotFoundError, UnknownTermError
from evidence.records import Record
from evidence.tables import chunks
from evidence.vocabulary import ANATOMY, MODALITY, Approach, Vocabulary


class StudyFilter(Record):
    """Which studies are asked for; what is None does not matter.

    Modality and anatomy are canonical keys and take their narrower terms with them; `words` are
    looked for in title, authors and key.
    """

    modality: str | None = None
    anatomy: str | None = None
    backbone: str | None = None
    approach: Approach | None = None
    review: str | None = None
    words: str | None = None
    n_min: int | None = None
    n_max: int | None = None
    limit: int | None = Field(default=50, ge=1)


class StudyLine(Record):
    """One study in a list: what its reviews read, joined by ``;`` where they differ."""

    key: str
    first_author: str
    year: int | None
    reviews: str
    modality: str
    anatomy: str
    backbone: str
    approach: str
    n_images: str
    value: str


class Listing(Record):
    """Studies found, newest first; `n_found` counts those beyond the limit too."""

    studies: tuple[StudyLine, ...]
    n_found: int


class Fact(Record):
    """One value read from a review, beside the printed cell."""

    field: str
    value: str
    printed: str | None
    column: str | None
    table: str


class ExtractionPage(Record):
    """One review's reading of a study."""

    review: str
    status: str
    locator: str
    reference: str
    reading: str
    note: str
    facts: tuple[Fact, ...]


class StudyPage(Record):
    """Everything that is stored of one study."""

    key: str
    title: str | None
    authors: tuple[str, ...]
    year: int | None
    venue: str
    doi: str | None
    pmid: str | None
    abstract: str
    extractions: tuple[ExtractionPage, ...]


def find(connection: Connection, wanted: StudyFilter) -> Listing:
    """Studies that fit, newest first.

    A study of which no review extracted anything is listed too, unless something is asked of it.

    Raises
    ------
    UnknownTermError
        No review, or no backbone or family, is called so; the message names near ones.
    EvidenceError
        `n_min` is more than `n_max`.
    """
    _check(connection, wanted)
    keys = _matching(wanted)
    n_found = connection.execute(select(func.count()).select_from(keys.subquery())).scalar_one()
    ordered = (
        select(schema.study.c.key)
        .where(schema.study.c.key.in_(keys))
        .order_by(func.coalesce(schema.study.c.year, 0).desc(), schema.study.c.key)
        .limit(wanted.limit)
    )
    found = tuple(connection.scalars(ordered))
    return Listing(studies=_lines(connection, found), n_found=n_found)


def _check(connection: Connection, wanted: StudyFilter) -> None:
    """Refuse what no study can ever fit: it would look like a gap in the evidence."""
    low, high = wanted.n_min, wanted.n_max
    if low is not None and high is not None and low > high:
        msg = f"no number of images is at least {low} and at most {high}"
        raise EvidenceError(msg)
    backbone = schema.backbone.c
    if wanted.review:
        _known("review", wanted.review, set(connection.scalars(select(schema.review.c.key))))
    if wanted.backbone:
        names = select(backbone.name).union(select(backbone.family))
        _known("backbone", wanted.backbone, set(connection.scalars(names)))


def _known(kind: str, name: str, known: set[str]) -> None:
    if name in known:
        return
    spellings = {word.lower(): word for word in sorted(known)}
    near = difflib.get_close_matches(name.lower(), spellings, n=4, cutoff=0.5)
    hint = f"did you mean {', '.join(spellings[word] for word in near)}? " if near else ""
    msg = f"unknown {kind} {name!r}: {hint}Known: {', '.join(sorted(known))}"
    raise UnknownTermError(msg)


def _matching(wanted: StudyFilter) -> Select[tuple[str]]:
    extraction, conditions = schema.extraction, _conditions(wanted)
    if not conditions and wanted.words is None:
        return select(schema.study.c.key)
    query = select(schema.study.c.key).distinct()
    if conditions:
        query = select(extraction.c.study).distinct().where(and_(*conditions))
    if wanted.words is None:
        return query
    study, author = schema.study, schema.study_author
    named = exists().where(author.c.study == study.c.key, _holds(author.c.name, wanted.words))
    said = [_holds(column, wanted.words) for column in (study.c.title, study.c.key)]
    return select(study.c.key).where(or_(*said, named), study.c.key.in_(query))


def _holds(column: Column[str], words: str) -> ColumnElement[bool]:
    return func.lower(column).contains(words.lower(), autoescape=True)


def _conditions(wanted: StudyFilter) -> list[ColumnElement[bool]]:
    extraction, arm = schema.extraction, schema.arm
    found: list[ColumnElement[bool]] = []
    if wanted.modality:
        found.append(extraction.c.modality.in_(_within(MODALITY, wanted.modality)))
    if wanted.anatomy:
        places = schema.extraction_anatomy
        words = places.c.anatomy.in_(_within(ANATOMY, wanted.anatomy))
        found.append(exists().where(places.c.extraction == extraction.c.id, words))
    if wanted.review:
        found.append(extraction.c.review == wanted.review)
    own = and_(arm.c.extraction == extraction.c.id, arm.c.role != "benchmark")
    if wanted.backbone:
        named = select(schema.backbone.c.name).where(
            or_(
                schema.backbone.c.name == wanted.backbone,
                schema.backbone.c.family == wanted.backbone,
            )
        )
        found.append(exists().where(own, arm.c.backbone.in_(named)))
    if wanted.approach:
        found.append(exists().where(own, arm.c.approach == wanted.approach))
    return found + _size(wanted)


def _size(wanted: StudyFilter) -> list[ColumnElement[bool]]:
    n_images = schema.dataset.c.n_images
    bounds = [n_images >= wanted.n_min] if wanted.n_min is not None else []
    bounds += [n_images <= wanted.n_max] if wanted.n_max is not None else []
    same = schema.dataset.c.extraction == schema.extraction.c.id
    return [exists().where(same, *bounds)] if bounds else []


def _within(vocabulary: Vocabulary, key: str) -> list[str]:
    return [term.key for term in vocabulary.terms if vocabulary.is_within(term.key, key)]


def _lines(connection: Connection, keys: Sequence[str]) -> tuple[StudyLine, ...]:
    said: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    heads = {}
    for portion in chunks(keys):
        for study in connection.execute(
            select(schema.study).where(schema.study.c.key.in_(portion))
        ).mappings():
            heads[study["key"]] = study
        for key, field, word in _words(connection, portion):
            said[key][field][word] = None
    columns = ("reviews", "modality", "anatomy", "backbone", "approach", "n_images", "value")
    return tuple(
        StudyLine(
            key=key,
            first_author=heads[key]["first_author"],
            year=heads[key]["year"],
            **{column: ";".join(said[key][column]) for column in columns},
        )
        for key in keys
    )


def _words(connection: Connection, keys: Sequence[str]) -> list[tuple[str, str, str]]:
    """Study, column of the list, and word, in the order of the extractions."""
    extraction = schema.extraction
    base = select(extraction.c.study).where(extraction.c.study.in_(keys)).order_by(extraction.c.id)

    def words(field: str, column: Column[str], *order: Column[int]) -> list[tuple[str, str, str]]:
        query = base.add_columns(column).where(column.is_not(None)).order_by(*order)
        if column.table is not extraction:
            query = query.join(column.table, column.table.c.extraction == extraction.c.id)
        if column.table is schema.arm:
            query = query.where(schema.arm.c.role != "benchmark")
        return [(key, field, str(word)) for key, word in connection.execute(query)]

    return [
        *words("reviews", extraction.c.review),
        *words("modality", extraction.c.modality),
        *words(
            "anatomy", schema.extraction_anatomy.c.anatomy, schema.extraction_anatomy.c.position
        ),
        *words("backbone", schema.arm.c.backbone, schema.arm.c.position),
        *words("approach", schema.arm.c.approach, schema.arm.c.position),
        *words("n_images", schema.dataset.c.n_images),
        *words("value", schema.evaluation.c.notation, schema.evaluation.c.position),
    ]


def show(connection: Connection, key: str) -> StudyPage:
    """Everything that is stored of one study.

    Raises
    ------
    StudyNotFoundError
        No study has this key.
    """
    row = connection.execute(select(schema.study).where(schema.study.c.key == key)).mappings()
    if (study := row.first()) is None:
        raise StudyNotFoundError(_not_found(connection, key))
    authors = select(schema.study_author.c.name).where(schema.study_author.c.study == key)
    names = ("key", "title", "year", "venue", "doi", "pmid", "abstract")
    return StudyPage(
        **{name: study[name] for name in names},
        authors=tuple(connection.scalars(authors.order_by(schema.study_author.c.position))),
        extractions=_extractions(connection, key),
    )


def _not_found(connection: Connection, key: str) -> str:
    stem = f"{key.partition('-')[0][:3].lower()}%"
    near = select(schema.study.c.key).where(schema.study.c.key.like(stem)).limit(2000)
    close = difflib.get_close_matches(key.lower(), list(connection.scalars(near)), n=4, cutoff=0.4)
    hint = f"did you mean {', '.join(close)}? " if close else ""
    return (
        f"there is no study {key!r}: {hint}evtl studies --words TEXT looks for titles and authors"
    )


def _extractions(connection: Connection, key: str) -> tuple[ExtractionPage, ...]:
    facts: dict[str, list[Fact]] = defaultdict(list)
    query = text(
        "SELECT review, field, value, printed, column_name, locator_table FROM fact "
        "WHERE study = :key ORDER BY review, field, position"
    )
    for review, field, value, printed, column, table in connection.execute(query, {"key": key}):
        fact = Fact(field=field, value=value, printed=printed, column=column, table=table)
        facts[review].append(fact)
    table = schema.extraction
    rows = connection.execute(select(table).where(table.c.study == key).order_by(table.c.id))
    return tuple(
        ExtractionPage(
            review=row["review"],
            status=row["status"],
            locator=f"{row['locator_table']}, row {row['position']}: {row['row_label']}",
            reference=f"printed {row['ref_printed'] or '-'}, resolved {row['ref'] or '-'}",
            reading=row["reading"],
            note=row["note"],
            facts=tuple(facts[row["review"]]),
        )
        for row in rows.mappings()
    )


def counts(connection: Connection) -> dict[str, int]:
    """Rows of every table and view that may be asked."""
    return {
        name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())
        for name in CATALOGUE
    }
