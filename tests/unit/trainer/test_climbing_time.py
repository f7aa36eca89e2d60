"""A ladder under a deadline takes the steps that fit, and keeps the time for the last training."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trainer.test_budget import Clock
from tests.unit.trainer.test_ladder import PARTS, ground
from trainer.tuning.budget import PLANNED, Deadline, OutOfBudgetError
from trainer.tuning.climbing_time import ClimbingTime
from trainer.tuning.ladder import FOLDS, ascend, climb

SECONDS = st.floats(0.01, 1e4)


@given(SECONDS, st.lists(SECONDS, max_size=5), st.integers(2, 10))
def test_after_any_step_that_is_allowed_the_training_of_the_highest_one_fits(
    budget: float, taken: list[float], n_folds: int
) -> None:
    clock = Clock()
    time_left = ClimbingTime(Deadline(budget, clock), n_folds, 5)
    for number, seconds in enumerate(taken):
        time_left.took(number, seconds)
    allowed = time_left.allowed_s()
    ascent = (sum(taken) + allowed) / (n_folds - 1)
    assert allowed == 0 or allowed + ascent <= budget * PLANNED * (1 + 1e-9)


def test_a_step_is_foretold_from_the_last_one_that_trained() -> None:
    time_left = ClimbingTime(Deadline(1e6, Clock()), 3, 4)
    assert time_left.predicted_s(4) == 0
    time_left.took(0, 7.0)
    assert time_left.predicted_s(1) == 0
    time_left.took(1, 60.0)
    assert time_left.predicted_s(4) == 60 * 12 / 6


def test_a_step_that_would_not_fit_is_not_begun_but_the_frozen_one_is() -> None:
    time_left = ClimbingTime(Deadline(200 / PLANNED, Clock()), 3, 4)
    time_left.took(1, 60.0)
    with pytest.raises(OutOfBudgetError, match="longer than the 113 s that are left"):
        time_left.watch(4)
    time_left.watch(3)
    time_left.watch(0)(0)("step 0", 1, 2)


def test_a_step_that_is_slower_than_foretold_is_stopped_as_soon_as_that_is_known() -> None:
    clock = Clock()
    report = ClimbingTime(Deadline(300 / PLANNED, clock), 3, 4).watch(2)
    report(0)("step 1", 1, 10)
    clock.now += 6
    report(0)("step 1", 2, 10)
    clock.now += 40
    with pytest.raises(OutOfBudgetError, match=r"3 of 30 step 1 were done after 0\.8 min"):
        report(0)("step 1", 3, 10)


@pytest.mark.parametrize(("budget_s", "most"), [(0.0, 0), (70.0, 1), (1e9, 3)])
def test_a_ladder_ends_in_time_and_says_what_it_did_not_try(
    tmp_path: Path, budget_s: float, most: int
) -> None:
    """Every step of a training takes a second: a fold eight, the step of all folds about 24."""
    clock = Clock()

    def second(_stage: str, _done: int, _total: int) -> None:
        clock.now += 1

    place = replace(ground(tmp_path), progress=second, deadline=Deadline(budget_s, clock))
    found, note = climb(place)
    assert len(found) <= most + 1
    assert found[0].seconds == 0
    for step in found[1:]:
        assert step.seconds == pytest.approx(FOLDS * 8, abs=6)
    if budget_s < 1e9:
        assert note.endswith("and what may come after were not tried")
        assert f"left time for {len(found)} steps of the ladder" in note
    else:
        assert note == ""
    every = tuple(step.model_copy(update={"kept": True}) for step in found)
    ascend(place, PARTS, every)
    assert clock.now - 100 <= max(budget_s, 0)
