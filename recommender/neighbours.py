"""The published studies nearest to a question, and what they used."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evidence.arm_table import ArmTable, Column, once_for_each
from evidence.records import ArmRecord, TaskProfile
from recommender.similarity import task_similarities

#: Number of neighbours.
K = 15
#: How many studies the whole corpus counts for beside them. Fitted by leaving studies out
#: (`evtl evaluate corpus`): for family, approach, augmentation and head the strongest pull to the
#: whole corpus that is not worse is to leave the neighbours out of the count altogether.
PRIOR_STUDIES = math.inf
#: Words that name no choice one could follow.
SILENT = frozenset({"unspecified", "unknown", "custom", "none"})
#: What can be counted on an arm.
Choosable = Literal[
    "backbone", "family", "approach", "initialisation", "head", "augmentation", "visualization"
]


@dataclass(frozen=True)
class Neighbour:
    """A study, how alike its task is, and its own arms (benchmarks left out).

    A study counts once, however many reviews extracted it.
    """

    similarity: float
    arms: tuple[ArmRecord, ...]

    @property
    def key(self) -> str:
        """Study key."""
        return self.arms[0].study.key


@dataclass(frozen=True, eq=False)
class _OwnArms:
    """The arms of a table that are no benchmarks, (M,), and where each study's begin, (S + 1,)."""

    rows: NDArray[np.intp]
    tasks: NDArray[np.int32]
    begins: NDArray[np.intp]


@once_for_each
def _own(table: ArmTable) -> _OwnArms:
    rows = np.flatnonzero(~table.role.among({"benchmark"}))
    studies = table.study.codes[rows]
    begins = np.flatnonzero(np.diff(studies, prepend=-1, append=-1))
    return _OwnArms(rows, table.tasks.of_arm[rows], begins)


def by_study(profile: TaskProfile, table: ArmTable, k: int = K) -> tuple[Neighbour, ...]:
    """The `k` most similar studies, nearest first; ties in order of the study key."""
    own = _own(table)
    if not len(own.rows):
        return ()
    values = np.maximum.reduceat(task_similarities(profile, table)[own.tasks], own.begins[:-1])
    nearest = _largest(values, k)
    rows = [own.rows[own.begins[study] : own.begins[study + 1]] for study in nearest]
    records = iter(table.records(np.concatenate(rows)))
    return tuple(
        Neighbour(float(values[study]), tuple(next(records) for _ in own_rows))
        for study, own_rows in zip(nearest, rows, strict=True)
    )


def _largest(values: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Indices of the `k` largest values, largest first; equal ones in order."""
    k = min(k, len(values))
    found = np.flatnonzero(values >= np.partition(values, -k)[-k])
    return found[np.argsort(-values[found], kind="stable")[:k]]


def shares(
    neighbours: Sequence[Neighbour], table: ArmTable, what: Choosable
) -> Mapping[str, float]:
    """How common each word is among neighbours, drawn towards its share in the whole corpus.

    Parameters
    ----------
    neighbours : sequence of Neighbour
        Nearest studies.
    table : ArmTable
        All arms.
    what : str
        What to count on an arm, e.g. its family.

    Returns
    -------
    mapping of str to float
        Similarity-weighted shares, adding up to 1 over all words (empty for an empty corpus).
    """
    if math.isinf(PRIOR_STUDIES):
        return _shares_everywhere(table)[what]
    everywhere = _everywhere(table)[what]
    near = _weights(neighbours, what)
    n_all, n_near = sum(everywhere.values()), sum(near.values())
    pull = 1 / PRIOR_STUDIES
    return {
        word: (pull * near.get(word, 0.0) + count / n_all) / (pull * n_near + 1)
        for word, count in everywhere.items()
    }


@once_for_each
def _shares_everywhere(table: ArmTable) -> Mapping[Choosable, Mapping[str, float]]:
    """Share of each word in the whole corpus: where neighbours count for nothing."""
    return {
        what: {word: count / sum(votes.values()) for word, count in votes.items()}
        for what, votes in _everywhere(table).items()
    }


def _weights(studies: Sequence[Neighbour], what: Choosable) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for study in studies:
        words = [word for arm in study.arms if (word := getattr(arm, what)) not in SILENT]
        for word in words:
            total[word] += study.similarity / len(words)
    return dict(total)


@once_for_each
def _everywhere(table: ArmTable) -> Mapping[Choosable, Mapping[str, float]]:
    """In how many studies each word stands; a study's words share its one vote."""
    return {what: _votes(table, getattr(table, what)) for what in get_args(Choosable)}


def _votes(table: ArmTable, column: Column[str]) -> Mapping[str, float]:
    rows = _own(table).rows
    rows = rows[~column.among(SILENT)[rows]]
    studies, words = table.study.codes[rows], column.codes[rows]
    votes = np.bincount(words, 1 / np.bincount(studies)[studies], minlength=len(column.words))
    return {word: n for word, n in zip(column.words, votes.tolist(), strict=True) if n}
