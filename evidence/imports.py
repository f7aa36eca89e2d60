"""Files of a user -> one change set: corpus CSV, RIS, BibTeX or PubMed; or nothing at all."""

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, select

from evidence import schema
from evidence.changes import Changes, Reason, apply
from evidence.codecs import CODECS
from evidence.duplicates import Index, Known
from evidence.errors import EvidenceError, IngestError, Problem
from evidence.ingest import Line, Lines, decoded, read_file, validated
from evidence.living_rows import IdentifiedRow
from evidence.records import Imported, PossibleDuplicate
from evidence.reference import Citation, Reference
from evidence.rows import PublicationRow, ReviewRow
from evidence.schema_living import identified
from evidence.store import Store

#: Review that records belong to unless another one is named.
OWN_REVIEW = "living"
#: Largest file that is read.
FILE_BYTES = 200_000_000


_Tables = TypeAdapter(dict[str, list[dict[str, str]]])


@dataclass(frozen=True)
class Search:
    """Which review's search brought bibliographic records, and from which database.

    `source` is the name of the file where it is empty.
    """

    review: str = OWN_REVIEW
    source: str = ""


def import_file(
    store: Store, path: Path, search: Search, reason: Reason, *, dry_run: bool = False
) -> Imported:
    """Take a file, or a folder of corpus files, into the store.

    Parameters
    ----------
    path : pathlib.Path
        A folder or file of corpus CSV, or a bibliographic file.
    search : Search
        For bibliographic records only.
    dry_run : bool
        Say what would happen and store nothing.

    Raises
    ------
    IngestError
        Lists everything that is wrong; nothing was stored.
    """
    make = _from_corpus(path) if _is_corpus(path) else _from_records(path, search)
    with store.begin() as connection:
        changes, report = make(connection)
        done = apply(connection, changes, reason)
        if dry_run:
            connection.rollback()
    return report.model_copy(update={"change_set": done, "dry_run": dry_run})


#: Looks at the store and says what is to be changed.
_Make = Callable[[Connection], tuple[Changes, Imported]]


def _is_corpus(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in {".csv", ".json"}


def _from_corpus(path: Path) -> _Make:
    lines = _json_lines(path) if path.suffix.lower() == ".json" else _csv_lines(path)
    n_read = sum(map(len, lines.values()))

    def make(connection: Connection) -> tuple[Changes, Imported]:
        possible = tuple(look_alikes(connection, lines.get("publications.csv", ())))
        return Changes(lines), Imported(n_read=n_read, possible=possible)

    return make


def look_alikes(connection: Connection, lines: Sequence[Line]) -> Iterator[PossibleDuplicate]:
    """Publications under a new key that may be there under another one; both are kept."""
    rows = [line.row for line in lines if isinstance(line.row, PublicationRow)]
    known = {study.key: study for study in known_studies(connection)} if rows else {}
    index = Index(known.values())
    for row in rows:
        if row.study_key not in known:
            citation = _known(row)
            if match := index.find(citation):
                yield PossibleDuplicate(study=row.study_key, of=match.key, rule=match.rule)
            index.add(citation)


def _json_lines(path: Path) -> Lines:
    try:
        tables = json.loads(_bytes(path), object_pairs_hook=_once)
        return validated(_Tables.validate_python(tables))
    except (ValidationError, ValueError, RecursionError) as error:
        found = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        allowed = "one object: file name -> list of rows of text, as evtl export writes it"
        raise IngestError((Problem(path.name, 0, "-", found, allowed),)) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no name may stand twice: the first would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(n for n, _ in pairs).items() if count > 1)
        msg = f"the name {twice!r} stands twice in one object"
        raise ValueError(msg)
    return found


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES:
            found, allowed = f"{path.stat().st_size} bytes", f"at most {FILE_BYTES}: split the file"
            raise IngestError((Problem(path.name, 0, "-", found, allowed),))
        return path.read_bytes()
    except OSError as error:
        found = error.strerror or str(error)
        problem = Problem(str(path), 0, "-", found, "name a file that can be read")
        raise IngestError((problem,)) from error


def _csv_lines(path: Path) -> Lines:
    problems: list[Problem] = []
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in [file for file in files if file.suffix.lower() != ".csv"]:
        problems.append(
            Problem(file.name, 0, "-", "no CSV file", "a folder holds corpus CSV; import it alone")
        )
        files.remove(file)
    if not files:
        problems.append(Problem(str(path), 0, "-", "no CSV file", f"any of {', '.join(CODECS)}"))
    lines: dict[str, list[Line]] = {}
    for file in files:
        data = _bytes(file)
        if (name := _corpus_name(data)) is None:
            allowed = f"the header of one of {', '.join(CODECS)}"
            problems.append(Problem(file.name, 1, "-", _first_line(data), allowed))
        else:
            lines.setdefault(name, []).extend(read_file(file.name, data, CODECS[name], problems))
    if problems:
        raise IngestError(tuple(problems))
    return lines


def _corpus_name(data: bytes) -> str | None:
    """Which corpus file this is, told by its header."""
    try:
        header = next(csv.reader(io.StringIO(decoded(data), newline="")), [])
    except (UnicodeDecodeError, csv.Error):
        return next(iter(CODECS))  # reading it will say what is wrong
    names = (name for name, codec in CODECS.items() if list(codec.model.model_fields) == header)
    return next(names, None)


def _first_line(data: bytes) -> str:
    return data.partition(b"\n")[0][:200].decode("utf-8", errors="replace")


def _from_records(path: Path, search: Search) -> _Make:
    from evidence.bibliography import read_references  # noqa: PLC0415  (its parsers load slowly)

    references = read_references(path.name, _bytes(path))
    source = search.source or path.name
    return lambda connection: _Intake(connection, search.review, source).take(references)


class _Intake:
    """Records of one search, matched with the studies of the store and with each other."""

    def __init__(self, connection: Connection, review: str, source: str) -> None:
        self.review, self.source = review, source
        kind = select(schema.review.c.review_type).where(schema.review.c.key == review)
        self._is_new = _living(review, connection.execute(kind).scalar())
        own = (identified.c.review == review) & (identified.c.source == self.source)
        self._identified = set(connection.scalars(select(identified.c.record).where(own)))
        known = tuple(known_studies(connection))
        self._index = Index(known)
        self._keys = {study.key for study in known}
        self._names: Counter[str] = Counter()
        self._stems: Counter[str] = Counter()
        self._puts: dict[str, list[Line]] = {"publications.csv": [], "identified.csv": []}
        self._possible: list[PossibleDuplicate] = []
        self._n_known = 0

    def take(self, references: Sequence[Reference]) -> tuple[Changes, Imported]:
        """Rows for all records, and what is to be said of them."""
        for reference in references:
            self._take(reference)
        if self._is_new:
            self._puts["reviews.csv"] = [Line("reviews.csv", 0, own_review(self.review))]
        report = Imported(
            n_read=len(references),
            n_new_studies=len(self._puts["publications.csv"]),
            n_known=self._n_known,
            possible=tuple(self._possible),
        )
        return Changes(self._puts), report

    def _take(self, reference: Reference) -> None:
        name = self._record_name(reference)
        if name in self._identified:  # the same search again
            self._n_known += 1
            return
        match = self._index.find(reference)
        key = match.key if match and match.certainty == "duplicate" else self._added(reference)
        rule = match.rule if match and match.key == key else ""
        self._n_known += bool(rule)
        note = ""
        if match and not rule:
            note = f"possibly {match.key} ({match.rule})"
            self._possible.append(PossibleDuplicate(study=key, of=match.key, rule=match.rule))
        row = IdentifiedRow.model_validate(
            {
                "review": self.review, "source": self.source, "record": name,
                "study_key": key, "matched_by": rule, "note": note,
            }
        )  # fmt: skip
        self._puts["identified.csv"].append(Line(self.source, reference.line, row))

    def _record_name(self, reference: Reference) -> str:
        """Names a record by what it says, so that the same file twice brings nothing new."""
        name = f"{reference.doi[:150] or reference.pmid or 'record'} {_digest(reference)[:12]}"
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name}#{self._names[name]}"

    def _added(self, reference: Reference) -> str:
        key = self._free_key(reference)
        row = PublicationRow.model_validate(
            {
                "study_key": key,
                "first_author": _family(reference),
                "authors": "; ".join(a.replace(";", ",") for a in reference.authors) or "anonymous",
                "year": "" if reference.year is None else str(reference.year),
                "title": reference.title or "",
                "venue": reference.venue,
                "doi": reference.doi,
                "pmid": reference.pmid,
                "volume": reference.volume,
                "pages": reference.pages,
                "keywords": "; ".join(word.replace(";", ",") for word in reference.keywords),
                "abstract": reference.abstract,
                "cited_from": f"{self.review} ({self.source})",
            }
        )
        self._puts["publications.csv"].append(Line(self.source, reference.line, row))
        self._index.add(_known(row))
        return key

    def _free_key(self, reference: Reference) -> str:
        """Two records that say the same are numbered."""
        stem = key = _key(_family(reference), reference)
        while key in self._keys:
            self._stems[stem] += 1
            key = f"{stem}-{self._stems[stem]}"
        self._keys.add(key)
        return key


def known_studies(connection: Connection) -> Iterator[Known]:
    """Every study of the store as duplicates are recognised by."""
    for cells in CODECS["publications.csv"].read(connection).values():
        row = PublicationRow.model_validate(cells)
        yield _known(row)


def _known(row: PublicationRow) -> Known:
    return Known(
        key=row.study_key,
        title=row.title,
        authors=row.authors,
        year=row.year,
        venue=row.venue,
        doi=(row.doi or "").lower(),
        pmid=row.pmid or "",
    )


def own_key(row: PublicationRow) -> str:
    """Key of a study that a person takes up."""
    return _key(row.first_author, _known(row))


def _key(family: str, citation: Citation) -> str:
    """``family-year-digest``: the same in every store, and never a key of the shipped corpus.

    Shipped keys end in the year, or the year and a letter.
    """
    plain = unicodedata.normalize("NFKD", family).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40] or "study"
    return f"{name}-{citation.year or 'nd'}-{_digest(citation)[:6]}"


def own_review(key: str) -> ReviewRow:
    """A review of one's own, of which only the name is known."""
    cells = dict.fromkeys(ReviewRow.model_fields, "")
    said = {"review": key, "title": key, "authors": "-", "journal": "-", "review_type": "living"}
    return ReviewRow.model_validate(cells | said | {"year": str(datetime.now(UTC).year)})


def _living(review: str, kind: str | None) -> bool:
    """Whether a review is new; a published one takes up no records.

    Raises
    ------
    EvidenceError
        It is a published review.
    """
    if kind not in {None, "living"}:
        msg = (
            f"{review} is a published review ({kind}), which is kept as it was printed; import "
            "the records under a review of your own, e.g. --review mine"
        )
        raise EvidenceError(msg)
    return kind is None


def _digest(reference: Citation) -> str:
    said = (
        reference.title or "", *reference.authors, str(reference.year), reference.venue,
        reference.doi, reference.pmid,
    )  # fmt: skip
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def _family(reference: Reference) -> str:
    if not reference.authors:
        return "anonymous"
    name = reference.authors[0]
    return name.partition(",")[0].strip() or name
