"""Seconds that may be spent, and what of a training fits into them."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trainer.errors import TrainingError
from trainer.images import Progress

#: By how much of itself a budget may be exceeded before what runs is stopped.
TOLERANCE = 0.1
#: Share of the time left that is planned with; the rest is for epochs that are slower than the
#: steps that were timed.
PLANNED = 0.95
#: Seconds of a training step over those of a forward pass of the same images, until measured.
STEP_RATIO = 4.0


class OutOfBudgetError(TrainingError):
    """Something was stopped because it took longer than predicted."""


class Budget:
    """Seconds by a clock; more of them are never given out than there are.

    Parameters
    ----------
    since : float or None
        When it began, by its clock; None for now.
    """

    def __init__(
        self, seconds: float, clock: Callable[[], float], since: float | None = None
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._started = clock() if since is None else since

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def left(self, share: float = 1.0) -> float:
        """Seconds until a share of the budget is spent, at least 0."""
        return max(0.0, self.seconds * share - self.spent)

    def watch(self, progress: Progress) -> Progress:
        """Report on, but stop what runs beyond the budget and its tolerance."""

        def report(stage: str, done: int, total: int) -> None:
            progress(stage, done, total)
            if self.spent > self.seconds * (1 + TOLERANCE):
                msg = f"stopped: it took longer than the {self.seconds:g} s that were left for it"
                raise OutOfBudgetError(msg)

        return report


class Pace:
    """Times steps; the median without the first step, which warms up, is their pace."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._instants: list[float] = []

    def step(self) -> None:
        """A step is done."""
        self._instants.append(self._clock())

    @property
    def n_steps(self) -> int:
        """Steps done."""
        return len(self._instants)

    @property
    def step_s(self) -> float:
        """Seconds of one step; 0 while fewer than two are done."""
        return float(np.median(np.diff(self._instants))) if self.n_steps > 1 else 0.0


class Work(NamedTuple):
    """Images that a training passes.

    Attributes
    ----------
    n_train, n_validation : int
        In every epoch, forward and backward or forward only.
    n_final : int
        Once more at the end, forward only: what the result is measured on.
    """

    n_train: int
    n_validation: int
    n_final: int


class Deadline(Budget):
    """When a training has to be over, and what still fits before.

    Its clock starts before the images are read: decoding counts. What the pace does not know
    (writing the run folder, plots) has to fit into `reserve_s`.

    Parameters
    ----------
    seconds : float
        Of the whole training; infinite for one without a budget.
    clock : callable
        Seconds.
    reserve_s : float
        Seconds kept for what follows the last epoch beside the final pass over the images.
    since : float or None
        When it began, by its clock; None for now.
    budget_min : float or None
        Minutes of the whole budget where this is a share of it.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float],
        reserve_s: float = 0.0,
        since: float | None = None,
        budget_min: float | None = None,
    ) -> None:
        super().__init__(seconds, clock, since)
        self.reserve_s = reserve_s
        self.budget_min = seconds / 60 if budget_min is None else budget_min

    @classmethod
    def in_minutes(
        cls, minutes: float | None, reserve_s: float = 0.0, since: float | None = None
    ) -> "Deadline":
        """By the clock on the wall (`time.perf_counter`), from now or before; None never ends."""
        seconds = math.inf if minutes is None else 60 * minutes
        return cls(seconds, time.perf_counter, reserve_s, since)

    @property
    def free_s(self) -> float:
        """Seconds that are left and not kept for what follows."""
        return max(0.0, self.left() - self.reserve_s)

    def fits(self, next_s: float) -> bool:
        """Whether something that takes so long ends in time."""
        return next_s <= self.free_s

    def part(self, seconds: float) -> "Deadline":
        """From now so many seconds, at most those that are free."""
        return Deadline(min(seconds, self.free_s), self._clock, budget_min=self.budget_min)

    def epochs(self, wanted: int, work: Work, image_s: float, forward_s: float = 0.0) -> int:
        """Whole epochs that fit, at most those wanted; 0 where not even one does.

        Parameters
        ----------
        wanted : int
            Epochs of the plan.
        image_s : float
            Measured seconds of a training step per image.
        forward_s : float
            Measured seconds of a forward pass per image; 0 takes its usual share of a step.
        """
        forward_s = forward_s or image_s / STEP_RATIO
        epoch_s = work.n_train * image_s + work.n_validation * forward_s
        free_s = self.free_s * PLANNED - work.n_final * forward_s
        return int(min(wanted, max(0.0, free_s / epoch_s)))

    def images(self, work: Work, image_s: float, forward_s: float = 0.0) -> int:
        """Training images of the one epoch for which there is time, validation after it."""
        forward_s = forward_s or image_s / STEP_RATIO
        free_s = self.free_s * PLANNED
        free_s -= (work.n_validation + work.n_final) * forward_s
        return int(min(work.n_train, max(0.0, free_s / image_s)))
