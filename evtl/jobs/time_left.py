"""How much longer a training takes: by its own pace where it has one, else as was predicted."""

from typing import NamedTuple

from evtl.jobs.records import Progress
from recommender.plan import TrainingPlan

#: Seconds for what follows the last image: measuring, and the maps of the report (12-22 s for 800
#: ultrasound images on one core).
AFTER_S = 20.0


class Left(NamedTuple):
    """Seconds that a training still takes; at least these where what follows is not known."""

    seconds: float
    is_least: bool


def time_left(
    told: Progress, plan: TrainingPlan | None, predicted_s: float | None, spent_s: float | None
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
    """
    stage_s = told.left_s if told.done < told.total else 0.0
    if told.stage == "report":
        return None if stage_s is None else Left(stage_s, is_least=False)
    if stage_s is not None and plan is not None and _is_last_long_one(told.stage, plan):
        return Left(stage_s + AFTER_S, is_least=False)
    if predicted_s is not None and spent_s is not None:
        rest_s = predicted_s - spent_s
        if rest_s > (stage_s or 0.0):
            return Left(rest_s + AFTER_S, is_least=False)
    return Left(stage_s, is_least=True) if stage_s else None


def _is_last_long_one(stage: str, plan: TrainingPlan) -> bool:
    """Whether nothing but what every training ends with follows a stage."""
    several = plan.ladder or plan.n_folds or plan.n_repeats > 1 or plan.augmentation == "offline"
    return not several and stage == ("features" if plan.frozen else "training")
