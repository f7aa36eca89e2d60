"""From a frozen backbone to a fully trained one, block by block, while it pays.

The steps are those of Kim 2022 (Conclusion): extract features first; where that is not enough,
unfreeze from the top; everything last. Whether a step pays is asked of a cross-validation within
the images that may be learned from, never of the test part.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.records import Record
from trainer.measures.bootstrap import Weights, interval, resample
from trainer.preparing.splits import resamples
from trainer.processes import crew
from trainer.targets import Labels, Predictions
from trainer.tuning.budget import OutOfBudgetError
from trainer.tuning.classifier import Classifier
from trainer.tuning.climber import Climber, Ground, Tell, forget
from trainer.tuning.climbing_time import ClimbingTime
from trainer.tuning.freezing import blocks
from trainer.tuning.scores import resampled_score

#: Folds of the cross-validation: a step costs as many trainings.
FOLDS = 3
#: Steps above the frozen one; of a network of more blocks several are unfrozen at once.
STEPS = 5
#: Resamples of whole groups for a standard error.
N_RESAMPLES = 300


class Step(Record):
    """A step of the ladder and what cross-validation says of it.

    Attributes
    ----------
    n_open : int
        Blocks of the backbone that learn, from the top; 0 where it is frozen.
    value, low, high : float or None
        Score on images that were not learned from, mean over the folds, with its 95% interval;
        larger is better.
    gain, standard_error : float or None
        Above the last step that paid, on the same images, and how unsure that is; None of the
        first step.
    kept : bool
        It paid: the gain is larger than its standard error.
    seconds : float
        That it took, all folds together.
    """

    name: str
    n_open: int
    value: float | None
    low: float | None
    high: float | None
    gain: float | None = None
    standard_error: float | None = None
    kept: bool
    seconds: float


def rungs(n_blocks: int) -> tuple[int, ...]:
    """Blocks that learn at each step: none at first, all at last."""
    n_steps = min(STEPS, n_blocks)
    return tuple(math.ceil(n_blocks * step / n_steps) for step in range(n_steps + 1))


class Climb(NamedTuple):
    """Steps that were taken, and what the deadline cost, if anything."""

    steps: tuple[Step, ...]
    note: str = ""


class Ascent(NamedTuple):
    """A network on the highest step, and what the reader of the result should know of the way."""

    classifier: Classifier
    notes: tuple[str, ...]


def climb(ground: Ground) -> Climb:
    """Take steps while they pay; after the first that does not, try all blocks, and end.

    All blocks are tried even then because a network that is cut in the middle of layers that
    learned together can be worse than one trained on either side of them (Yosinski et al. 2014,
    section 4.1, arXiv:1411.1792). The last step that paid is the choice.

    Each begins with the weights of the one below, the first with the linear head on the frozen
    features (Kumar et al. 2022, arXiv:2202.10054). A step pays if it gains more than one standard
    error of the difference to the last one that paid, on the same images; else the simpler model
    is as good (the rule of one standard error: Breiman et al. 1984, section 3.4.3).

    Where there is a deadline, a step is not taken, or not ended, that would leave no time to train
    the highest step that paid (`trainer.tuning.climbing_time.ClimbingTime`).

    Raises
    ------
    TrainingError
        A class has too few groups for the folds, or a training cannot go on.
    """
    plan = ground.plan.model_copy(update={"n_folds": FOLDS, "n_repeats": 1})
    climbers = [
        Climber(ground, parts, f"fold {number} of {FOLDS}")
        for number, parts in enumerate(resamples(ground.images, plan), 1)
    ]
    n_blocks = len(blocks(ground.build(), ground.steps.input_px))
    weights = np.concatenate(list(resample(ground.images.units(), plan.seed, N_RESAMPLES)))
    found: list[Step] = []
    below: Scores | None = None
    n_open: int | None = 0
    time_left = ClimbingTime(ground.deadline, FOLDS, n_blocks)
    while n_open is not None:
        name = _name(n_open, n_blocks)
        try:
            predictions = _reached(climbers, len(found), n_open, time_left)
        except OutOfBudgetError:
            return Climb(tuple(found), _cut(ground, len(found), name))
        reached = _scores(ground.labels, climbers, predictions, weights)
        seconds = round(sum(climber.seconds[len(found)] for climber in climbers), 2)
        time_left.took(n_open, seconds)
        found.append(crew.agreed(_step(name, n_open, reached, below, seconds)))
        below = reached if found[-1].kept else below
        n_open = _next(found[-1], n_blocks)
    return Climb(tuple(found))


def _reached(
    climbers: Sequence[Climber], rung: int, n_open: int, time_left: ClimbingTime
) -> list[Predictions]:
    """Predictions of all folds.

    Raises
    ------
    OutOfBudgetError
        The step does not fit.
    """
    watch = time_left.watch(n_open)
    return [climber.reach(rung, n_open, watch=watch(fold)) for fold, climber in enumerate(climbers)]


def _cut(ground: Ground, n_taken: int, name: str) -> str:
    return (
        f"the budget of {ground.deadline.budget_min:g} min left time for {n_taken} steps of the "
        f"ladder: {name} and what may come after were not tried"
    )


def _next(last: Step, n_blocks: int) -> int | None:
    """Blocks that learn at the next step; None where that was the last."""
    above = [n_open for n_open in rungs(n_blocks) if n_open > last.n_open]
    return (above[0] if last.kept else n_blocks) if above else None


def ascend(
    ground: Ground, parts: Sequence[str], found: Sequence[Step], tell: Tell = forget
) -> Ascent:
    """Train up to the highest step that paid, by way of all below it, each in its share of time.

    Parameters
    ----------
    parts : sequence of str, length N
        ``train`` or ``validation``: what the weights learn from, and what chooses the epoch.
    found : sequence of Step
        From `climb`.
    tell : callable
        As of `trainer.tuning.climber.Climber`.

    Raises
    ------
    TrainingError
        A training cannot go on.
    """
    climber, n = Climber(ground, parts, "ladder", tell), top(found) + 1
    for rung in range(n):
        share = ground.deadline.part(ground.deadline.free_s / (n - rung))
        climber.reach(rung, found[rung].n_open, deadline=share)
    return Ascent(climber.classifier(), climber.notes)


def top(found: Sequence[Step]) -> int:
    """Number of the highest step that paid."""
    return max(number for number, step in enumerate(found) if step.kept)


def _name(n_open: int, n_blocks: int) -> str:
    if not n_open:
        return "frozen"
    return "all blocks" if n_open == n_blocks else f"last {n_open} of {n_blocks} blocks"


class Scores(NamedTuple):
    """Mean score over the folds, and that of each resample, shape ``(B,)``."""

    value: float
    resampled: npt.NDArray[np.float64]


def _scores(
    labels: Labels, climbers: Sequence[Climber], found: Sequence[Predictions], weights: Weights
) -> Scores:
    """Of predictions of the test images of each fold: there, and in resamples of whole groups.

    Each fold has a model of its own, whose probabilities do not compare with another's: the mean
    of their scores is taken (LeDell et al. 2015, doi:10.1214/15-EJS1035).
    """
    once, again = [], []
    for climber, predictions in zip(climbers, found, strict=True):
        tested = climber.index("test")
        truth = climber.targets[tested]
        once.append(labels.score(truth, predictions))
        drawn = weights[:, tested]
        again.append([resampled_score(labels, truth, predictions, counts) for counts in drawn])
    return Scores(float(np.mean(once)), np.mean(again, axis=0))


def _step(name: str, n_open: int, reached: Scores, below: Scores | None, seconds: float) -> Step:
    found = interval(reached.value, reached.resampled)
    step = Step(
        name=name, n_open=n_open, value=found.value, low=found.low, high=found.high, kept=True,
        seconds=seconds,
    )  # fmt: skip
    if below is None:
        return step
    gain = reached.value - below.value
    # A resample without one of the classes in some fold has no score, and says nothing.
    error = float(np.nanstd(reached.resampled - below.resampled))
    changes = {"gain": gain, "standard_error": error, "kept": gain > error}
    return step.model_copy(update=changes)
