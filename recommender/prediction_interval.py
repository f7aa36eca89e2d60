"""Where the value that a further study reports may be expected, from what others reported."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recommender.errors import RecommendationError

Floats = NDArray[np.float64]

#: Power of the similarity by which a study counts; 0 would count all alike. Fitted: what the corpus
#: chooses by leaving one study out (`recommender.calibration`), for accuracy and for AUC.
SHARPNESS = 0.5


class Interval(NamedTuple):
    """Bounds of a rate, in [0, 1]."""

    low: float
    high: float


def prediction_interval(
    values: Sequence[float],
    similarities: Sequence[float],
    level: float = 0.8,
    sharpness: float = SHARPNESS,
) -> Interval:
    """Interval that holds what a further study reports, as often as `level` says.

    Where the values are too few for the level, a bound is 0 or 1: the interval says nothing
    rather than too much.

    Parameters
    ----------
    values : sequence of float, length m
        A rate that studies report, in [0, 1], each from another study. Not only the close ones:
        where all count alike, 9 are needed for an interval of level 0.8 that is bounded on both
        sides, and 19 for one of 0.9.
    similarities : sequence of float, length m
        Similarity of each to the question, in [0, 1].
    level : float
        In (0, 1).
    sharpness : float
        At least 0.

    Raises
    ------
    RecommendationError
        Values and similarities are not of one length.

    References
    ----------
    Weighted quantiles in which the further study itself has a place beyond either end, as in
    conformal prediction: Vovk et al. 2005, doi:10.1007/b106715; with weights by likeness: Barber
    et al. 2023, doi:10.1214/23-AOS2276. They cover at least `level` where the studies are
    exchangeable and count alike.
    """
    if len(values) != len(similarities):
        msg = f"found {len(values)} values and {len(similarities)} similarities; give one of each"
        raise RecommendationError(msg)
    weights = np.asarray([similarities], dtype=float) ** sharpness
    low, high = bounds(np.asarray([values], dtype=float), weights, level)[0]
    return Interval(float(low), float(high))


def bounds(values: Floats, weights: Floats, level: float) -> Floats:
    """Intervals for several questions at once, shape (q, 2).

    Parameters
    ----------
    values, weights : array of shape (q, m)
        The further study's own weight is 1.
    """
    order = values.argsort(axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, 1)
    upto = np.take_along_axis(weights, order, 1).cumsum(1)
    total = weights.sum(1, keepdims=True)
    # A rounding error must not cost a place.
    allowed = (1 - level) / 2 * (total + 1) + 1e-9
    below = np.concatenate([np.zeros_like(total), upto[:, :-1]], axis=1)
    n_below = (below + 1 <= allowed).sum(1)
    n_above = (total - upto + 1 <= allowed).sum(1)
    edged = np.pad(ordered, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
    rows = np.arange(len(values))
    return np.stack([edged[rows, n_below], edged[rows, -1 - n_above]], axis=1)
