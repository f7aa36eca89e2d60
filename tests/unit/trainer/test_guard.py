"""What cannot be shortened is stopped as soon as it is known that it will not end in time."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.trainer.test_budget import Clock
from tests.unit.trainer.tuning import quiet
from trainer.reporting.run_report import InTurn
from trainer.tuning.budget import Deadline, OutOfBudgetError
from trainer.tuning.guard import Guard


def carried_out(seconds: float, n: int, each_s: float, before_s: float = 0.0) -> float:
    """Seconds that a stage took, whether it was stopped or not; the first of it takes a minute."""
    clock = Clock()
    guard = Guard(Deadline(seconds, clock), quiet)
    clock.now += before_s + 60
    try:
        for done in range(1, n + 1):
            guard("features", done, n)
            clock.now += each_s
    except OutOfBudgetError:
        return -(clock.now - 100)
    return clock.now - 100


@given(st.floats(200, 1e5), st.integers(2, 300), st.floats(0.01, 1e3), st.floats(0, 1e3))
@example(seconds=200.0, n=2, each_s=1.0, before_s=150.0)
def test_a_stage_ends_in_time_or_is_stopped_early(
    seconds: float, n: int, each_s: float, before_s: float
) -> None:
    took, needed = carried_out(seconds, n, each_s, before_s), before_s + 60 + (n - 1) * each_s
    if took > 0:
        # the last image may begin before it is known to be too late
        assert needed <= seconds * 1.05 + each_s + 1e-6
    else:
        assert needed > seconds * 1.05 - 1e-6
        # it is known after a twentieth of the budget, or after the second image
        assert -took <= before_s + 60 + 0.05 * seconds + 2 * each_s


def test_the_message_says_what_is_needed_and_what_was_given() -> None:
    clock = Clock()
    guard = Guard(Deadline(120, clock), quiet)
    guard("features", 32, 5000)
    clock.now += 12
    with pytest.raises(OutOfBudgetError, match=r"budget of 2 min .* 64 of 5000 features") as caught:
        guard("features", 64, 5000)
    assert "until minute 31.1" in str(caught.value)


def test_stages_have_paces_of_their_own_and_a_slow_start_is_none() -> None:
    clock, told = Clock(), list[str]()
    guard = Guard(Deadline(100, clock), lambda stage, _done, _total: told.append(stage))
    for stage, each_s in (("images", 10.0), ("features", 0.1)):
        clock.now += 20
        for done in range(1, 4):
            guard(stage, done, 3)
            clock.now += each_s
    assert guard.since_s == pytest.approx(0.1)
    assert told == ["images"] * 3 + ["features"] * 3


def test_without_a_budget_nothing_is_stopped() -> None:
    assert carried_out(math.inf, 1000, 1e9) > 0


def test_maps_are_made_while_the_longest_so_far_fits() -> None:
    clock = Clock()

    def things(*seconds: float) -> Iterator[float]:
        for each in seconds:
            clock.now += each
            yield each

    in_turn = InTurn(Deadline(100, clock))
    assert in_turn.made(things(10, 30, 20)) == (10, 30, 20)
    assert in_turn.all_made
    assert in_turn.made(things(5, 5, 5)) == (5, 5)
    assert not in_turn.all_made
    assert in_turn.made(things(1), size=2) == ()
