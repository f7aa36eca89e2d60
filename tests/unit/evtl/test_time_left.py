"""How much longer a training takes, from what is known of it."""

from typing import Any

import pytest

from evtl.jobs.records import Progress
from evtl.jobs.time_left import AFTER_S, Left, time_left
from recommender.plan import TrainingPlan
from tests.unit.trainer.toys import plan_of

FROZEN: dict[str, Any] = {"approach": "feature_extractor"}
TUNED: dict[str, Any] = {"approach": "fine_tuning", "n_blocks": 2}


def told(stage: str, done: int = 30, total: int = 90) -> Progress:
    """Of a stage in which 20 took 40 seconds."""
    return Progress(stage=stage, done=done, total=total, first=10, began=0, at=40)


def about(seconds: float) -> Left:
    return Left(seconds, is_least=False)


def at_least(seconds: float) -> Left:
    return Left(seconds, is_least=True)


def left(
    where: Progress, plan: TrainingPlan | None, predicted: float | None, spent: float | None
) -> Left | None:
    """At the moment at which it was told of."""
    return time_left(where, plan, predicted, spent, where.at)


@pytest.mark.parametrize(("stage", "fields"), [("features", FROZEN), ("training", TUNED)])
def test_the_long_stage_tells_by_its_pace_whatever_was_predicted(
    stage: str, fields: dict[str, Any]
) -> None:
    plan = plan_of(**fields)
    assert left(told(stage), plan, None, 50) == about(120 + AFTER_S)
    assert left(told(stage), plan, 9000, 50) == about(120 + AFTER_S)
    assert left(told(stage, done=90), plan, 9000, 50) == about(AFTER_S)


@pytest.mark.parametrize("stage", ["images", "look for copies"])
def test_before_it_what_was_predicted_counts(stage: str) -> None:
    plan = plan_of(**FROZEN)
    assert left(told(stage), plan, 600, 50) == about(550 + AFTER_S)
    assert left(told(stage), None, 600, 50) == about(550 + AFTER_S)
    assert left(told("start", done=0, total=1), None, 600, 0) == about(600 + AFTER_S)


@pytest.mark.parametrize("predicted", [None, 60, 150])
def test_without_or_beyond_a_prediction_it_is_at_least_the_stage(predicted: float | None) -> None:
    assert left(told("images"), None, predicted, 50) == at_least(120)


@pytest.mark.parametrize(
    "fields",
    [
        TUNED | {"n_folds": 5},
        TUNED | {"n_repeats": 3},
        FROZEN | {"ladder": True, "augmentation": "online"},
        FROZEN | {"augmentation": "offline"},
    ],
)
def test_where_more_follows_it_is_at_least_the_stage(fields: dict[str, Any]) -> None:
    plan = plan_of(**fields)
    stage = "features" if plan.frozen else "training"
    assert left(told(stage), plan, None, 50) == at_least(120)
    assert left(told(stage), plan, 900, 50) == about(850 + AFTER_S)


def test_of_the_report_the_rest_is_told() -> None:
    assert left(told("report"), plan_of(**FROZEN), 900, 50) == at_least(120)
    assert left(told("report", 0, 1), plan_of(**FROZEN), None, 50) is None


@pytest.mark.parametrize("plan", [None, plan_of(**FROZEN)])
def test_nothing_is_said_where_nothing_is_known(plan: TrainingPlan | None) -> None:
    assert left(told("start", done=0, total=1), plan, None, None) is None
    assert left(told("features", done=10), plan, None, 50) is None


def test_it_is_counted_down_between_two_words_and_never_to_nothing() -> None:
    plan = plan_of(**FROZEN)
    assert time_left(told("features"), plan, None, 80, 70) == about(90 + AFTER_S)
    assert time_left(told("images"), None, None, 80, 70) == at_least(90)
    for late in (40 + AFTER_S + 0.5, 900):
        assert time_left(told("features", done=90), plan, None, late, late) is None
    assert time_left(told("report"), plan, None, 900, 161) is None


def test_two_steps_tell_no_pace() -> None:
    assert left(told("features", done=12), plan_of(**FROZEN), 600, 50) == about(550 + AFTER_S)
    assert left(told("features", done=12), plan_of(**FROZEN), None, 50) is None


def test_no_more_is_left_than_the_budget_has() -> None:
    plan = plan_of(**TUNED, budget_min=2.0)
    assert left(told("training"), plan, None, 50) == about(70 + AFTER_S)
    assert left(told("training"), plan, None, 500) == about(AFTER_S)
