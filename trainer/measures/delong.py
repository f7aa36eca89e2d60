"""The paired test of two areas under the ROC curve, for images that come in groups."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from trainer.measures.areas import auc_contributions, macro_auc

Targets = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

#: Normal deviate that leaves 2.5% above it.
Z_95 = float(norm.ppf(0.975))


class Tested(NamedTuple):
    """Second area minus first, its 95% interval and two-sided p; None where not defined."""

    difference: float
    low: float | None
    high: float | None
    p: float | None


def paired_delong(
    targets: Targets, first: Probabilities, second: Probabilities, groups: Sequence[str]
) -> Tested:
    """Compare two areas of a binary task on the same images.

    Parameters
    ----------
    targets : ndarray, shape (N,)
        0 or 1, both there.
    first, second : ndarray, shape (N, 2)
        Probabilities of two models.
    groups : sequence of str, length N
        Patients, else single images. With single images it is the test of DeLong.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595; for clusters Obuchowski 1997,
    doi:10.2307/2533957.
    """
    difference = macro_auc(targets, second) - macro_auc(targets, first)
    moved = auc_contributions(targets, second) - auc_contributions(targets, first)
    variance = _variance(targets, moved, groups)
    if variance is None:
        return Tested(difference, None, None, None)
    error = math.sqrt(max(variance, 0.0))
    low, high = difference - Z_95 * error, difference + Z_95 * error
    return Tested(difference, low, high, _p(difference, error))


def _variance(targets: Targets, moved: Probabilities, groups: Sequence[str]) -> float | None:
    """Variance of a sum of contributions over groups; None with a single group on a side."""
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(number.max()) + 1
    sums, factors = [], []
    for side in (0, 1):
        own = targets == side
        sums.append(np.bincount(number[own], moved[own], n_groups))
        n_own = len(np.unique(number[own]))
        if n_own < 2:
            return None
        factors.append(n_own / (n_own - 1))
    within = sum(f * float((s**2).sum()) for f, s in zip(factors, sums, strict=True))
    return within + 2 * n_groups / (n_groups - 1) * float((sums[0] * sums[1]).sum())


def _p(difference: float, error: float) -> float | None:
    if error > 0:
        return float(2 * norm.sf(abs(difference) / error))
    # Two models that rank every pair alike do not differ; else nothing says how sure that is.
    return 1.0 if difference == 0 else None
