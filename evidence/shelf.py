"""Every study with what it may be asked for, in memory: the same on every database.

Databases fold letters each in its own way, and count facets in many queries; a few thousand
studies are sooner looked through here.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Select, select

from evidence import schema
from evidence.records import Record
from evidence.vocabulary import ANATOMY, MODALITY, Vocabulary

#: Studies by key -> words of theirs.
_Words = Mapping[str, list[str]]


class StudyLine(Record):
    """One study in a list: what its reviews read, joined by ``;`` where they differ."""

    key: str
    first_author: str
    year: int | None
    title: str
    reviews: str
    modality: str
    anatomy: str
    backbone: str
    approach: str
    n_images: str
    value: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one review says of a study, each word with its broader ones.

    Attributes
    ----------
    backbone, family, approach : frozenset of str
        Of the arms that are the study's own; benchmarks do not count.
    compares : bool
        Whether it compares networks on the same data.
    """

    review: frozenset[str]
    modality: frozenset[str]
    anatomy: frozenset[str]
    backbone: frozenset[str]
    family: frozenset[str]
    approach: frozenset[str]
    n_images: int | None
    compares: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One study.

    Attributes
    ----------
    named : str
        Title, authors, key and numbers, folded.
    said : str
        Venue, keywords, abstract, and every cell that a review printed of it, folded.
    """

    line: StudyLine
    readings: tuple[Reading, ...]
    named: str
    said: str


@dataclass(frozen=True)
class Shelf:
    """Every study, newest first, and the names that studies may be asked for by."""

    entries: tuple[Entry, ...]
    reviews: frozenset[str]
    backbones: frozenset[str]
    families: frozenset[str]


def folded(text: str) -> str:
    """A text without what people leave out when they search: capitals and accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def shelf(connection: Connection) -> Shelf:
    """Read every study, in one state of the store."""
    readings = _readings(connection)
    named, said, columns = _named(connection), _said(connection), _columns(connection)
    study = schema.study.c
    heads = connection.execute(select(study.key, study.first_author, study.year, study.title))
    entries = [
        Entry(
            line=StudyLine(
                key=key,
                first_author=author,
                year=year,
                title=title or "",
                **{name: ";".join(dict.fromkeys(words[key])) for name, words in columns.items()},
            ),
            readings=tuple(readings[key]),
            named="\n".join(named[key]),
            said="\n".join(said[key]),
        )
        for key, author, year, title in heads
    ]
    entries.sort(key=lambda entry: (-(entry.line.year or 0), entry.line.key))
    family, backbone = schema.backbone.c.family, schema.backbone.c.name
    reviews, backbones, families = (
        frozenset(connection.scalars(select(column)))
        for column in (schema.review.c.key, backbone, family)
    )
    return Shelf(tuple(entries), reviews, backbones, families)


def _readings(connection: Connection) -> dict[str, list[Reading]]:
    extraction, dataset = schema.extraction.c, schema.dataset.c
    places = _by_extraction(connection, _places())
    backbones, families, approaches = (
        _by_extraction(connection, _own_arms(column))
        for column in (schema.arm.c.backbone, schema.backbone.c.family, schema.arm.c.approach)
    )
    benchmarks = select(schema.arm.c.extraction).where(schema.arm.c.role == "benchmark")
    compared = set(connection.scalars(benchmarks))
    found: dict[str, list[Reading]] = defaultdict(list)
    query = (
        select(extraction.id, extraction.study, extraction.review, extraction.modality,
               dataset.n_images)
        .outerjoin_from(
            schema.extraction, schema.dataset, dataset.extraction == extraction.id
        ).order_by(extraction.id)
    )  # fmt: skip
    for number, study, review, modality, n_images in connection.execute(query):
        reading = Reading(
            review=frozenset({review}),
            modality=_with_broader(MODALITY, [modality] if modality else ()),
            anatomy=_with_broader(ANATOMY, places[number]),
            backbone=frozenset(backbones[number]),
            family=frozenset(families[number]),
            approach=frozenset(approaches[number]),
            n_images=n_images,
            compares=number in compared,
        )
        found[study].append(reading)
    return found


def _with_broader(vocabulary: Vocabulary, keys: Iterable[str]) -> frozenset[str]:
    return frozenset(term for key in keys for term in vocabulary.path(key))


def _by_extraction(connection: Connection, query: Select[Any]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for number, word in connection.execute(query).all():
        found[number].append(word)
    return found


def _places() -> Select[Any]:
    place = schema.extraction_anatomy.c
    return select(place.extraction, place.anatomy).order_by(place.extraction, place.position)


def _own_arms(column: Column[str]) -> Select[Any]:
    arm = schema.arm.c
    return (
        select(arm.extraction, column)
        .join_from(schema.arm, schema.backbone, schema.backbone.c.name == arm.backbone)
        .where(arm.role != "benchmark")
        .order_by(arm.extraction, arm.position)
    )


def _columns(connection: Connection) -> dict[str, _Words]:
    """Column of a list -> words of each study, in the order of its extractions."""
    extraction, evaluation = schema.extraction.c, schema.evaluation
    rows: dict[str, Select[Any]] = {
        "reviews": select(extraction.id, extraction.review),
        "modality": select(extraction.id, extraction.modality),
        "anatomy": _places(),
        "backbone": _own_arms(schema.arm.c.backbone),
        "approach": _own_arms(schema.arm.c.approach),
        "n_images": select(schema.dataset.c.extraction, schema.dataset.c.n_images),
        "value": select(evaluation.c.extraction, evaluation.c.notation).order_by(
            evaluation.c.extraction, evaluation.c.position
        ),
    }
    query = select(extraction.id, extraction.study).order_by(extraction.id)
    studies = [(number, study) for number, study in connection.execute(query)]
    found: dict[str, _Words] = {}
    for name, of_extractions in rows.items():
        words = _by_extraction(connection, of_extractions)
        of_study: defaultdict[str, list[str]] = defaultdict(list)
        for number, study in studies:
            of_study[study] += [str(word) for word in words[number] if word is not None]
        found[name] = of_study
    return found


def _named(connection: Connection) -> _Words:
    study, author = schema.study.c, schema.study_author.c
    by = select(author.study, author.name).order_by(author.study, author.position)
    heads = select(study.key, study.key, study.title, study.first_author, study.doi, study.pmid)
    return _texts(connection, heads, by)


def _said(connection: Connection) -> _Words:
    study, keyword, cell = schema.study.c, schema.study_keyword.c, schema.printed_cell.c
    return _texts(
        connection,
        select(study.key, study.venue, study.abstract),
        select(keyword.study, keyword.word),
        select(cell.study, cell.printed),
    )


def _texts(connection: Connection, *queries: Select[Any]) -> _Words:
    """Study -> every text that queries give of it, folded; the study stands first in a row."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for query in queries:
        for study, *texts in connection.execute(query).all():
            found[study] += [folded(text) for text in texts if text]
    return found
