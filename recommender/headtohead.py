"""What beat what on the same data.

Authors list their winner first and choose what to compare it with, so a win counts for less
than it seems: rates are drawn towards one half, backbones towards their family.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evidence.records import ArmRecord, TaskProfile
from recommender.neighbours import SILENT
from recommender.similarity import similarity

#: Comparisons that one half counts for. Large, because 37 of Morid 2022's 102 studies hold all
#: comparisons and each author's winner is chosen by its author.
PRIOR_COMPARISONS = 4.0


@dataclass(frozen=True)
class Comparison:
    """One backbone that did better than another on one study's data."""

    study_key: str
    weight: float
    winner: str
    winner_family: str
    loser: str
    loser_family: str


def comparisons(profile: TaskProfile, arms: Sequence[ArmRecord]) -> tuple[Comparison, ...]:
    """Every pair of named winner and different named benchmark, weighted by task similarity."""
    benchmarks: dict[tuple[str, str], list[ArmRecord]] = defaultdict(list)
    for arm in arms:
        if arm.role == "benchmark" and arm.family not in SILENT:
            benchmarks[arm.study.key, arm.review].append(arm)
    found = {
        Comparison(
            arm.study.key, similarity(profile, arm), arm.backbone, arm.family,
            other.backbone, other.family,
        )
        for arm in arms
        if arm.role == "winner" and arm.family not in SILENT
        for other in benchmarks[arm.study.key, arm.review]
        if other.backbone != arm.backbone
    }  # fmt: skip
    return tuple(
        sorted(found, key=lambda pair: (-pair.weight, pair.study_key, pair.winner, pair.loser))
    )


def win_rate(wins: float, losses: float, prior: float) -> float:
    """Share of wins, drawn towards `prior` by `PRIOR_COMPARISONS`."""
    return (wins + PRIOR_COMPARISONS * prior) / (wins + losses + PRIOR_COMPARISONS)


def family_record(pairs: Iterable[Comparison], family: str) -> tuple[float, float]:
    """Weighted wins and losses of a family against other families.

    A study counts one win or loss per rival family, however many versions it tried.
    """
    wins = {
        (pair.study_key, pair.loser_family): pair.weight
        for pair in pairs
        if pair.winner_family == family != pair.loser_family
    }
    losses = {
        (pair.study_key, pair.winner_family): pair.weight
        for pair in pairs
        if pair.loser_family == family != pair.winner_family
    }
    return sum(wins.values()), sum(losses.values())


def strength(pairs: Sequence[Comparison], backbone: str, family: str) -> float:
    """Shrunk share of comparisons that a backbone wins; one half where nothing is known.

    Returns
    -------
    float
        In (0, 1): the backbone's own record drawn towards its family's, that towards one half.
    """
    family_rate = win_rate(*family_record(pairs, family), prior=0.5)
    wins = sum(pair.weight for pair in pairs if pair.winner == backbone)
    losses = sum(pair.weight for pair in pairs if pair.loser == backbone)
    return win_rate(wins, losses, prior=family_rate)
