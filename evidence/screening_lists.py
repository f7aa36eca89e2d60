"""What is left to screen, where people differ, how far a review came, how far people agree."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from sqlalchemy import Connection, func, select

from evidence import decisions
from evidence.decisions import Course, Judgement, PairAgreement, State
from evidence.living_rows import ScreeningRow
from evidence.records import Record
from evidence.schema import study, study_author
from evidence.schema_living import change, identified
from evidence.screening import STAGES, Progress, Protocol, by_study, progress
from evidence.store import Store
from evidence.tables import chunks
from evidence.vocabulary import Decision, Stage

Role = Literal["reviewer", "adjudicator"]


class ToScreen(Record):
    """A study that waits for a decision, without what others decided."""

    study_key: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    abstract: str


class Queue(Record):
    """What a reviewer has still to decide: how many, and the first of them, oldest first."""

    review: str
    stage: Stage
    reviewer: str
    n_left: int
    studies: tuple[ToScreen, ...]


class Said(Record):
    """One person's decision."""

    reviewer: str
    role: Role
    decision: Decision
    reason: str


class Conflict(Record):
    """A study on which people differ, and who said what."""

    stage: Stage
    study_key: str
    title: str
    said: tuple[Said, ...]


class StageCount(Record):
    """How many studies of a stage stand where; together they are `n_studies`."""

    stage: Stage
    n_studies: int
    n_pending: int
    n_include: int
    n_exclude: int
    n_conflict: int


class PersonCount(Record):
    """What one person decided at a stage; `n_left` studies of the stage still wait for them."""

    stage: Stage
    reviewer: str
    role: Role
    n_include: int
    n_exclude: int
    n_left: int


class Status(Record):
    """How far the screening of a review came."""

    review: str
    n_reviewers: int
    stages: tuple[StageCount, ...]
    reviewers: tuple[PersonCount, ...]


def queue(store: Store, protocol: Protocol, stage: Stage, reviewer: str, limit: int) -> Queue:
    """What a reviewer has still to decide: studies that too few people decided, and not they.

    Parameters
    ----------
    limit : int
        Studies to return.
    """
    with store.connect() as connection:
        now = progress(connection, protocol)
        left = _left(now, stage, reviewer)
        age = _ages(connection, now.review)
        first = sorted(left, key=lambda key: (age[key], key))[:limit]
        return Queue(
            review=now.review,
            stage=stage,
            reviewer=reviewer,
            n_left=len(left),
            studies=_studies(connection, first),
        )


def conflicts(store: Store, protocol: Protocol) -> tuple[Conflict, ...]:
    """Studies on which people differ and nobody adjudicated, by stage and key."""
    with store.connect() as connection:
        now = progress(connection, protocol)
        keys = {stage: sorted(_where(now.courses, stage, "conflict")) for stage in STAGES}
        shown = _studies(connection, [key for stage in STAGES for key in keys[stage]])
    titles = {one.study_key: one.title for one in shown}
    said = by_study(now.rows)
    return tuple(
        Conflict(
            stage=stage,
            study_key=key,
            title=titles[key],
            said=tuple(_said(row) for row in said[key] if row.stage == stage),
        )
        for stage in STAGES
        for key in keys[stage]
    )


def status(store: Store, protocol: Protocol) -> Status:
    """Counts per stage, and per person and stage."""
    with store.connect() as connection:
        now = progress(connection, protocol)
    return Status(
        review=now.review,
        n_reviewers=protocol.n_reviewers,
        stages=tuple(_stage_count(now.courses, stage) for stage in STAGES),
        reviewers=tuple(
            _person_count(now, stage, *who)
            for stage in STAGES
            for who in sorted({(r.reviewer, r.role) for r in now.rows if r.stage == stage})
        ),
    )


def agreement(store: Store, protocol: Protocol) -> tuple[PairAgreement, ...]:
    """Cohen's kappa of each pair of reviewers at each stage."""
    with store.connect() as connection:
        rows = progress(connection, protocol).rows
        return decisions.agreement(rows, _revised(connection, rows))


def _where(found: dict[str, Course], stage: Stage, state: State) -> list[str]:
    return [key for key, c in found.items() if (at := c.at(stage)) and at.state == state]


def _left(now: Progress, stage: Stage, reviewer: str) -> list[str]:
    own = {r.study_key for r in now.rows if (r.stage, r.reviewer) == (stage, reviewer)}
    return [key for key in _where(now.courses, stage, "pending") if key not in own]


def _person_count(now: Progress, stage: Stage, name: str, role: Role) -> PersonCount:
    own = (r.decision for r in now.rows if (r.stage, r.reviewer, r.role) == (stage, name, role))
    n = Counter(own)
    return PersonCount(
        stage=stage,
        reviewer=name,
        role=role,
        n_include=n["include"],
        n_exclude=n["exclude"],
        n_left=len(_left(now, stage, name)) if role == "reviewer" else 0,
    )


def _stage_count(found: dict[str, Course], stage: Stage) -> StageCount:
    states = Counter(at.state for course in found.values() if (at := course.at(stage)))
    return StageCount(
        stage=stage,
        n_studies=states.total(),
        n_pending=states["pending"],
        n_include=states["include"],
        n_exclude=states["exclude"],
        n_conflict=states["conflict"],
    )


def _said(row: ScreeningRow) -> Said:
    return Said(reviewer=row.reviewer, role=row.role, decision=row.decision, reason=row.reason)


def _ages(connection: Connection, review: str) -> dict[str, tuple[int, int]]:
    """When a search first brought each study: change set and place in it; else (0, 0)."""
    first_change = (
        select(change.c.row_key, func.min(change.c.change_set), func.min(change.c.position))
        .where(change.c.file == "identified.csv")
        .group_by(change.c.row_key)
    )
    brought = {tuple(json.loads(key)): at for key, *at in connection.execute(first_change)}
    query = select(identified.c.source, identified.c.record, identified.c.study)
    ages: dict[str, tuple[int, int]] = {}
    for source, record, key in connection.execute(query.where(identified.c.review == review)):
        number, position = brought.get((review, source, record), (0, 0))
        ages[key] = min((number, position), ages.get(key, (number, position)))
    return ages


def _studies(connection: Connection, keys: Sequence[str]) -> tuple[ToScreen, ...]:
    """Studies as they are shown, in the order of the keys."""
    authors: dict[str, list[str]] = defaultdict(list)
    found = {}
    for part in chunks(keys):
        names = select(study_author.c.study, study_author.c.name)
        names = names.where(study_author.c.study.in_(part)).order_by(study_author.c.position)
        for key, name in connection.execute(names):
            authors[key].append(name)
        columns = (study.c.key, study.c.title, study.c.year, study.c.abstract)
        query = select(*columns).where(study.c.key.in_(part))
        for key, title, year, abstract in connection.execute(query):
            found[key] = ToScreen(
                study_key=key, title=title or "", authors=tuple(authors[key]), year=year,
                abstract=abstract,
            )  # fmt: skip
    return tuple(found[key] for key in keys)


def _revised(connection: Connection, rows: Iterable[ScreeningRow]) -> set[Judgement]:
    """Decisions that are not the ones first taken, from the change sets."""
    query = (
        select(change.c.row_key, change.c.before)
        .where((change.c.file == "screening.csv") & change.c.before.is_not(None))
        .order_by(change.c.change_set)
    )
    first: dict[tuple[str, ...], str] = {}
    for key, before in connection.execute(query):
        first.setdefault(tuple(json.loads(key)), before["decision"])
    return {
        (row.study_key, row.stage, row.reviewer)
        for row in rows
        if first.get(row.key, row.decision) != row.decision
    }
