"""Finding studies, and counting those that each further choice would leave."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import Field
from sqlalchemy import Connection, text

from evidence.catalogue import CATALOGUE
from evidence.errors import EvidenceError, UnknownTermError
from evidence.records import Record
from evidence.shelf import Entry, Reading, Shelf, StudyLine, folded, shelf
from evidence.vocabulary import ANATOMY, MODALITY, Approach

#: Facets of a list that are asked of a reading, in the order in which they are shown.
READ = ("modality", "anatomy", "family", "approach", "review")


class StudyFilter(Record):
    """Which studies are asked for; what is None does not matter.

    Modality and anatomy are canonical keys and take their narrower terms with them; `backbone` is
    a backbone or a family. Every one of `words` is looked for in what is known of a study and in
    the cells that reviews printed of it.
    """

    modality: str | None = None
    anatomy: str | None = None
    backbone: str | None = None
    family: str | None = None
    approach: Approach | None = None
    review: str | None = None
    words: str | None = None
    n_min: int | None = None
    n_max: int | None = None
    year_min: int | None = None
    year_max: int | None = None
    offset: int = Field(default=0, ge=0)
    limit: int | None = Field(default=50, ge=1)


class FacetValue(Record):
    """One further choice: `n` studies fit it and everything else that is asked.

    `depth` is how far down its tree a word stands.
    """

    key: str
    n: int
    depth: int = 0


class Facet(Record):
    """The choices of one kind that leave any study."""

    name: str
    values: tuple[FacetValue, ...]


class Listing(Record):
    """Studies found; `n_found` counts those beyond the limit too.

    Newest first; where words are asked for, those with all of them in title, authors or key
    before the others.
    """

    studies: tuple[StudyLine, ...]
    n_found: int
    facets: tuple[Facet, ...] = ()


class _Fit(NamedTuple):
    """A study that fits, and those of its readings that do."""

    entry: Entry
    readings: Sequence[Reading]


def find(connection: Connection, wanted: StudyFilter) -> Listing:
    """Studies that fit, as `find_on` a shelf that is read for this."""
    return find_on(shelf(connection), wanted)


def find_on(studies: Shelf, wanted: StudyFilter) -> Listing:
    """Studies that fit, with what further choices would leave.

    A study of which no review extracted anything is listed too, unless something is asked of it.

    Raises
    ------
    UnknownTermError
        No review, backbone or family is called so; the message names near ones.
    EvidenceError
        The least is more than the most.
    """
    _check(studies, wanted)
    held = _holding(studies.entries, wanted.words)
    fits = list(_fitting(held, wanted))
    end = None if wanted.limit is None else wanted.offset + wanted.limit
    return Listing(
        studies=tuple(fit.entry.line for fit in fits[wanted.offset : end]),
        n_found=len(fits),
        facets=tuple(_facets(held, wanted, fits)),
    )


def _check(studies: Shelf, wanted: StudyFilter) -> None:
    """Refuse what no study can ever fit: it would look like a gap in the evidence."""
    for what, low, high in (
        ("number of images", wanted.n_min, wanted.n_max),
        ("year", wanted.year_min, wanted.year_max),
    ):
        if low is not None and high is not None and low > high:
            msg = f"no {what} is at least {low} and at most {high}"
            raise EvidenceError(msg)
    _known("review", wanted.review, studies.reviews)
    _known("backbone", wanted.backbone, studies.backbones | studies.families)
    _known("family", wanted.family, studies.families)


def _known(kind: str, name: str | None, known: frozenset[str]) -> None:
    if not name or name in known:
        return
    spellings = {word.lower(): word for word in sorted(known)}
    near = difflib.get_close_matches(name.lower(), spellings, n=4, cutoff=0.5)
    hint = f"did you mean {', '.join(spellings[word] for word in near)}? " if near else ""
    msg = f"unknown {kind} {name!r}: {hint}Known: {', '.join(sorted(known))}"
    raise UnknownTermError(msg)


def _holding(entries: Sequence[Entry], words: str | None) -> Sequence[Entry]:
    """Studies with every word, first those that are called by it."""
    sought = folded(words or "").split()
    if not sought:
        return entries
    named = [entry for entry in entries if all(word in entry.named for word in sought)]
    keys = {entry.line.key for entry in named}
    others = (entry for entry in entries if entry.line.key not in keys)
    return named + [
        entry
        for entry in others
        if all(word in entry.said or word in entry.named for word in sought)
    ]


def _fitting(entries: Iterable[Entry], wanted: StudyFilter) -> Iterator[_Fit]:
    asked = [(name, word) for name in READ if (word := getattr(wanted, name))]
    nothing = not asked and not wanted.backbone and wanted.n_min is None and wanted.n_max is None
    for entry in entries:
        if not _between(wanted.year_min, entry.line.year, wanted.year_max):
            continue
        readings = entry.readings if nothing else [
            reading for reading in entry.readings
            if all(word in getattr(reading, name) for name, word in asked)
            and _fits(reading, wanted)
        ]  # fmt: skip
        if readings or nothing:
            yield _Fit(entry, readings)


def _fits(reading: Reading, wanted: StudyFilter) -> bool:
    backbone = wanted.backbone
    named = not backbone or backbone in reading.backbone or backbone in reading.family
    return named and _between(wanted.n_min, reading.n_images, wanted.n_max)


def _between(low: int | None, value: int | None, high: int | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or low <= value) and (high is None or value <= high)


def _facets(entries: Sequence[Entry], wanted: StudyFilter, fits: Sequence[_Fit]) -> Iterator[Facet]:
    """Choices of each kind, counted as if none of its kind were made yet."""
    for name in READ:
        freed = wanted.model_copy(update={name: None})
        counted = fits if freed == wanted else _fitting(entries, freed)
        counts: Counter[str] = Counter()
        for fit in counted:
            counts.update({word for reading in fit.readings for word in getattr(reading, name)})
        yield Facet(name=name, values=tuple(_ordered(name, counts)))
    freed = wanted.model_copy(update={"year_min": None, "year_max": None})
    years = Counter(
        fit.entry.line.year for fit in (fits if freed == wanted else _fitting(entries, freed))
    )
    known = sorted((year for year in years if year is not None), reverse=True)
    yield Facet(
        name="year", values=tuple(FacetValue(key=str(year), n=years[year]) for year in known)
    )


def _ordered(name: str, counts: Counter[str]) -> Iterator[FacetValue]:
    """Words of a tree as it stands, others by their number."""
    tree = {"modality": MODALITY, "anatomy": ANATOMY}.get(name)
    if tree is None:
        for key, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            yield FacetValue(key=key, n=n)
        return
    for key in tree.in_tree():
        if counts[key]:
            yield FacetValue(key=key, n=counts[key], depth=len(tree.path(key)) - 1)


def counts(connection: Connection) -> dict[str, int]:
    """Rows of every table and view that may be asked."""
    return {
        name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())
        for name in CATALOGUE
    }


def columns(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Columns of every table and view that may be asked, in their order."""
    return {
        name: tuple(connection.execute(text(f"SELECT * FROM {name} WHERE 1 = 0")).keys())
        for name in CATALOGUE
    }
