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


class LeakCheck(Record):
    """One predictor on permuted labels, against the best constant there can be.

    That constant knows the shares of all studies, the left-out one included: no predictor that
    sees the other studies only can expect to beat it.

    Attributes
    ----------
    top1_gain, log_loss_gain : float
        How much better than that constant, as a mean over permutations; below 0 if worse.
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
        top1, _, loss = scores(answer[target][scored], labels[scored]).mean(0)
        shares = labels[scored].mean(0)
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum()
        gains[target] = (float(top1 - shares.max()), float(entropy - loss))
    return gains


def _checked(population: str, target: str, name: str, gains: Floats) -> LeakCheck:
    """Row from the (n_permutations, 2) gains."""
    means = gains.mean(0)
    lows = means - Z * gains.std(0, ddof=1) / np.sqrt(len(gains))
    return LeakCheck(
        population=population,
        target=target,
        predictor=name,
        n_permutations=len(gains),
        top1_gain=round(float(means[0]), 6),
        top1_low=round(float(lows[0]), 6),
        log_loss_gain=round(float(means[1]), 6),
        log_loss_low=round(float(lows[1]), 6),
        caught=bool((lows > 0).any()),
    )
