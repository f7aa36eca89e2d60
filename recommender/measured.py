"""What was measured on the user's own images, and how it moves what was expected.

The expectation is the prior of a Gaussian; a measured value is its configuration's AUC on the
common level of its block plus an error. Configurations that share a backbone or an approach with
a measured one move with it, as far as they were expected to be alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.configuration import Configuration

Array = npt.NDArray[np.float64]

#: Variance of the common level of a block, in squared points: nothing is known of it beforehand.
LEVEL = 1e4


class Measured(NamedTuple):
    """A value measured on the user's images.

    Attributes
    ----------
    configuration : Configuration
    points : float
        AUC or another rate in percent.
    error : float
        Standard error in the same unit, above 0.
    block : str
        Values of one block were measured on the same images in the same way.
    """

    configuration: Configuration
    points: float
    error: float
    block: str


def updated(
    configurations: Sequence[Configuration],
    mean: Array,
    covariance: Array,
    measured: Sequence[Measured],
) -> tuple[Array, Array]:
    """Expectations after the measurements.

    Parameters
    ----------
    configurations : sequence of Configuration
        The N candidates; measurements of others are left out.
    mean, covariance : ndarray, shapes (N,) and (N, N)
        Before, in points and squared points.

    Returns
    -------
    tuple of ndarray
        The same, after.
    """
    if not measured:
        return mean, covariance
    place = {configuration: n for n, configuration in enumerate(configurations)}
    known = [one for one in measured if one.configuration in place]
    if not known:
        return mean, covariance
    rows = [place[one.configuration] for one in known]
    codes = {block: n for n, block in enumerate(dict.fromkeys(one.block for one in known))}
    blocks = np.array([codes[one.block] for one in known])
    spread = covariance[np.ix_(rows, rows)] + LEVEL * np.equal.outer(blocks, blocks)
    spread[np.diag_indices_from(spread)] += [one.error**2 for one in known]
    # A level is common to its block: taking the block's mean away keeps the numbers small.
    values = np.array([one.points for one in known], dtype=float)
    for code in set(blocks.tolist()):
        values[blocks == code] -= values[blocks == code].mean() - mean[rows][blocks == code].mean()
    gain = np.linalg.solve(spread, covariance[rows]).T
    return mean + gain @ (values - mean[rows]), covariance - gain @ covariance[rows]


#: Standard error, in points, where a run has no interval: about that of AUC on 100 images.
UNKNOWN_ERROR = 4.0


def standard_error(low: float | None, high: float | None) -> float:
    """Standard error in points from the ends of a 95% interval in fractions."""
    if low is None or high is None or high <= low:
        return UNKNOWN_ERROR
    return 100 * (high - low) / (2 * 1.96)
