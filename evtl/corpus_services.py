"""Use cases of those who keep the corpus: import, export, history, releases, and looking at it."""

import getpass
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evidence import changes, export, imports, listing, queries, releases
from evidence.catalogue import CATALOGUE
from evidence.disagreements import DisagreementRecord, concerning, same_study, stored
from evidence.errors import EvidenceError
from evidence.imports import Search
from evidence.listing import Listing, StudyFilter
from evidence.records import ChangeSet, Corpus, Imported, Record, Release, RowChange, TaskProfile
from evidence.reproduce import Reproduction, printed_figures
from evidence.reproduce import reproduce as recompute
from evidence.ris import write as write_ris
from evidence.shelf import Shelf
from evidence.shelf import shelf as read_shelf
from evidence.store import Store, opened
from evidence.study_page import StudyPage, show
from evidence.vocabulary import ANATOMY, MODALITY
from evtl import snapshot
from evtl.kept import Kept
from recommender.errors import RecommendationError

#: Numbers of images for which two states of the corpus are compared.
DIFF_SIZES = (300, 3000)


def actor(by: str | None) -> str:
    """Who acts: as said, else ``EVTL_ACTOR``, else the login name.

    Raises
    ------
    EvidenceError
        Nobody can be named.
    """
    try:
        said = os.environ.get("EVTL_ACTOR") or getpass.getuser() if by is None else by
    except (OSError, KeyError):
        said = ""
    name = said.strip()
    if not name or len(name) > 80:
        msg = "who does this? Say --by NAME (up to 80 characters), or set EVTL_ACTOR"
        raise EvidenceError(msg)
    return name


def import_file(
    path: Path, search: Search, by: str | None, reason: str | None, *, dry_run: bool
) -> Imported:
    """Take a file into the store as one change set."""
    why = changes.Reason(actor(by), reason or f"import of {path.name}", "import")
    return imports.import_file(Store(), path, search, why, dry_run=dry_run)


@dataclass(frozen=True)
class Exported:
    """Text where no place was named, and the studies that the format cannot hold."""

    text: str | None
    left_out: tuple[str, ...] = ()


def export_corpus(form: str, out: Path | None) -> Exported:
    """Write the corpus as ``csv`` (a folder), ``json`` or ``ris``.

    Raises
    ------
    EvidenceError
        CSV needs a folder to be named, or the place cannot be written to.
    """
    with Store().connect() as connection:
        tables = export.rows(connection)
    if form == "csv":
        if out is None:
            msg = "CSV is written to a folder: name a new one, evtl export --out FOLDER"
            raise EvidenceError(msg)
        export.write_csv(tables, out)
        return Exported(None)
    left_out: tuple[str, ...] = ()
    text = export.as_json(tables)
    if form == "ris":
        references, left_out = export.references(tables)
        text = write_ris(references)
    if out is not None:
        export.write_text(text, out)
    return Exported(text if out is None else None, left_out)


def change_sets() -> tuple[ChangeSet, ...]:
    """Every change set, oldest first."""
    with Store().connect() as connection:
        return changes.change_sets(connection)


def undo(number: int, by: str | None, reason: str) -> ChangeSet:
    """Take a change set back by a further one."""
    with Store().begin() as connection:
        return changes.undo(connection, number, actor(by), reason)


def release(tag: str, by: str | None) -> Release:
    """Keep the corpus as it is under a name."""
    return releases.release(Store(), tag, actor(by))


def list_releases() -> tuple[Release, ...]:
    """Every release, oldest first."""
    with Store().connect() as connection:
        return releases.releases(connection)


class AdviceChange(Record):
    """A question whose best-ranked choice is another one now; None where there was no answer."""

    modality: str
    anatomy: str | None
    n_images: int
    before: str | None
    after: str | None


class Difference(Record):
    """What differs between two states of the corpus: rows, and advice.

    `n_questions` is how many questions were asked of both: every modality and anatomy that has
    studies in either, for each of `DIFF_SIZES`.
    """

    before: str
    after: str
    rows: tuple[RowChange, ...]
    advice: tuple[AdviceChange, ...]
    n_questions: int


def diff(before: str, after: str) -> Difference:
    """Compare two releases, or one with the store as it is (`releases.NOW`)."""
    store = Store()
    old, new = (releases.tables_of(store, tag) for tag in (before, after))
    rows = releases.changed_rows(old, new)
    corpora = [releases.corpus_of(tables) for tables in (old, new)]
    questions = _questions(corpora) if rows else []
    found = []
    for question in questions:
        best = [_best(question, corpus) for corpus in corpora]
        if best[0] != best[1]:
            found.append(
                AdviceChange(
                    modality=question.modality, anatomy=question.anatomy,
                    n_images=question.n_images, before=best[0], after=best[1],
                )
            )  # fmt: skip
    return Difference(
        before=before, after=after, rows=rows, advice=tuple(found), n_questions=len(questions)
    )


def _questions(corpora: Iterable[Corpus]) -> list[TaskProfile]:
    places = {
        (modality, place)
        for corpus in corpora
        for modality, anatomy in corpus.arms.imaged()
        for place in (None, *anatomy)
    }
    ordered = sorted(places, key=lambda pair: (pair[0], pair[1] or ""))
    return [
        TaskProfile(modality=modality, anatomy=anatomy, n_images=size)
        for modality, anatomy in ordered
        for size in DIFF_SIZES
    ]


def _best(question: TaskProfile, corpus: Corpus) -> str | None:
    from recommender.answering import recommend  # noqa: PLC0415  (numpy only to recommend)
    from recommender.ranking import Question  # noqa: PLC0415

    try:
        best = recommend(Question(question), corpus).ranking[0]
    except RecommendationError:
        return None
    return f"{best.backbone}, {best.approach}, {best.head}"


def reproduce(review: str | None) -> tuple[Reproduction, ...]:
    """Published figures beside those that the rows give.

    Raises
    ------
    EvidenceError
        The review prints no figures here; the message lists those that do.
    """
    asked = (snapshot.key(), review)
    return _reproduced.get(asked, lambda: _reproduce(review))


def _reproduce(review: str | None) -> tuple[Reproduction, ...]:
    store = opened()
    with store.connect() as connection:
        figures = printed_figures(connection)
    known = sorted({figure.review for figure in figures})
    if review is not None and review not in known:
        msg = f"no printed figures of {review!r} are stored; known: {', '.join(known)}"
        raise EvidenceError(msg)
    return recompute(store, [f for f in figures if review in {None, f.review}])


@dataclass(frozen=True)
class Disagreements:
    """What a person found, and what two readings of one study show."""

    found: tuple[DisagreementRecord, ...]
    of_studies: tuple[DisagreementRecord, ...]


def disagreements(modality: str | None) -> Disagreements:
    """Where reviews contradict each other or themselves.

    Raises
    ------
    UnknownTermError
        The modality is no word of the vocabulary.
    """
    all_of_them = _contradicted.get(snapshot.key(), _disagreements)
    return Disagreements(
        concerning(all_of_them.found, modality), concerning(all_of_them.of_studies, modality)
    )


def _disagreements() -> Disagreements:
    with opened().connect() as connection:
        of_studies = same_study(queries.arms(connection))
        found = stored(connection)
    told = {side.study_key for item in found if item.kind == "same_study" for side in item.sides}
    of_studies = tuple(i for i in of_studies if told.isdisjoint(s.study_key for s in i.sides))
    return Disagreements(found, of_studies)


def resolved(wanted: StudyFilter) -> StudyFilter:
    """What is asked of studies, modality and anatomy as people type them made keys.

    Raises
    ------
    UnknownTermError
        A word is in no vocabulary.
    """
    terms = {
        "modality": MODALITY.resolve(wanted.modality) if wanted.modality else None,
        "anatomy": ANATOMY.resolve(wanted.anatomy) if wanted.anatomy else None,
    }
    return wanted.model_copy(update=terms)


def studies(wanted: StudyFilter) -> Listing:
    """Studies that fit; modality and anatomy as people type them.

    Raises
    ------
    UnknownTermError
        A word is in no vocabulary, or no review, backbone or family is called so.
    EvidenceError
        No number of images, or no year, is in the range.
    """
    asked = resolved(wanted)
    return _listed.get((snapshot.key(), asked), lambda: listing.find_on(shelf(), asked))


def shelf() -> Shelf:
    """Every study with what it may be asked for, read once for each state of the store."""
    return _shelves.get(snapshot.key(), _read_shelf)


def _read_shelf() -> Shelf:
    with opened().connect() as connection:
        return read_shelf(connection)


@dataclass(frozen=True)
class StudyShown:
    """One study with all extractions, and where its reviews contradict each other."""

    page: StudyPage
    conflicts: tuple[DisagreementRecord, ...]


def study(key: str) -> StudyShown:
    """Everything that is stored of one study.

    Raises
    ------
    StudyNotFoundError
        No study has this key.
    """
    return _studies.get((snapshot.key(), key), lambda: _study(key))


def _study(key: str) -> StudyShown:
    with opened().connect() as connection:
        page = show(connection, key)
        arms = queries.arms(connection, study=key)
    return StudyShown(page, same_study(arms))


class Source(Record):
    """A table or view that may be asked in SQL."""

    name: str
    line: str
    columns: tuple[str, ...]


class CountedSource(Source):
    """The same, with how many rows it has now."""

    n_rows: int


@cache
def catalogue() -> tuple[Source, ...]:
    """Tables and views that may be asked, with their columns: the same in every store."""
    with Store().connect() as connection:
        columns = listing.columns(connection)
    return tuple(Source(name=n, line=line, columns=columns[n]) for n, line in CATALOGUE.items())


def schema() -> tuple[tuple[str, str, int], ...]:
    """Tables and views that may be asked, with a line on each and the number of rows."""
    with Store().connect() as connection:
        counts = listing.counts(connection)
    return tuple((name, line, counts[name]) for name, line in CATALOGUE.items())


def counted() -> tuple[CountedSource, ...]:
    """Tables and views that may be asked, with all that is known of them."""
    counts = {name: count for name, _, count in schema()}
    return tuple(CountedSource(**dict(each), n_rows=counts[each.name]) for each in catalogue())


#: Kept for a state of the store: what many ask for, and what takes long.
_shelves: Kept[snapshot.Key, Shelf] = Kept(1)
_listed: Kept[tuple[snapshot.Key, StudyFilter], Listing] = Kept(200)
_studies: Kept[tuple[snapshot.Key, str], StudyShown] = Kept(500)
_reproduced: Kept[tuple[snapshot.Key, str | None], tuple[Reproduction, ...]] = Kept(10)
_contradicted: Kept[snapshot.Key, Disagreements] = Kept(1)
