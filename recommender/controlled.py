"""What controlled comparisons say of configurations, pooled with shrinkage.

Every value becomes its rank among the configurations of its block (one table, data set and
metric), so that easy and hard data sets and different metrics speak on one scale and no outlier
outweighs the rest. A Gaussian process pools the scores: a configuration's score is a sum of
effects of its backbone, family, approach, head and initialisation, each partly the same for all
tasks and partly its own for tasks that are alike. With the second part at zero this is the mean
rank over the data sets, drawn towards the average; a backbone that was never measured is drawn to
its family.

References
----------
Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, chapters 2 and 5 (leaving
out: equation 5.12, here for whole data sets at once).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.configuration import SIDES, Configuration, Observation, Task, likeness

Array = npt.NDArray[np.float64]

#: What two configurations may share, and the share of the variance that it explains beforehand.
#: A choice of ours: the tables that there are vary one thing at a time, so nothing fits it. The
#: network counts as much as what is done with it, and what is special to their meeting half.
#: To train random weights is an approach of its own: how bad it is says nothing of how good it is
#: to tune pretrained ones.
EFFECTS: dict[str, tuple[float, Callable[[Configuration], object]]] = {
    "family": (0.2, lambda c: c.family),
    "backbone": (0.2, lambda c: (c.family, c.backbone)),
    "approach": (0.2, lambda c: c.method),
    "head": (0.1, lambda c: (c.method, c.head)),
    "initialisation": (0.1, lambda c: (c.initialisation, c.pretraining)),
    "family and approach": (0.1, lambda c: (c.family, c.method)),
    "configuration": (0.1, lambda c: c),
}
#: Variance of a block's own level; large, because only differences within a block count.
LEVEL = 100.0
#: Of two data sets as alike as can be, the part of their own effects that they share.
NOT_THE_SAME = 0.8
#: Most observations of which settings are fitted, and that are pooled: time grows with their cube.
FITTED, POOLED = 600, 3000
#: Decimals of a score that mean something.
DIGITS = 9
#: Share of each effect that belongs to a table: how long was trained, how augmented, what split.
PROTOCOL = 0.3


class Settings(NamedTuple):
    """How far tasks go their own ways; fitted by leaving data sets out.

    Attributes
    ----------
    own : float
        Share of each effect that differs between tasks, in [0, 1); 0 is one ranking for all.
    sides : tuple of float
        Weight of each of `SIDES` in how alike two tasks are; they add up to 1.
    noise : float
        Variance of a score that no effect explains.
    """

    own: float = 0.0
    sides: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    noise: float = 1.0


def scores_of(values: Sequence[float]) -> Array:
    """Rank of each value, centred and scaled to variance 1; ties share the mean rank.

    Returns
    -------
    ndarray, shape (N,)
        The best is highest; zeros where all are equal.
    """
    array = np.asarray(values, dtype=float)
    below, above = (
        (array[None, :] < array[:, None]).sum(1),
        (array[None, :] > array[:, None]).sum(1),
    )
    ranks = (below - above) / 2
    spread = max(float(ranks.std()), 1e-12)
    return np.array(ranks / spread, dtype=np.float64)


def usable(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """Those with another configuration to be compared with in their block, in a fixed order."""
    blocks: dict[object, set[Configuration]] = defaultdict(set)
    for one in observations:
        blocks[one.block].add(one.configuration)
    compared = [one for one in observations if len(blocks[one.block]) > 1]
    return tuple(sorted(compared, key=lambda one: (one.block, one.configuration, one.value)))


class Place(NamedTuple):
    """Where a score stands: a configuration on a task in a table."""

    configuration: Configuration
    task: Task
    table: str


@dataclass(frozen=True)
class Controlled:
    """The pooled model; `observations` come from `usable`."""

    observations: tuple[Observation, ...]
    settings: Settings

    @cached_property
    def scores(self) -> Array:
        """Score of each observation within its block, shape (N,)."""
        found = np.zeros(len(self.observations))
        for rows in groups([one.block for one in self.observations]):
            found[rows] = scores_of([self.observations[i].value for i in rows])
        return found

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        return tuple(Place(one.configuration, one.task, one.table) for one in self.observations)

    @cached_property
    def _inverse(self) -> Array:
        covariance = self._between(self._places, self._places)
        blocks = codes_of([one.block for one in self.observations])
        covariance += LEVEL * np.equal.outer(blocks, blocks)
        covariance[np.diag_indices_from(covariance)] += self.settings.noise
        return np.asarray(np.linalg.inv(covariance), dtype=np.float64)

    @cached_property
    def _weights(self) -> Array:
        return self._inverse @ self.scores

    def _between(self, first: Sequence[Place], second: Sequence[Place]) -> Array:
        """Prior covariance of the scores at two rows of places, shape (N, M)."""
        found = shared_effects([p.configuration for p in first], [p.configuration for p in second])
        own = self.settings.own
        if own:
            tasks = [p.task for p in first], [p.task for p in second]
            found *= 1 - own + own * alike(*tasks, self.settings.sides)
        tables = codes_of([p.table for p in (*first, *second)])
        same = np.equal.outer(tables[: len(first)], tables[len(first) :])
        return found * np.where(same, 1.0, 1 - PROTOCOL)

    def predict(
        self, task: Task, configurations: Sequence[Configuration], table: str = ""
    ) -> tuple[Array, Array]:
        """Expected scores on a task as a table would have them.

        Returns
        -------
        tuple of ndarray
            Means, shape (M,), and covariance, shape (M, M).
        """
        # Where tasks have nothing to themselves, all are one.
        return _predicted(self, task if self.settings.own else Task(""), (*configurations,), table)

    def expect(self, asked: Sequence[Place]) -> tuple[Array, Array]:
        """Expected scores at places; means, shape (M,), and covariance, shape (M, M)."""
        prior = self._between(asked, asked)
        if not self.observations:
            return np.zeros(len(asked)), prior
        cross = self._between(asked, self._places)
        # Rounded, so that equal evidence gives equal scores and not an order by accident.
        mean = np.round(cross @ self._weights, DIGITS)
        return mean, prior - cross @ self._inverse @ cross.T

    def contributions(
        self, task: Task, configuration: Configuration, table: str = ""
    ) -> dict[tuple[str, str], float]:
        """Table and data set -> its part of a configuration's expected score; they add up to it."""
        task = task if self.settings.own else Task("")
        return dict(_contributed(self, Place(configuration, task, table)))

    def contribute(self, asked: Place) -> dict[tuple[str, str], float]:
        """As `contributions`, at a place."""
        found: dict[tuple[str, str], float] = defaultdict(float)
        if not self.observations:
            return found
        cross = self._between([asked], self._places)[0]
        for one, part in zip(self.observations, cross * self._weights, strict=True):
            found[one.table, one.task.name] += float(part)
        return found

    def left_out(self) -> Array:
        """What other data sets predict for each observation, shape (N,).

        All observations on data sets of one origin are left out together, whatever their table.
        """
        found = np.zeros(len(self.observations))
        for rows in groups([one.task.source for one in self.observations]):
            block = self._inverse[np.ix_(rows, rows)]
            found[rows] = self.scores[rows] - np.linalg.solve(block, self._weights[rows])
        return found


@lru_cache(maxsize=4)
def pooled(observations: tuple[Observation, ...], settings: Settings) -> Controlled:
    """The model, inverted once however many questions are asked."""
    return Controlled(observations, settings)


@lru_cache(maxsize=16)
def _predicted(
    model: Controlled, task: Task, configurations: tuple[Configuration, ...], table: str
) -> tuple[Array, Array]:
    """What a model expects of candidates; the same ones are asked about over and over."""
    found = model.expect([Place(one, task, table) for one in configurations])
    for values in found:
        values.flags.writeable = False
    return found


@lru_cache(maxsize=64)
def _contributed(model: Controlled, asked: Place) -> dict[tuple[str, str], float]:
    return model.contribute(asked)


def groups(words: Sequence[object]) -> tuple[npt.NDArray[np.int64], ...]:
    """Positions of each distinct word, in order of first appearance."""
    found: dict[object, list[int]] = defaultdict(list)
    for position, word in enumerate(words):
        found[word].append(position)
    return tuple(np.array(rows) for rows in found.values())


def codes_of(words: Sequence[object]) -> npt.NDArray[np.int64]:
    """A number for each distinct word."""
    codes: dict[object, int] = {}
    return np.array([codes.setdefault(word, len(codes)) for word in words])


def shared_effects(first: Sequence[Configuration], second: Sequence[Configuration]) -> Array:
    """Share of `EFFECTS` that configurations have in common, shape (N, M), 1 for the same."""
    found = np.zeros((len(first), len(second)))
    for share, effect in EFFECTS.values():
        codes = codes_of([effect(c) for c in (*first, *second)])
        same = np.equal.outer(codes[: len(first)], codes[len(first) :])
        np.add(found, share, out=found, where=same)
    return found


def alike(first: Sequence[Task], second: Sequence[Task], sides: Sequence[float]) -> Array:
    """How far tasks share what is their own, shape (N, M); 1 for the same data set."""
    rows, columns = list(dict.fromkeys(first)), list(dict.fromkeys(second))
    table = np.array([[_alike(a, b, sides) for b in columns] for a in rows])
    row_of = {task: i for i, task in enumerate(rows)}
    column_of = {task: i for i, task in enumerate(columns)}
    return table[np.ix_([row_of[t] for t in first], [column_of[t] for t in second])]


def _alike(first: Task, second: Task, sides: Sequence[float]) -> float:
    if first.name and first.name == second.name:
        return 1.0
    return NOT_THE_SAME * float(np.dot(sides, likeness(first, second)))


#: Settings that fitting chooses from: one ranking for all, or tasks that differ by one side or all.
SIDE_WEIGHTS = (
    tuple(1 / len(SIDES) for _ in SIDES),
    *(tuple(float(i == j) for j in range(len(SIDES))) for i in range(len(SIDES))),
)
GRID = tuple(
    Settings(own, sides, noise)
    for noise in (0.3, 1.0)
    for own, choices in ((0.0, SIDE_WEIGHTS[:1]), (0.3, SIDE_WEIGHTS), (0.7, SIDE_WEIGHTS))
    for sides in choices
)


def fit(observations: Sequence[Observation]) -> Settings:
    """Settings whose predictions for left-out data sets err least.

    One ranking for all is given up only for settings that are better by more than two standard
    errors over the data sets (after Breiman et al. 1984, Classification and Regression Trees,
    3.4.3, who take one; nineteen settings are tried here, so that one is easily found by luck).
    """
    known = thinned(usable(observations), FITTED)
    if not known:
        return GRID[0]
    errors = {settings: _errors(Controlled(known, settings)) for settings in GRID}
    plain = min((s for s in GRID if not s.own), key=lambda s: errors[s].mean())
    best = min(GRID, key=lambda s: errors[s].mean())
    gain = errors[plain] - errors[best]
    if len(gain) < 3 or gain.mean() <= 2 * gain.std(ddof=1) / np.sqrt(len(gain)):
        return plain
    return best


def thinned(observations: tuple[Observation, ...], most: int) -> tuple[Observation, ...]:
    """All observations of every so manieth configuration, so that there are about `most`."""
    every = math.ceil(len(observations) / most)
    kept = set(sorted({one.configuration for one in observations})[::every]) if every else set()
    return usable([one for one in observations if one.configuration in kept])


def nearest(observations: Sequence[Observation], task: Task) -> tuple[Observation, ...]:
    """At most `POOLED` observations, whole data sets, those most like a task first."""
    if len(observations) <= POOLED:
        return tuple(observations)
    tasks = list(dict.fromkeys(one.task for one in observations))
    order = np.argsort(-alike([task], tasks, SIDE_WEIGHTS[0])[0], kind="stable")
    kept: list[Observation] = []
    for n in order:
        rows = [one for one in observations if one.task == tasks[n]]
        if kept and len(kept) + len(rows) > POOLED:
            break
        kept += rows
    return usable(kept)


def _errors(model: Controlled) -> Array:
    """Mean squared error of the data sets of each left-out origin, shape (D,)."""
    squares = (model.scores - model.left_out()) ** 2
    origins = groups([one.task.source for one in model.observations])
    return np.array([squares[rows].mean() for rows in origins])
