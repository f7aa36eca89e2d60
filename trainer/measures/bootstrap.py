"""Resamples of whole groups, as the number of times that each image is drawn."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evidence.records import Record

N_RESAMPLES = 1000
INTERVAL_PERCENTILES = (2.5, 97.5)
#: Resamples at a time: their counts stay in the processor's cache.
CHUNK = 50
#: Of values in results.
N_DECIMALS = 6

#: How often each of N images counts in each of B samples, shape ``(B, N)``.
Weights = npt.NDArray[np.float64]


class Interval(Record):
    """A value with its 95% bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


def resample(groups: Sequence[str], seed: int, n_resamples: int = N_RESAMPLES) -> Iterator[Weights]:
    """Counts of every image in resamples of whole groups, some resamples at a time.

    Parameters
    ----------
    groups : sequence of str, length N
        What a resample takes whole: patients, else single images.

    Returns
    -------
    iterator of ndarray
        Shapes ``(B, N)``; together `n_resamples` rows.

    References
    ----------
    Efron and Tibshirani 1993, doi:10.1201/9780429246593; whole clusters: Field and Welsh 2007,
    doi:10.1111/j.1467-9868.2007.00593.x.
    """
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    for start in range(0, n_resamples, CHUNK):
        drawn = [
            np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
            for _ in range(min(CHUNK, n_resamples - start))
        ]
        yield np.array(drawn, dtype=np.float64)[:, number]


def interval(value: float, values: npt.NDArray[np.float64]) -> Interval:
    """A value and the percentiles of its resamples; those in which it is not defined are left out.

    A few resamples without one of the classes are no reason to know nothing.
    """
    defined = values[~np.isnan(values)]
    rounded = None if math.isnan(value) else round(float(value), N_DECIMALS)
    if rounded is None or not len(defined):
        return Interval(value=rounded, low=None, high=None)
    low, high = np.percentile(defined, INTERVAL_PERCENTILES)
    return Interval(
        value=rounded, low=round(float(low), N_DECIMALS), high=round(float(high), N_DECIMALS)
    )
