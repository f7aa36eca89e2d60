"""A training with a deadline is shortened to what fits, and says so."""

import math
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.tuning import (
    CPU,
    STEPS,
    bright_or_dark,
    deep_toy,
    forget,
    tune,
    tuning_plan,
)
from trainer.finetune import Outcome, fine_tune
from trainer.tuning.budget import Deadline
from trainer.tuning.checkpoint import Checkpoint

STEP_S = 10.0


class Clock:
    """Moves by ten seconds a step, which progress tells it of."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    def step(self, _stage: str, _done: int, _total: int) -> None:
        """A step is done."""
        self.now += STEP_S


def tuned(
    seconds: float, epochs: int = 20, **how: Any
) -> tuple[Outcome, Clock, list[dict[str, Any]]]:
    """Forty images in steps of eight, and ten to validate: an epoch takes about 53 seconds."""
    clock, lines = Clock(), list[dict[str, Any]]()
    outcome = fine_tune(
        deep_toy(), bright_or_dark(40), bright_or_dark(10, 1), tuning_plan(epochs=epochs), STEPS,
        CPU, lines.append, clock.step, deadline=Deadline(seconds, clock), **how,
    )  # fmt: skip
    return outcome, clock, lines


@pytest.mark.parametrize("seconds", [120.0, 400.0, 800.0])
def test_as_many_epochs_are_trained_as_fit_and_the_rate_falls_to_zero(seconds: float) -> None:
    outcome, clock, lines = tuned(seconds)
    assert 0.5 * seconds <= clock.now <= seconds
    assert 1 <= len(lines) < 20
    assert lines[-1]["learning_rate"] == pytest.approx(0.0, abs=1e-12)
    minutes = f"{seconds / 60:g}"
    assert outcome.notes == (
        f"the budget of {minutes} min left time for {len(lines)} of 20 epochs",
    )


def test_a_part_of_an_epoch_is_trained_where_a_whole_one_does_not_fit() -> None:
    outcome, clock, lines = tuned(36.0)
    assert len(lines) == 1
    assert clock.now == 4 * STEP_S
    assert outcome.notes == ("the budget of 0.6 min left time for a part of one of 20 epochs",)


def test_a_deadline_far_away_changes_nothing() -> None:
    outcome, _, lines = tuned(math.inf, epochs=3)
    assert outcome.notes == ()
    assert [line["epoch"] for line in lines] == [1, 2, 3]


def test_what_follows_the_training_is_accounted_for() -> None:
    with_rest, _, _ = tuned(400.0, n_final=200)
    without, _, _ = tuned(400.0)
    assert with_rest.notes != without.notes


def test_an_epoch_that_would_end_too_late_is_not_begun() -> None:
    """A machine that becomes slower after the first steps is noticed after each epoch."""
    clock, lines = Clock(), list[dict[str, Any]]()

    def slower(line: dict[str, Any]) -> None:
        lines.append(line)
        clock.now += 1000

    fine_tune(
        deep_toy(), bright_or_dark(40), bright_or_dark(10, 1), tuning_plan(epochs=9), STEPS, CPU,
        slower, clock.step, deadline=Deadline(900.0, clock),
    )  # fmt: skip
    assert len(lines) == 1


def test_a_shortened_training_that_is_resumed_is_as_short(tmp_path: Path) -> None:
    def kept() -> Checkpoint:
        return Checkpoint(tmp_path / "c.safetensors", every_s=0, share=math.inf)

    whole, _, lines = tuned(400.0, checkpoint=kept())
    again = tune(
        deep_toy(), tuning_plan(epochs=20), train=bright_or_dark(40), checkpoint=kept(),
        on_epoch=forget,
    )  # fmt: skip
    assert again.best_epoch == whole.best_epoch
    assert len(kept().lines()) == len(lines)
