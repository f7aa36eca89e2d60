"""Labels that were permuted cannot be predicted; who predicts them has seen them."""

from collections.abc import Callable

import numpy as np

from evidence.records import Record
from recommender.corpus_population import Floats, Population
from recommender.corpus_predictors import PREDICTORS, Predictor, Z
from recommender.corpus_scores import leave_one_out, scores
from recommender.errors import RecommendationError

#: Makes a predictor for a population. An honest one makes the same for each; one that looks at
#: the studies it is going to be judged on looks at the permuted ones here.
Learner = Callable[[Population], Predictor]
#: What differs by less is a rounding error.
DIGITS = 6


class LeakCheck(Record):
    """One predictor on permuted labels: how much better on its own study than on any other.

    Who has seen the other studies only cannot expect to be better: what the left-out study got is
    the chance of the draw, and if anything rarer among the others. So a bare constant is beaten
    by nobody honest either.

    Attributes
    ----------
    top1_gain, log_loss_gain : float
        Score of the predictions on the left-out studies beyond that of the same predictions on
        a study drawn at random, as a mean over permutations; above 0 is better.
    top1_low, log_loss_low : float
        Lower 95% bounds of these means.
    caught : bool
        One of the bounds is above 0: what was to be predicted was seen.
    """

    population: str
    target: str
    predictor: str
    n_permutations: int
    top1_gain: float
    top1_low: float
    log_loss_gain: float
    log_loss_low: float
    caught: bool


def leak_checks(studies: Population, n_permutations: int, seed: int) -> tuple[LeakCheck, ...]:
    """All predictors, on every target; empty without permutations."""
    if not n_permutations:
        return ()
    return tuple(
        row
        for name, predictor in PREDICTORS.items()
        for row in leak_check(studies, name, _already(predictor), n_permutations, seed)
    )


def _already(predictor: Predictor) -> Learner:
    return lambda _: predictor


def leak_check(
    studies: Population, name: str, learner: Learner, n_permutations: int, seed: int
) -> tuple[LeakCheck, ...]:
    """One predictor, on every target.

    Parameters
    ----------
    name : str
        What to call it.
    learner : callable
        Makes it from a population; called anew for each permutation.
    n_permutations : int
        At least 2.

    Raises
    ------
    RecommendationError
        One permutation has no spread to judge by.
    """
    if n_permutations < 2:
        msg = f"found {n_permutations} permutation of the labels; at least 2 are needed"
        raise RecommendationError(msg)
    rng = np.random.default_rng(seed)
    gains = [
        _gains(studies.permuted(rng.permutation(len(studies.tasks))), learner)
        for _ in range(n_permutations)
    ]
    return tuple(
        _checked(studies.name, target, name, np.array([gain[target] for gain in gains]))
        for target in studies.studies.labels
    )


def _gains(permuted: Population, learner: Learner) -> dict[str, tuple[float, float]]:
    """Gain in top-1 and in log-loss on each target."""
    answer = leave_one_out(permuted, {"": learner(permuted)})[""]
    gains = {}
    for target, labels in permuted.studies.labels.items():
        scored = permuted.studies.scored(target)
        shares = np.broadcast_to(labels[scored].mean(0), labels[scored].shape)
        own = scores(answer[target][scored], labels[scored])
        top1, _, loss = (own - scores(answer[target][scored], shares)).mean(0)
        gains[target] = (float(top1), float(-loss))
    return gains


def _checked(population: str, target: str, name: str, gains: Floats) -> LeakCheck:
    """Row from the (n_permutations, 2) gains."""
    means = gains.mean(0)
    lows = means - Z * gains.std(0, ddof=1) / np.sqrt(len(gains))
    top1_gain, loss_gain = (round(float(mean), DIGITS) + 0.0 for mean in means)
    top1_low, loss_low = (round(float(low), DIGITS) + 0.0 for low in lows)
    return LeakCheck(
        population=population,
        target=target,
        predictor=name,
        n_permutations=len(gains),
        top1_gain=top1_gain,
        top1_low=top1_low,
        log_loss_gain=loss_gain,
        log_loss_low=loss_low,
        caught=max(top1_low, loss_low) > 0,
    )
