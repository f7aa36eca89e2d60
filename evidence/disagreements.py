"""Where reviews contradict each other or themselves, each side with its source.

What a person found stands in ``disagreements.csv``; what two extractions of one study say
differently is found here from the rows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, get_args

from pydantic import Field
from sqlalchemy import Connection

from evidence.codecs import CODECS
from evidence.errors import EvidenceError
from evidence.records import ArmRecord, Claim, Evaluation, Record
from evidence.review_rows import DisagreementKind, DisagreementRow
from evidence.vocabulary import MODALITY

#: Names that leave the version open: they agree with every member of their family.
UNVERSIONED = frozenset({"VGG", "ResNet", "DenseNet", "Inception"})
#: Words with which a review says nothing; silence contradicts nobody.
SILENT = frozenset({None, "unknown", "unspecified"})


class Side(Record):
    """One side: what is said, where, and for which images (empty for all)."""

    review: str
    section: str
    statement: str
    modality: tuple[str, ...] = ()
    anatomy: tuple[str, ...] = ()
    study_key: str = ""
    claim: str = ""


class DisagreementRecord(Record):
    """Statements that cannot all be followed, or cannot all be true."""

    key: str
    topic: str
    kind: DisagreementKind
    sides: tuple[Side, ...] = Field(min_length=2)


def stored(connection: Connection) -> tuple[DisagreementRecord, ...]:
    """What a person found, as the store holds it."""
    rows, claims = (CODECS[f"{name}.csv"].read(connection) for name in ("disagreements", "claims"))
    said = {
        key: Claim.model_validate({"key": key, **{n: cells[n] for n in cells if n != "claim"}})
        for (key,), cells in claims.items()
    }
    ordered = sorted(rows, key=lambda key: (key[0], int(key[1])))
    return collected([DisagreementRow.model_validate(rows[key]) for key in ordered], said)


def collected(
    rows: Iterable[DisagreementRow], claims: Mapping[str, Claim]
) -> tuple[DisagreementRecord, ...]:
    """Put the sides of each disagreement together, in the order of the rows.

    Parameters
    ----------
    rows : iterable of DisagreementRow
        Of ``disagreements.csv``.
    claims : mapping of str to Claim
        By key; a side that is a claim takes its section and statement from here.

    Raises
    ------
    EvidenceError
        A row names a claim that is not among `claims`.
    """
    grouped: dict[tuple[str, str, DisagreementKind], list[Side]] = defaultdict(list)
    for row in rows:
        grouped[row.disagreement, row.topic, row.kind].append(_side(row, claims))
    return tuple(
        DisagreementRecord(key=key, topic=topic, kind=kind, sides=tuple(sides))
        for (key, topic, kind), sides in grouped.items()
    )


def _side(row: DisagreementRow, claims: Mapping[str, Claim]) -> Side:
    said = claims.get(row.claim) if row.claim else row
    if said is None:
        msg = (
            f"disagreement {row.disagreement}, side {row.side}: found the claim {row.claim!r}; "
            "it must be a key of claims.csv"
        )
        raise EvidenceError(msg)
    return Side(
        review=row.review,
        section=said.section,
        statement=said.statement,
        modality=row.modality,
        anatomy=row.anatomy,
        study_key=row.study_key,
        claim=row.claim,
    )


def concerning(
    disagreements: Iterable[DisagreementRecord], modality: str | None = None
) -> tuple[DisagreementRecord, ...]:
    """What bears on a modality: advice first, and first what speaks of that very modality.

    Parameters
    ----------
    disagreements : iterable of DisagreementRecord
        In any order.
    modality : str, optional
        As people type it. Sides about it, about broader or narrower terms and about all images
        are kept; a disagreement of which fewer than two sides are left is none here.

    Raises
    ------
    UnknownTermError
        The modality is no word of the vocabulary.
    """
    if modality is None:
        return tuple(sorted(disagreements, key=_rank))
    term = MODALITY.resolve(modality)
    kept = [
        disagreement.model_copy(update={"sides": sides})
        for disagreement in disagreements
        if len(sides := _about(disagreement.sides, term)) >= 2
    ]
    return tuple(sorted(kept, key=_rank))


def _about(sides: Sequence[Side], term: str) -> tuple[Side, ...]:
    return tuple(
        side
        for side in sides
        if not side.modality or any(_related(word, term) for word in side.modality)
    )


def _rank(disagreement: DisagreementRecord) -> tuple[int, int, str]:
    general = not any(side.modality for side in disagreement.sides)
    return get_args(DisagreementKind).index(disagreement.kind), int(general), disagreement.key


def same_study(arms: tuple[ArmRecord, ...]) -> tuple[DisagreementRecord, ...]:
    """Find where two reviews' readings of one study differ.

    Parameters
    ----------
    arms : tuple of ArmRecord
        In any order; benchmarks do not count as what a review says of the study.

    Returns
    -------
    tuple of DisagreementRecord
        One per study and topic, by key; the section of a side is its arm's locator. A lower bound
        or a range differs from a value only where the value lies outside it.
    """
    studies: dict[str, dict[str, list[ArmRecord]]] = defaultdict(lambda: defaultdict(list))
    for arm in arms:
        if arm.role != "benchmark":
            studies[arm.study.key][arm.review].append(arm)
    return tuple(record for key in sorted(studies) for record in _differences(key, studies[key]))


def _differences(
    study: str, by_review: Mapping[str, Sequence[ArmRecord]]
) -> Iterable[DisagreementRecord]:
    readings = {review: _reading(by_review[review]) for review in sorted(by_review)}
    for topic in sorted({topic for reading in readings.values() for topic in reading}):
        said = {review: reading[topic] for review, reading in readings.items() if topic in reading}
        if any(_apart(topic, one, other) for one, other in combinations(said.values(), 2)):
            yield DisagreementRecord(
                key=f"{study}-{topic}",
                topic=topic,
                kind="same_study",
                sides=_sides(study, by_review, said),
            )


def _reading(arms: Sequence[ArmRecord]) -> dict[str, frozenset[Any]]:
    """What one review says of a study, by topic; every metric is a topic of its own."""
    reading: dict[str, set[Any]] = defaultdict(set)
    for arm in arms:
        for topic in ("approach", "modality", "n_classes", "n_images"):
            reading[topic].add(getattr(arm, topic))
        reading["backbone"].add((arm.family, arm.backbone) if arm.backbone != "unknown" else None)
        for evaluation in arm.evaluations:
            reading[evaluation.metric].add(evaluation)
    known = {topic: frozenset(values - SILENT) for topic, values in reading.items()}
    return {topic: values for topic, values in known.items() if values}


def _apart(topic: str, one: Iterable[Any], other: Iterable[Any]) -> bool:
    """Whether nothing that one review says can be what the other says."""
    compatible = _COMPATIBLE.get(topic, _equal)
    return not any(compatible(mine, yours) for mine in one for yours in other)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Evaluation):
        return _overlap(one, other)
    return bool(one == other)


def _overlap(one: Evaluation, other: Evaluation) -> bool:
    return max(one.value, other.value) <= min(_highest(one), _highest(other))


def _highest(evaluation: Evaluation) -> float:
    if evaluation.operator == ">":
        return float("inf")
    return evaluation.value if evaluation.value_high is None else evaluation.value_high


def _same_network(one: tuple[str, str], other: tuple[str, str]) -> bool:
    open_version = not UNVERSIONED.isdisjoint({one[1], other[1]})
    return one == other or (one[0] == other[0] and open_version)


def _related(one: str, other: str) -> bool:
    return MODALITY.is_within(one, other) or MODALITY.is_within(other, one)


_COMPATIBLE: dict[str, Callable[[Any, Any], bool]] = {
    "backbone": _same_network,
    "modality": _related,
}


def _sides(
    study: str, by_review: Mapping[str, Sequence[ArmRecord]], said: Mapping[str, Iterable[Any]]
) -> tuple[Side, ...]:
    arms = [arm for review in said for arm in by_review[review]]
    modality = tuple(sorted({arm.modality for arm in arms if arm.modality}))
    anatomy = tuple(sorted({word for arm in arms for word in arm.anatomy}))
    return tuple(
        Side(
            review=review,
            section=by_review[review][0].locator,
            statement="; ".join(sorted(_worded(value) for value in values)),
            modality=modality,
            anatomy=anatomy,
            study_key=study,
        )
        for review, values in said.items()
    )


def _worded(value: Any) -> str:
    if isinstance(value, Evaluation):
        if value.value_high is not None:
            return f"{value.value:g} to {value.value_high:g}"
        return f"{value.operator} {value.value:g}"
    return str(value[1] if isinstance(value, tuple) else value)
