"""What fits into a budget is what ends in time at the measured pace."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.tuning.budget import PLANNED, Budget, Deadline, OutOfBudgetError, Pace, Work

counts, seconds = st.integers(1, 10_000), st.floats(1e-4, 10)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def cost(work: Work, epochs: int, image_s: float, forward_s: float) -> float:
    each = work.n_train * image_s + work.n_validation * forward_s
    return epochs * each + work.n_final * forward_s


@given(st.floats(0, 1e5), st.integers(1, 100), st.tuples(counts, counts, counts), seconds, seconds)
def test_epochs_that_fit_end_in_time_and_one_more_would_not(
    budget: float, wanted: int, images: tuple[int, int, int], image_s: float, forward_s: float
) -> None:
    deadline, work = Deadline(budget, Clock()), Work(*images)
    found = deadline.epochs(wanted, work, image_s, forward_s)
    free = budget * PLANNED
    assert 0 <= found <= wanted
    assert found == 0 or cost(work, found, image_s, forward_s) <= free * (1 + 1e-9)
    assert found == wanted or cost(work, found + 1, image_s, forward_s) > free * (1 - 1e-9)


def test_what_was_spent_before_is_gone() -> None:
    clock = Clock()
    deadline = Deadline(100, clock, reserve_s=10)
    assert deadline.epochs(50, Work(10, 0, 0), 1.0) == 8
    clock.now += 50
    assert deadline.epochs(50, Work(10, 0, 0), 1.0) == 3
    assert deadline.fits(40)
    assert not deadline.fits(41)


def test_without_a_budget_everything_fits() -> None:
    deadline = Deadline.in_minutes(None)
    assert deadline.epochs(7, Work(10, 5, 5), 1e9) == 7
    assert deadline.images(Work(10, 5, 5), 1e9) == 10
    assert deadline.fits(1e18)
    assert math.isinf(deadline.left())


def test_minutes_are_sixty_seconds() -> None:
    assert Deadline.in_minutes(1.5).seconds == 90


def test_part_of_an_epoch_fits_where_a_whole_one_does_not() -> None:
    deadline, work = Deadline(100 / PLANNED, Clock()), Work(100, 20, 20)
    assert deadline.epochs(5, work, 2.0, 0.5) == 0
    assert deadline.images(work, 2.0, 0.5) == 40
    assert Deadline(1, Clock()).images(work, 2.0, 0.5) == 0


def test_the_pace_is_the_median_without_the_first_step() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.step_s == 0
    for took in (30.0, 2.0, 1.0, 9.0):
        clock.now += took
        pace.step()
    assert pace.n_steps == 4
    assert pace.step_s == 2


def test_what_runs_on_beyond_the_tolerance_is_stopped() -> None:
    clock = Clock()
    report = Budget(10, clock).watch(lambda *_: None)
    clock.now += 10.9
    report("training", 1, 2)
    clock.now += 0.2
    with pytest.raises(OutOfBudgetError, match="longer than the 10 s"):
        report("training", 2, 2)
