"""Decisions in the screening of a living review, and the state that they make."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from sqlalchemy import Connection, select

from evidence.changes import Changes, Reason, apply
from evidence.decisions import Course, State, courses, differ, outcome
from evidence.errors import EvidenceError
from evidence.ingest import Line
from evidence.living_rows import ScreeningRow
from evidence.records import ChangeSet
from evidence.schema import review
from evidence.schema_living import identified, screening
from evidence.store import Store
from evidence.tables import chunks
from evidence.vocabulary import Stage

#: Stages in their order.
STAGES: tuple[Stage, ...] = get_args(Stage)
#: Decisions that a study needs at each stage (Cochrane Handbook 6.4, section 4.6.4).
N_REVIEWERS = 2


@dataclass(frozen=True)
class Protocol:
    """How a review is screened.

    Attributes
    ----------
    review : str or None
        None for the one living review of the store.
    n_reviewers : int
        Decisions that a study needs at each stage.
    """

    review: str | None = None
    n_reviewers: int = N_REVIEWERS


class Progress(NamedTuple):
    """A review with its decisions and how far each identified study came."""

    review: str
    rows: list[ScreeningRow]
    courses: dict[str, Course]


def decide(
    store: Store, rows: Sequence[ScreeningRow], n_reviewers: int = N_REVIEWERS
) -> ChangeSet | None:
    """Keep decisions of one person as one change set; a person may change their own.

    Returns
    -------
    ChangeSet or None
        None where everything was decided so already.

    Raises
    ------
    EvidenceError
        The review or study is unknown, the study is not at this stage, or the person may not
        decide it in this role; nothing was stored.
    """
    first = rows[0]
    with store.begin() as connection:
        key = living_review(connection, first.review)
        known = _identified(connection, key)
        stored = by_study(_rows(connection, key, [row.study_key for row in rows]))
        for row in rows:
            _check(row, known, stored[row.study_key], n_reviewers)
        lines = [Line("decision", number, row) for number, row in enumerate(rows, 1)]
        reason = Reason(first.reviewer, _summary(rows), "screening")
        return apply(connection, Changes({"screening.csv": lines}), reason)


def _summary(rows: Sequence[ScreeningRow]) -> str:
    first = rows[0]
    names = ", ".join(row.study_key for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
    because = f": {first.reason}" if first.reason else ""
    return f"{first.role}, {first.stage}: {first.decision} {names}{because}"


def progress(connection: Connection, protocol: Protocol) -> Progress:
    """The state of a review.

    Raises
    ------
    EvidenceError
        There is no such review, or several and none was named.
    """
    key = living_review(connection, protocol.review)
    rows = _rows(connection, key)
    return Progress(key, rows, courses(_identified(connection, key), rows, protocol.n_reviewers))


def living_review(connection: Connection, asked: str | None) -> str:
    """Key of the review that is screened: the one asked for, or the only one.

    Raises
    ------
    EvidenceError
        There is no such review, or several and none was named.
    """
    there = searched(connection)
    if asked in there:
        return str(asked)
    if asked is None and len(there) == 1:
        return there[0]
    msg = f"{_unclear(connection, asked)}; records were identified in: "
    msg += f"{', '.join(there) or 'no review yet'}; evtl import FILE --review KEY brings records"
    raise EvidenceError(msg)


def searched(connection: Connection) -> list[str]:
    """Keys of the reviews that have identified records."""
    return sorted(connection.scalars(select(identified.c.review).distinct()))


def _unclear(connection: Connection, asked: str | None) -> str:
    if asked is None:
        return "name a review (--review)"
    known = connection.execute(select(review.c.key).where(review.c.key == asked)).first()
    return f"review {asked!r} has no identified records" if known else f"no review {asked!r}"


def _check(
    row: ScreeningRow, known: Collection[str], stored: Iterable[ScreeningRow], n_reviewers: int
) -> None:
    """Refuse a decision that is not this person's to take, or not now."""
    if row.study_key not in known:
        msg = (
            f"study {row.study_key!r} is none of the {len(known)} identified in {row.review}; "
            "evtl screen queue lists what is to be decided"
        )
        raise EvidenceError(msg)
    at_stage: dict[Stage, list[ScreeningRow]] = {stage: [] for stage in STAGES}
    for other in stored:
        at_stage[other.stage].append(other)
    if row.stage == "full_text":
        _check_reached(row, outcome(at_stage["title_abstract"], n_reviewers).state)
    _check_role(row, at_stage[row.stage])


def _check_reached(row: ScreeningRow, state: State) -> None:
    if state != "include":
        msg = (
            f"study {row.study_key} cannot be decided at full_text: at title_abstract its state "
            f"is {state}, and only what is included there is read in full"
        )
        raise EvidenceError(msg)


def _check_role(row: ScreeningRow, stored: Sequence[ScreeningRow]) -> None:
    """An adjudicator is somebody else than those who differ, and there is one."""
    own = {other.role for other in stored if other.reviewer == row.reviewer}
    if own and row.role not in own:
        msg = (
            f"{row.reviewer} decided {row.study_key} as {own.pop()} at {row.stage} already: "
            f"another person adjudicates (or several together: --by 'anna and ben'), or "
            f"{row.reviewer} changes their own decision"
        )
        raise EvidenceError(msg)
    if row.role == "reviewer" or own:
        return
    if not differ(stored):
        msg = (
            f"there is no conflict on {row.study_key} at {row.stage}; evtl screen conflicts "
            "lists them, and whoever has not decided yet may decide as reviewer"
        )
        raise EvidenceError(msg)
    if adjudicators := [other.reviewer for other in stored if other.role == "adjudicator"]:
        msg = (
            f"{row.study_key} was adjudicated at {row.stage} by {adjudicators[0]}, who may change "
            "that; evtl undo takes it back"
        )
        raise EvidenceError(msg)


def _identified(connection: Connection, key: str) -> set[str]:
    query = select(identified.c.study).distinct().where(identified.c.review == key)
    return set(connection.scalars(query))


def _rows(
    connection: Connection, key: str, studies: Sequence[str] | None = None
) -> list[ScreeningRow]:
    """Decisions on some studies, on all for None."""
    columns = (screening.c[_NAMES.get(f, f)].label(f) for f in ScreeningRow.model_fields)
    query = select(*columns).where(screening.c.review == key)
    query = query.order_by(screening.c.study, screening.c.reviewer)
    queries = [query]
    if studies is not None:
        queries = [query.where(screening.c.study.in_(part)) for part in chunks(studies)]
    stored = (row for one in queries for row in connection.execute(one).mappings())
    return [ScreeningRow.model_validate(dict(row)) for row in stored]


_NAMES = {"study_key": "study"}


def by_study(rows: Iterable[ScreeningRow]) -> defaultdict[str, list[ScreeningRow]]:
    """Decisions of each study; none where there is none."""
    found: defaultdict[str, list[ScreeningRow]] = defaultdict(list)
    for row in rows:
        found[row.study_key].append(row)
    return found
