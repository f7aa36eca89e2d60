"""What a training takes, as a price in points of AUC."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.records import Backbone
from evidence.vocabulary import Approach
from recommender.cost import Estimate, Learned, held_bytes, kind_of, training_macs
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
        """Points that the time counts, at most 0: by predicted seconds, else by operations."""
        taken = self.n_macs / FREE_MACS
        if self.seconds is not None:
            taken = self.seconds.value / FREE_SECONDS
        return 0.0 - PRICES[goal] * math.log10(1 + taken)

    def exceeds(self, limit_mb: float | None) -> bool:
        """Whether it is predicted not to fit into so much memory.

        What shipped runs took, times the pace of ours, may be the memory of another device.
        """
        found = self.memory_mb
        if limit_mb is None or found is None or found.source == "shipped_at_own_pace":
            return False
        return found.value > limit_mb


@dataclass(frozen=True, eq=False)
class Demands:
    """What the trainings of N candidates take.

    Attributes
    ----------
    known : tuple of Demand
        One for each of those that take unlike.
    of : ndarray of int, shape (N,)
        Which of them is each candidate's.
    limit_mb : float or None
        Memory of the machine, where it is known.
    """

    known: tuple[Demand, ...]
    of: npt.NDArray[np.int64]
    limit_mb: float | None

    def __getitem__(self, n: int) -> Demand:
        return self.known[int(self.of[n])]

    @cached_property
    def n_macs(self) -> Array:
        """Counted operations, shape (N,)."""
        return self._each(one.n_macs for one in self.known)

    @cached_property
    def _prices(self) -> dict[Goal, tuple[Array, Array]]:
        return {}

    def prices(self, goal: Goal) -> tuple[Array, Array]:
        """Points that time and memory count, each of shape (N,)."""
        if goal not in self._prices:
            time = self._each(one.price(goal) for one in self.known)
            self._prices[goal] = time, self._each(memory_prices(self.known, goal))
        return self._prices[goal]

    @cached_property
    def too_large(self) -> npt.NDArray[np.bool_]:
        """Which are predicted not to fit into the memory, shape (N,)."""
        return self._each(one.exceeds(self.limit_mb) for one in self.known) > 0

    def _each(self, values: Iterable[float]) -> Array:
        return np.array([*values], dtype=float)[self.of]


def memory_prices(demands: Sequence[Demand], goal: Goal) -> list[float]:
    """Points that the memory of each counts, at most 0.

    By predictions where there is one for each, else by what is counted of each: the two are never
    mixed, for the counted numbers are far smaller.
    """
    predicted = [one.memory_mb.value for one in demands if one.memory_mb is not None]
    taken = predicted if len(predicted) == len(demands) else [one.held_mb for one in demands]
    return [0.0 - MEMORY_PRICES[goal] * math.log10(1 + mb / FREE_MB) for mb in taken]
