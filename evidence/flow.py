"""The flow of a review in numbers: counted from its rows while it lives, else as printed.

References
----------
Page 2021, doi:10.1136/bmj.n71, items 16a and 16b and figure 1.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from evidence.decisions import Course, Outcome
from evidence.errors import EvidenceError
from evidence.prisma import FlowStep, StepKind
from evidence.records import Record
from evidence.schema_living import identified
from evidence.schema_reviews import flow_step
from evidence.screening import Progress, Protocol, progress, searched
from evidence.store import Store

#: Reason of a full-text exclusion that PRISMA 2020 counts apart: nobody could get the text.
NOT_RETRIEVED = "not retrieved"
#: What waits, in words.
_AWAITING = {"pending": "not decided yet", "conflict": "in conflict, not adjudicated yet"}


class Flow(Record):
    """The ordered steps of a review's flow.

    Where `living`, they were counted from its rows: printed and derived numbers are the same. Of
    a published review they are as it prints them.
    """

    review: str
    living: bool
    steps: tuple[FlowStep, ...]


def flow(store: Store, protocol: Protocol) -> Flow:
    """The flow of a review: counted where searches brought it records, else as printed.

    Raises
    ------
    EvidenceError
        The review has neither, or none was named and there is not just one that lives.
    """
    with store.connect() as connection:
        lives = searched(connection)
        printed = _drawn(connection)
        if protocol.review in lives or (protocol.review is None and len(lives) == 1):
            return _living(connection, progress(connection, protocol))
        if protocol.review in printed:
            steps = _printed(connection, protocol.review)
            return Flow(review=protocol.review, living=False, steps=steps)
        which = "name a review" if protocol.review is None else f"no flow of {protocol.review!r}"
        msg = (
            f"{which}; counted: {', '.join(lives) or 'none'}; printed: "
            f"{', '.join(printed)}; evtl import FILE --review KEY brings records to count"
        )
        raise EvidenceError(msg)


def reviews(store: Store) -> tuple[str, ...]:
    """Every review that has a flow."""
    with store.connect() as connection:
        return tuple(sorted({*searched(connection), *_drawn(connection)}))


def _drawn(connection: Connection) -> list[str]:
    """Reviews that print their flow."""
    return sorted(connection.scalars(select(flow_step.c.review).distinct()))


def _living(connection: Connection, now: Progress) -> Flow:
    query = select(identified.c.source).where(identified.c.review == now.review)
    steps = counted(connection.scalars(query), now.courses)
    return Flow(review=now.review, living=True, steps=steps)


def _printed(connection: Connection, review: str) -> tuple[FlowStep, ...]:
    query = select(flow_step).where(flow_step.c.review == review).order_by(flow_step.c.position)
    names = ("label", "kind", "n_printed", "n_derived", "note")
    return tuple(
        FlowStep.model_validate({name: row[name] for name in names})
        for row in connection.execute(query).mappings()
    )


def counted(sources: Iterable[str], courses: Mapping[str, Course]) -> tuple[FlowStep, ...]:
    """Steps of a living review, which add up.

    What is not decided, or in conflict, is a step of its own and never counted as excluded. Steps
    that nothing fell under are left out where they leave the flow.

    Parameters
    ----------
    sources : iterable of str
        Source of each identified record.
    courses : mapping of str to Course
        How far each study came.
    """
    n_records = Counter(sources)
    first = [course.title_abstract for course in courses.values()]
    second = [course.full_text for course in courses.values() if course.full_text is not None]
    n_duplicates = n_records.total() - len(first)
    screened = f"studies {_done(first, 'screened', 'to screen')} by title and abstract"
    steps = [
        _step("records identified", "identified", n_records.total(), sources=_ranked(n_records)),
        _step("duplicate records removed", "duplicates", n_duplicates),
        _step(screened, "screened", len(first)),
        _step("excluded by title and abstract", "excluded", len(_in(first, "exclude"))),
        *_awaiting(first),
        *_full_text(second),
        _step("studies included", "included", len(_in(second, "include"))),
    ]
    return tuple(step for step in steps if step.n_derived or step.kind not in _OPTIONAL)


#: Kinds of steps that are left out where they are empty.
_OPTIONAL = frozenset({"duplicates", "excluded", "awaiting"})


def _full_text(outcomes: list[Outcome]) -> Iterable[FlowStep]:
    excluded = _in(outcomes, "exclude")
    read = [one.reason for one in excluded if one.reason.casefold() != NOT_RETRIEVED]
    reasons, n_missing = Counter(read), len(excluded) - len(read)
    if n_missing:
        yield _step("full texts sought", "full_text", len(outcomes))
        yield _step("full texts not retrieved", "excluded", n_missing)
    label = f"full texts {_done(outcomes, 'assessed', 'to assess')}"
    yield _step(label, "full_text", len(outcomes) - n_missing)
    yield _step("excluded by full text", "excluded", reasons.total(), reasons=_ranked(reasons))
    yield from _awaiting(outcomes)


def _awaiting(outcomes: list[Outcome]) -> Iterable[FlowStep]:
    for state, label in _AWAITING.items():
        yield _step(label, "awaiting", len(_in(outcomes, state)))


def _done(outcomes: Iterable[Outcome], past: str, future: str) -> str:
    """The word for a step that is over, or for one that is not."""
    return future if any(one.state in _AWAITING for one in outcomes) else past


def _in(outcomes: Iterable[Outcome], state: str) -> list[Outcome]:
    return [one for one in outcomes if one.state == state]


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    """Most frequent first, then by name."""
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _step(label: str, kind: StepKind, n: int, **details: Any) -> FlowStep:
    return FlowStep(label=label, kind=kind, n_printed=n, n_derived=n, **details)
