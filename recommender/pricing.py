"""What a training takes, as a price in points of AUC."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.records import Backbone
from evidence.vocabulary import Approach
from recommender.cost import (
    Estimate,
    Learned,
    Line,
    held_bytes,
    held_shares,
    image_macs,
    kind_of,
    training_macs,
)
from recommender.records import Goal

Array = npt.NDArray[np.float64]

#: Points of AUC that ten times the time must bring. A choice of ours, not a finding: accuracy at
#: any price, what most people would pay, and the cheapest that is not much worse.
PRICES: dict[Goal, float] = {"accuracy": 0.0, "balanced": 1.5, "cost": 5.0}
#: Seconds that nobody minds; what takes far less is hardly better for it. Where no run tells the
#: seconds, multiply-accumulates: about as many as two cores of a processor do in this time.
FREE_SECONDS, FREE_MACS = 60.0, 3e12
#: Points of AUC that ten times the memory must bring. A choice of ours, too: memory that is there
#: costs nothing, so that only who asks for the cheapest pays for it, and less than for time.
MEMORY_PRICES: dict[Goal, float] = {"accuracy": 0.0, "balanced": 0.0, "cost": 1.0}
#: Megabytes (10^6 bytes) that nobody minds.
FREE_MB = 1000.0


class Demand(NamedTuple):
    """What one training takes.

    Attributes
    ----------
    n_macs : int
        Multiply-accumulates, counted.
    held_mb : float
        Pixels and parameters, counted: less than what a training takes.
    seconds, memory_mb : Estimate or None
        Learned from runs; None where none was alike.
    """

    n_macs: int
    held_mb: float
    seconds: Estimate | None
    memory_mb: Estimate | None

    @classmethod
    def of(
        cls, backbone: Backbone, approach: Approach, n_images: int, learned: Learned
    ) -> "Demand":
        """Of a backbone and an approach on a number of images."""
        kind, training = kind_of(approach), (backbone, approach, n_images)
        n_macs, held = training_macs(*training), held_bytes(*training)
        seconds, memory = learned.seconds_by_kind.get(kind), learned.memory_by_kind.get(kind)
        return cls(
            n_macs,
            held / 1e6,
            None if seconds is None else seconds.at(n_macs),
            None if memory is None else memory.at(held),
        )

    def price(self, goal: Goal) -> float:
        """As `time_prices`, of one training."""
        seconds = math.nan if self.seconds is None else self.seconds.value
        return float(time_prices(np.array(float(self.n_macs)), np.array(seconds), goal))


@dataclass(frozen=True, eq=False)
class Trainings:
    """K trainings that take unlike, and what they take on any number of images.

    Attributes
    ----------
    pairs : tuple of (Backbone, Approach)
    """

    pairs: tuple[tuple[Backbone, Approach], ...]

    @cached_property
    def _image_macs(self) -> Array:
        return np.array([image_macs(*pair) for pair in self.pairs], float)

    @cached_property
    def _held(self) -> tuple[Array, Array]:
        of_image, of_all = zip(*(held_shares(*pair) for pair in self.pairs), strict=True)
        return np.array(of_image, float), np.array(of_all, float)

    @cached_property
    def _kinds(self) -> tuple[tuple[str, npt.NDArray[np.bool_]], ...]:
        """Each kind of training, and which are of it, shape (K,)."""
        found = np.array([kind_of(approach) for _, approach in self.pairs])
        return tuple((kind, found == kind) for kind in dict.fromkeys(found.tolist()))

    def n_macs(self, n_images: int) -> Array:
        """As `recommender.cost.training_macs`, shape (K,)."""
        return np.rint(n_images * self._image_macs)

    def held_bytes(self, n_images: int) -> Array:
        """As `recommender.cost.held_bytes`, shape (K,)."""
        of_image, of_all = self._held
        return n_images * of_image + of_all

    def predicted(self, lines: Mapping[str, Line], sizes: Array) -> Array:
        """What lines, by kind of training, predict for sizes ``(K,)``; NaN where there is none."""
        found = np.full(len(self.pairs), np.nan)
        for kind, of_kind in self._kinds:
            if (line := lines.get(kind)) is not None:
                found[of_kind] = line.start + line.slope * sizes[of_kind]
        return found

    def of_others(self, lines: Mapping[str, Line]) -> npt.NDArray[np.bool_]:
        """Which are predicted by what others took, times the pace of ours, shape (K,).

        It may be the memory of another device.
        """
        found = np.zeros(len(self.pairs), np.bool_)
        for kind, of_kind in self._kinds:
            line = lines.get(kind)
            found |= of_kind & (line is not None and line.source == "shipped_at_own_pace")
        return found


@dataclass(frozen=True, eq=False)
class Demands:
    """What the trainings of N candidates take.

    Attributes
    ----------
    trainings : Trainings
    of : ndarray of int, shape (N,)
        Which of them is each candidate's.
    n_images : int
    learned : Learned
        What runs took.
    limit_mb : float or None
        Memory of the machine, where it is known.
    """

    trainings: Trainings
    of: npt.NDArray[np.int64]
    n_images: int
    learned: Learned
    limit_mb: float | None

    def __getitem__(self, n: int) -> Demand:
        return Demand.of(*self.trainings.pairs[int(self.of[n])], self.n_images, self.learned)

    @cached_property
    def n_macs(self) -> Array:
        """Counted operations, shape (N,)."""
        return self._n_macs[self.of]

    @cached_property
    def _n_macs(self) -> Array:
        return self.trainings.n_macs(self.n_images)

    @cached_property
    def _held(self) -> Array:
        return self.trainings.held_bytes(self.n_images)

    @cached_property
    def _seconds(self) -> Array:
        return self.trainings.predicted(self.learned.seconds_by_kind, self._n_macs)

    @cached_property
    def _memory_mb(self) -> Array:
        return self.trainings.predicted(self.learned.memory_by_kind, self._held)

    @cached_property
    def _prices(self) -> dict[Goal, tuple[Array, Array]]:
        return {}

    def prices(self, goal: Goal) -> tuple[Array, Array]:
        """Points that time and memory count, each of shape (N,)."""
        if goal not in self._prices:
            time = time_prices(self._n_macs, self._seconds, goal)
            memory = _memory_prices(self._memory_mb, self._held / 1e6, goal)
            self._prices[goal] = time[self.of], memory[self.of]
        return self._prices[goal]

    @cached_property
    def too_large(self) -> npt.NDArray[np.bool_]:
        """Which are predicted not to fit into the memory, shape (N,)."""
        if self.limit_mb is None:
            return np.zeros(len(self.of), np.bool_)
        of_others = self.trainings.of_others(self.learned.memory_by_kind)
        # Where nothing is predicted, nothing exceeds.
        found: npt.NDArray[np.bool_] = (self._memory_mb > self.limit_mb) & ~of_others
        return found[self.of]


def time_prices(n_macs: Array, seconds: Array, goal: Goal) -> Array:
    """Points that time counts, at most 0, of trainings of any shape.

    Parameters
    ----------
    n_macs, seconds : ndarray
        Counted operations, which count where no seconds are predicted: NaN.
    """
    taken = np.where(np.isnan(seconds), n_macs / FREE_MACS, seconds / FREE_SECONDS)
    return np.asarray(0.0 - PRICES[goal] * np.log10(1 + taken), np.float64)


def memory_prices(demands: Sequence[Demand], goal: Goal) -> list[float]:
    """Points that the memory of each counts, at most 0.

    By predictions where there is one for each, else by what is counted of each: the two are never
    mixed, for the counted numbers are far smaller.
    """
    found = [math.nan if one.memory_mb is None else one.memory_mb.value for one in demands]
    held = np.array([one.held_mb for one in demands], float)
    return list(_memory_prices(np.array(found, float), held, goal).tolist())


def _memory_prices(predicted_mb: Array, held_mb: Array, goal: Goal) -> Array:
    taken = held_mb if np.isnan(predicted_mb).any() else predicted_mb
    return np.asarray(0.0 - MEMORY_PRICES[goal] * np.log10(1 + taken / FREE_MB), np.float64)
