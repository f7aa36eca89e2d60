"""Double extraction: what two people read of a study, field by field, and what comes of it.

References
----------
Two people extract independently, and a disagreement is resolved by discussion or by another
person: Li 2023, Cochrane Handbook 6.4, section 5.5.2; MECIR standards C45 and C46.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal, get_origin

from pydantic import ValidationError
from sqlalchemy import Connection, select

from evidence import schema
from evidence.agreement import Kappa, kappa
from evidence.changes import Changes, Reason, apply
from evidence.codecs import CODECS
from evidence.errors import EvidenceError, IngestError, Problem
from evidence.ingest import Line, read_file
from evidence.living_rows import READ_FIELDS, ReadingRow, study_cell
from evidence.records import ChangeSet, Record
from evidence.rows import StudyRow
from evidence.schema_living import reading, screening
from evidence.store import Store
from evidence.tables import Key

#: People who read a study before their readings become its extraction.
N_READERS = 2
#: Lists whose order says something: what stands first is what the store shows of a study.
ORDERED = frozenset({"backbone", "evaluations"})
#: Fields that hold one word of a few, for which kappa makes sense.
CATEGORICAL = frozenset(
    name
    for name, field in StudyRow.model_fields.items()
    if get_origin(field.annotation) is Literal
) | {"modality"}  # fmt: skip


class FieldConflict(Record):
    """A field of a study that readers filled in differently.

    Attributes
    ----------
    said : tuple of (str, str)
        Reader and value, by reader.
    """

    review: str
    study_key: str
    field: str
    said: tuple[tuple[str, str], ...]


class FieldAgreement(Record):
    """How two readers agree on one field, over the studies that both read.

    Kappa is given for fields that hold one word of a few; of other fields the share alike only.
    """

    field: str
    readers: tuple[str, str]
    kappa: Kappa


def read_study(store: Store, reader: str, file: str, data: bytes) -> ChangeSet | None:
    """Keep what one person extracted, in place of what they extracted of these studies before.

    Parameters
    ----------
    file : str
        Name of the file, for messages.
    data : bytes
        Rows with the header of ``studies.csv``.

    Returns
    -------
    ChangeSet or None
        None where all of it was there already.

    Raises
    ------
    IngestError
        Lists every bad cell; nothing was stored.
    EvidenceError
        The person adjudicates a field of the study already.
    """
    lines = _sheet(file, data)
    studies = [line.row.key for line in lines]
    reason = Reason(reader, f"extraction of {_names(studies)}", "reading")
    with store.begin() as connection:
        _try(connection, lines, reason)
        before = [row for key in studies for row in _rows(connection, *key)]
        _refuse_own_adjudication(before, reader)
        puts = [
            Line(file, line.line, row)
            for line in lines
            if isinstance(line.row, StudyRow)
            for row in readings(line.row, reader)
        ]
        kept = {line.row.key for line in puts}
        gone = [row.key for row in before if row.reader == reader and row.key not in kept]
        changes = Changes({"readings.csv": puts}, {"readings.csv": gone})
        return apply(connection, changes, reason)


def _sheet(file: str, data: bytes) -> list[Line]:
    """Validated rows of a reader's file."""
    problems: list[Problem] = []
    lines = read_file(file, data, CODECS["studies.csv"], problems)
    if not (lines or problems):
        problems.append(Problem(file, 2, "-", "no row", "a row for each study that was read"))
    if problems:
        raise IngestError(tuple(problems))
    return lines


def readings(row: StudyRow, reader: str) -> tuple[ReadingRow, ...]:
    """The cells of an extraction that say something, as one person's readings."""
    own = {"review": row.review, "study_key": row.study_key, "reader": reader}
    said = {"role": "reader", "reason": ""}
    cells = row.cells()
    return tuple(
        ReadingRow.model_validate(own | said | {"field": field, "value": cells[field]})
        for field in READ_FIELDS
        if cells[field] != _nothing(field)
    )


def conflicts(rows: Iterable[ReadingRow]) -> tuple[FieldConflict, ...]:
    """Fields on which readers of a study differ and nobody adjudicated, by study and field.

    What a reader left empty counts as empty. Lists are compared item by item, in any order except
    where the order says something (`ORDERED`).
    """
    return tuple(
        FieldConflict(review=review, study_key=study, field=field, said=said)
        for (review, study), own in sorted(_by_study(rows).items())
        for field, said in _said(own).items()
        if field not in _adjudicated(own)
        and len({_comparable(field, value) for _, value in said}) > 1
    )


def agreement(rows: Iterable[ReadingRow]) -> tuple[FieldAgreement, ...]:
    """Agreement of each pair of readers on each field, adjudications left out."""
    values: dict[str, dict[Key, dict[str, str]]] = defaultdict(dict)
    for key, own in _by_study(rows).items():
        for reader, cells in _by_reader(own).items():
            values[reader][key] = cells
    return tuple(
        FieldAgreement(field=field, readers=(one, other), kappa=found)
        for one, other in combinations(sorted(values), 2)
        for field in READ_FIELDS
        if (found := _agreement(field, values[one], values[other])).n
    )


def stored_readings(
    store: Store, review: str | None = None, study: str | None = None
) -> tuple[ReadingRow, ...]:
    """Readings of a review, of a study or of all."""
    with store.connect() as connection:
        return tuple(_rows(connection, review, study))


def adjudicate(store: Store, row: ReadingRow) -> ChangeSet | None:
    """Keep an adjudicator's word on one field; they may change it later.

    Raises
    ------
    EvidenceError
        The field is not in conflict, no reason is given, or the person may not adjudicate it.
    """
    if not row.reason:
        msg = f"why {row.value!r} for {row.field}? an adjudication needs a reason"
        raise EvidenceError(msg)
    with store.begin() as connection:
        stored = _rows(connection, row.review, row.study_key)
        _check_adjudication(row, stored)
        text = f"{row.field} of {row.study_key} is {row.value!r}: {row.reason}"
        line = Line("adjudication", 1, row)
        return apply(
            connection, Changes({"readings.csv": [line]}), Reason(row.reader, text, "reading")
        )


def adopt(store: Store, review: str, study: str, actor: str) -> ChangeSet | None:
    """Make what readers agree on, or an adjudicator said, the extraction of the study.

    Returns
    -------
    ChangeSet or None
        None where ``studies.csv`` says so already.

    Raises
    ------
    EvidenceError
        The review is a published one, its screening excluded the study, fewer than `N_READERS`
        people read it, fields are open, or the fields do not fit together.
    """
    with store.begin() as connection:
        _refuse_excluded(connection, review, study)
        stored = _rows(connection, review, study)
        readers = sorted(_by_reader(stored))
        if len(readers) < N_READERS:
            msg = (
                f"{study} was read for {review} by {' and '.join(readers) or 'nobody'}; "
                f"{N_READERS} people have to (evtl extract add FILE --by NAME)"
            )
            raise EvidenceError(msg)
        if opened := conflicts(stored):
            msg = f"{study} has open conflicts, evtl extract adjudicate settles them:\n"
            raise EvidenceError(msg + "\n".join(f"  {_worded(one)}" for one in opened))
        text = f"extraction of {study} as read by {', '.join(readers)}{_settled(stored)}"
        lines = {"studies.csv": [Line("extraction", 1, _agreed(review, study, stored))]}
        return apply(connection, Changes(lines), Reason(actor, text, "reading"))


def _refuse_excluded(connection: Connection, review: str, study: str) -> None:
    kind = select(schema.review.c.review_type).where(schema.review.c.key == review)
    if connection.execute(kind).scalar() not in {None, "living"}:
        msg = f"{review} is a published review, which is kept as it was printed; correct its rows "
        raise EvidenceError(msg + "by importing a CSV, with the reason")
    stages = [screening.c.stage, screening.c.role, screening.c.decision]
    own = (screening.c.review == review) & (screening.c.study == study)
    votes = connection.execute(select(*stages).where(own)).all()
    for stage in dict.fromkeys(vote.stage for vote in votes):
        said = [vote for vote in votes if vote.stage == stage]
        said = [vote for vote in said if vote.role == "adjudicator"] or said
        if any(vote.decision == "exclude" for vote in said):
            msg = (
                f"{study} is excluded from {review}, or in conflict, at {stage}; "
                "evtl screen conflicts and evtl screen decide settle that"
            )
            raise EvidenceError(msg)


def _rows(connection: Connection, review: str | None, study: str | None) -> list[ReadingRow]:
    columns = (
        reading.c[{"study_key": "study"}.get(f, f)].label(f) for f in ReadingRow.model_fields
    )
    query = select(*columns).order_by(reading.c.review, reading.c.study, reading.c.reader)
    if review is not None:
        query = query.where(reading.c.review == review)
    if study is not None:
        query = query.where(reading.c.study == study)
    return [ReadingRow.model_validate(dict(row)) for row in connection.execute(query).mappings()]


def _try(connection: Connection, lines: Sequence[Line], reason: Reason) -> None:
    """See whether the store would take these extractions, and take them back."""
    with connection.begin_nested() as trial:
        apply(connection, Changes({"studies.csv": lines}), reason)
        trial.rollback()


def _names(studies: Sequence[Key]) -> str:
    return ", ".join(key[-1] for key in studies[:3]) + (", ..." if len(studies) > 3 else "")


def _refuse_own_adjudication(stored: Iterable[ReadingRow], reader: str) -> None:
    """Who read a study does not adjudicate it, in either order."""
    for row in stored:
        if row.reader == reader and row.role == "adjudicator":
            msg = (
                f"{reader} adjudicated {row.field} of {row.study_key} and cannot be its reader too"
            )
            raise EvidenceError(msg)


def _check_adjudication(row: ReadingRow, stored: Sequence[ReadingRow]) -> None:
    if row.reader in _by_reader(stored):
        msg = (
            f"{row.reader} read {row.study_key}: another person adjudicates (or the readers "
            "together: --by 'anna and ben')"
        )
        raise EvidenceError(msg)
    judges = [r.reader for r in stored if r.role == "adjudicator" and r.field == row.field]
    if row.reader in judges:
        return
    if judges:
        msg = (
            f"{row.field} of {row.study_key} was adjudicated by {judges[0]}, who may change that; "
            "evtl undo takes it back"
        )
        raise EvidenceError(msg)
    opened = [conflict.field for conflict in conflicts(stored)]
    if row.field not in opened:
        msg = (
            f"readers do not differ on {row.field} of {row.study_key} in {row.review}; "
            f"open: {', '.join(opened) or 'nothing'}"
        )
        raise EvidenceError(msg)


def _by_study(rows: Iterable[ReadingRow]) -> dict[Key, list[ReadingRow]]:
    found: dict[Key, list[ReadingRow]] = defaultdict(list)
    for row in rows:
        found[row.review, row.study_key].append(row)
    return found


def _by_reader(own: Iterable[ReadingRow]) -> dict[str, dict[str, str]]:
    """Fields that each reader of one study filled in."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in own:
        if row.role == "reader":
            found[row.reader][row.field] = row.value
    return found


def _adjudicated(own: Iterable[ReadingRow]) -> dict[str, ReadingRow]:
    return {row.field: row for row in own if row.role == "adjudicator"}


def _nothing(field: str) -> str:
    """How an empty cell is written; empty where a cell must not be empty."""
    try:
        return study_cell(field, "")
    except ValueError:
        return ""


def _said(own: Iterable[ReadingRow]) -> dict[str, tuple[tuple[str, str], ...]]:
    """What each reader of one study says of each field."""
    cells = sorted(_by_reader(own).items())
    return {
        field: tuple((reader, found.get(field, _nothing(field))) for reader, found in cells)
        for field in READ_FIELDS
    }


def _comparable(field: str, value: str) -> tuple[str, ...]:
    if not _is_list(field):
        return (value,)
    items = value.split(StudyRow.separators.get(field, ";"))
    return tuple(items if field in ORDERED else sorted(items))


def _is_list(field: str) -> bool:
    return get_origin(StudyRow.model_fields[field].annotation) is tuple


def _agreement(
    field: str, one: Mapping[Key, Mapping[str, str]], other: Mapping[Key, Mapping[str, str]]
) -> Kappa:
    nothing = _nothing(field)
    pairs = [
        (_comparable(field, one[key].get(field, nothing)),
         _comparable(field, other[key].get(field, nothing)))
        for key in sorted(one.keys() & other.keys())
    ]  # fmt: skip
    if field in CATEGORICAL or not pairs:
        return kappa((";".join(a), ";".join(b)) for a, b in pairs)
    share = sum(a == b for a, b in pairs) / len(pairs)
    reason = "no kappa: the field is not one word of a few"
    return Kappa(n=len(pairs), agreement=share, reason=reason)


def _agreed(review: str, study: str, stored: Sequence[ReadingRow]) -> StudyRow:
    cells = {"review": review, "study_key": study}
    cells |= {field: said[0][1] for field, said in _said(stored).items()}
    cells |= {field: row.value for field, row in _adjudicated(stored).items()}
    try:
        return StudyRow.model_validate(cells)
    except ValidationError as error:
        said = "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())
        msg = f"the fields of {study} do not fit together: {said}"
        raise EvidenceError(msg) from error


def _settled(stored: Iterable[ReadingRow]) -> str:
    judged = [f"{field} by {row.reader}" for field, row in _adjudicated(stored).items()]
    return f"; adjudicated: {', '.join(judged)}" if judged else ""


def _worded(conflict: FieldConflict) -> str:
    said = ", ".join(f"{reader} {value!r}" for reader, value in conflict.said)
    return f"{conflict.field}: {said}"
