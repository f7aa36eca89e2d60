"""How good an order of configurations was, once the values are known."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Resamples of an interval, and its level.
RESAMPLES = 2000
LEVEL = 0.95


def regret(values: Sequence[float], chosen: int) -> float:
    """How far the chosen value lies below the best."""
    return max(values) - values[chosen]


def in_top(values: Sequence[float], chosen: int, n: int = 3) -> bool:
    """Whether fewer than `n` values are better than the chosen one."""
    return sum(value > values[chosen] for value in values) < n


def weighted_tau(values: Sequence[float], scores: Sequence[float]) -> float:
    """Weighted Kendall correlation of two orders, in [-1, 1]; the top counts most.

    A pair weighs the sum of its members' 1 / (rank + 1); the mean of ranking by either side.

    Returns
    -------
    float
        0 where one side has all its values equal: an order that says nothing.

    References
    ----------
    Vigna 2015, doi:10.1145/2736277.2741088; the same as ``scipy.stats.weightedtau``.
    """
    first, second = np.asarray(values, dtype=float), np.asarray(scores, dtype=float)
    by_first, by_second = _ranks(first, second), _ranks(second, first)
    return (_tau(first, second, by_first) + _tau(first, second, by_second)) / 2


def _ranks(main: Array, other: Array) -> Array:
    """Rank of each element, 0 for the best; ties go to the better in `other`."""
    order = np.lexsort((other, main))[::-1]
    ranks = np.empty(len(main))
    ranks[order] = np.arange(len(main))
    return ranks


def _tau(first: Array, second: Array, ranks: Array) -> float:
    weight = 1 / (ranks + 1)
    pair = weight[:, None] + weight[None, :]
    np.fill_diagonal(pair, 0.0)
    one = np.sign(first[:, None] - first[None, :])
    two = np.sign(second[:, None] - second[None, :])
    spread = np.sqrt((pair * one**2).sum() * (pair * two**2).sum())
    return float((pair * one * two).sum() / spread) if spread else 0.0


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Bootstrap percentile interval of a mean at `LEVEL`; both ends the mean for one value.

    References
    ----------
    Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    array = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(len(array), size=(RESAMPLES, len(array)))
    low, high = np.quantile(array[draws].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
