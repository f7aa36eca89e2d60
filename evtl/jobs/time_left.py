"""How much longer a training takes: by its own pace where it has one, else as was predicted."""

import math
from typing import NamedTuple

from evtl.jobs.records import Progress
from recommender.plan import TrainingPlan

#: Seconds for what follows the last image: measuring, and the maps of the report (9 s for 780
#: ultrasound images, a frozen Lite0, on two cores).
AFTER_S = 10.0


class Left(NamedTuple):
    """Seconds that a training still takes; at least these where what follows is not known."""

    seconds: float
    is_least: bool


def time_left(
    told: Progress,
    plan: TrainingPlan | None,
    predicted_s: float | None,
    spent_s: float | None,
    now: float,
) -> Left | None:
    """Of the whole training, not of its stage; None where nothing can be said yet.

    Parameters
    ----------
    told : Progress
        Of the stage that it is in.
    plan : TrainingPlan or None
        What is carried out; None before that is known.
    predicted_s, spent_s : float or None
        Seconds of the whole, as predicted before it began; seconds since then.
    now : float
        Seconds since 1970.
    """
    stage_s = _of_stage(told, now)
    if stage_s is not None and plan is not None and _is_last_long_one(told.stage, plan):
        budget_s = 60 * (plan.budget_min or math.inf) - (spent_s or 0.0)
        return _left(min(stage_s, max(budget_s, 0.0)) + AFTER_S, is_least=False)
    if predicted_s is not None and spent_s is not None and told.stage != "report":
        rest_s = predicted_s - spent_s
        if rest_s > (stage_s or 0.0):
            return _left(rest_s + AFTER_S, is_least=False)
    # What is drawn last takes longest, too.
    return _left(stage_s or 0.0, is_least=True)


def _left(seconds: float, *, is_least: bool) -> Left | None:
    """Nothing rather than that it is over, while it is not."""
    return Left(seconds, is_least) if seconds >= 1 else None


def _of_stage(told: Progress, now: float) -> float | None:
    """Seconds of a stage, less those since it was told of, which are negative once it is late."""
    seconds = told.left_s if told.done < told.total else 0.0
    return None if seconds is None else seconds - max(now - told.at, 0.0)


def _is_last_long_one(stage: str, plan: TrainingPlan) -> bool:
    """Whether nothing but what every training ends with follows a stage."""
    return plan.is_single and stage == ("features" if plan.frozen else "training")
