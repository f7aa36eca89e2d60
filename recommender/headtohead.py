"""What beat what on the same data.

Authors list their winner first and choose what to compare it with, so a win counts for less
than it seems: rates are drawn towards one half, backbones towards their family.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evidence.arm_table import ArmTable, begins, once_for_each
from evidence.records import TaskProfile
from recommender.neighbours import SILENT
from recommender.similarity import CLOSE, task_similarities

#: Comparisons that one half counts for. Large, because 37 of Morid 2022's 102 studies hold all
#: comparisons and each author's winner is chosen by its author.
PRIOR_COMPARISONS = 4.0
Codes = NDArray[np.int32]
Rows = NDArray[np.intp]
#: Word -> wins and losses.
Tally = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every pair of named winner and different named benchmark of a study, one review's, (P,).

    Attributes
    ----------
    study, winner, loser, winner_family, loser_family : ndarray of int
        Codes of the table; rows are ordered by study, families and backbones.
    task : ndarray of int
        Task of the winner.
    rivals : ndarray of int, (R,)
        Where the pairs of a study and two families begin.
    reread : ndarray of int
        Rows that differ from another one in the task only: several reviews read the study.
    same : ndarray of int
        Equal on rows that differ in the task only.
    """

    study: Codes
    winner_family: Codes
    loser_family: Codes
    winner: Codes
    loser: Codes
    task: Codes
    rivals: Rows
    same: Rows
    reread: Rows
    backbones: tuple[str, ...]
    families: tuple[str, ...]


class FamilyWin(NamedTuple):
    """One family that did better than another on one study's data."""

    winner: str
    loser: str
    study_key: str


@once_for_each
def all_pairs(table: ArmTable) -> Pairs:
    """The pairs of a table, whatever is asked."""
    columns = _ordered(table, *_met(table))
    study, winner_family, loser_family, winner, loser, task = columns
    same = np.cumsum(begins(columns[:5])) - 1
    return Pairs(
        study=study,
        winner_family=winner_family,
        loser_family=loser_family,
        winner=winner,
        loser=loser,
        task=task,
        rivals=np.flatnonzero(begins(columns[:3])),
        same=same,
        reread=np.flatnonzero(np.bincount(same)[same] > 1),
        backbones=table.backbone.words,
        families=table.family.words,
    )


def _ordered(table: ArmTable, won: Rows, lost: Rows) -> list[Codes]:
    """The first six columns of `Pairs`, each combination once."""
    columns: list[Codes] = [
        table.study.codes[won],
        table.family.codes[won],
        table.family.codes[lost],
        table.backbone.codes[won],
        table.backbone.codes[lost],
        table.tasks.of_arm[won],
    ]
    order = np.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    once = begins(columns)
    return [column[once] for column in columns]


def _met(table: ArmTable) -> tuple[Rows, Rows]:
    """Rows of every winner and of every other network that its study's review sets beside it."""
    named = ~table.family.among(SILENT)
    winners = np.flatnonzero(named & table.role.among({"winner"}))
    benchmarks = np.flatnonzero(named & table.role.among({"benchmark"}))
    readings = np.cumsum(begins([table.study.codes, table.review.codes]))
    first, last = (
        np.searchsorted(readings[benchmarks], readings[winners], side) for side in ("left", "right")
    )
    numbers = last - first
    won = np.repeat(winners, numbers)
    skipped = np.cumsum(numbers) - numbers
    lost = benchmarks[np.arange(len(won)) + np.repeat(first - skipped, numbers)]
    other = table.backbone.codes[won] != table.backbone.codes[lost]
    return won[other], lost[other]


class FamilyStanding(NamedTuple):
    """Wins and losses of a family against others.

    Attributes
    ----------
    close : tuple of float
        Counted on tasks close to the question.
    weighted : tuple of float
        On all tasks, weighted by their similarity to the question.
    """

    close: tuple[float, float]
    weighted: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Pairs with their weight for one question.

    Attributes
    ----------
    weight : ndarray of float, (P,)
        Similarity of the question and the winner's task.
    counted : ndarray of bool, (P,)
        Whether a pair takes part.
    """

    pairs: Pairs
    weight: NDArray[np.float64]
    counted: NDArray[np.bool_]

    def close(self, least: float) -> "Comparisons":
        """Those of at least this weight."""
        return replace(self, counted=self.counted & (self.weight >= least))

    def standing(self, family: str) -> FamilyStanding:
        """How often a family did better and worse than others, close to the question and at all."""
        return FamilyStanding(family_record(self._near, family), family_record(self, family))

    @cached_property
    def _near(self) -> "Comparisons":
        return replace(self.close(CLOSE), weight=np.ones_like(self.weight))

    @cached_property
    def of_backbones(self) -> Tally:
        """Weighted wins and losses of each backbone."""
        weights = np.where(self.counted, self.weight, 0.0)
        return _tally(self.pairs.backbones, self.pairs.winner, self.pairs.loser, weights)

    @cached_property
    def of_families(self) -> Tally:
        """Weighted wins and losses of each family, see `family_record`."""
        pairs = self.pairs
        winner, loser = pairs.winner_family[pairs.rivals], pairs.loser_family[pairs.rivals]
        if not len(winner):
            return {}
        # Where reviews read a study unlike, the reading that is less like the question counts.
        least = np.minimum.reduceat(np.where(self.counted, self.weight, np.inf), pairs.rivals)
        weights = np.where((winner != loser) & np.isfinite(least), least, 0.0)
        return _tally(pairs.families, winner, loser, weights)


def _tally(
    words: tuple[str, ...], winner: Codes, loser: Codes, weights: NDArray[np.float64]
) -> Tally:
    wins, losses = (np.bincount(side, weights, minlength=len(words)) for side in (winner, loser))
    return dict(zip(words, zip(wins.tolist(), losses.tolist(), strict=True), strict=True))


def comparisons(profile: TaskProfile, table: ArmTable) -> Comparisons:
    """Every pair of named winner and different named benchmark, weighted by task similarity."""
    pairs = all_pairs(table)
    weight = task_similarities(profile, table)[pairs.task]
    return Comparisons(pairs, weight, ~_again(pairs, weight))


def _again(pairs: Pairs, weight: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pairs are there before with the same weight: a study that reviews read alike."""
    rows = pairs.reread[np.lexsort((weight[pairs.reread], pairs.same[pairs.reread]))]
    again = np.zeros(len(weight), np.bool_)
    repeats = (np.diff(pairs.same[rows]) == 0) & (np.diff(weight[rows]) == 0)
    again[rows[1:][repeats]] = True
    return again


def family_wins(table: ArmTable) -> tuple[FamilyWin, ...]:
    """Which family beat which other one in which study, each once; in order of the study key."""
    pairs = all_pairs(table)
    columns = (pairs.study, pairs.winner_family, pairs.loser_family)
    rows = zip(*(column[pairs.rivals].tolist() for column in columns), strict=True)
    words = pairs.families
    return tuple(
        FamilyWin(words[won], words[lost], table.study.words[study])
        for study, won, lost in rows
        if won != lost
    )


def win_rate(wins: float, losses: float, prior: float) -> float:
    """Share of wins, drawn towards `prior` by `PRIOR_COMPARISONS`."""
    return (wins + PRIOR_COMPARISONS * prior) / (wins + losses + PRIOR_COMPARISONS)


def family_record(found: Comparisons, family: str) -> tuple[float, float]:
    """Weighted wins and losses of a family against other families.

    A study counts one win or loss per rival family, however many versions it tried.
    """
    return found.of_families.get(family, (0.0, 0.0))


def strength(found: Comparisons, backbone: str, family: str) -> float:
    """Shrunk share of comparisons that a backbone wins; one half where nothing is known.

    Returns
    -------
    float
        In (0, 1): the backbone's own record drawn towards its family's, that towards one half.
    """
    family_rate = win_rate(*family_record(found, family), prior=0.5)
    wins, losses = found.of_backbones.get(backbone, (0.0, 0.0))
    return win_rate(wins, losses, prior=family_rate)
