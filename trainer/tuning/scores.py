"""How sure a score of a validation part is, from resamples of its images."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trainer.measures.bootstrap import resample
from trainer.targets import Encoded, Labels, Predictions

#: Resamples for a standard error, which needs fewer than an interval.
N_RESAMPLES = 100


def resampled_score(
    labels: Labels, truth: Encoded, predictions: Predictions, counts: npt.NDArray[np.float64]
) -> float:
    """Score of a sample that holds each image as often as `counts` says; NaN of an empty one."""
    drawn = np.repeat(np.arange(len(truth)), counts.astype(np.int64))
    return labels.score(truth[drawn], predictions[drawn]) if len(drawn) else math.nan


def standard_error(
    labels: Labels, truth: Encoded, predictions: Predictions, seed: int, units: Sequence[str] = ()
) -> float:
    """Bootstrap standard error of a score; of classes as if half an image more were misplaced.

    Without that half image of the rarest class a perfect ranking of a handful would seem certain.

    Parameters
    ----------
    units : sequence of str, length N
        What a resample takes whole; single images where it is empty.

    Returns
    -------
    float
        Of classes at least ``0.5 / images of the rarest``.

    References
    ----------
    Efron and Tibshirani 1993, doi:10.1201/9780429246593, chapter 6.
    """
    groups = units or [str(number) for number in range(len(truth))]
    found = [
        resampled_score(labels, truth, predictions, counts)
        for chunk in resample(groups, seed, N_RESAMPLES)
        for counts in chunk
    ]
    defined = np.array(found)[~np.isnan(found)]
    spread = float(defined.std()) if len(defined) else 0.0
    if labels.target not in {"classes", "ordinal"}:
        return spread
    counts = np.bincount(truth.astype(np.int64))
    return math.hypot(spread, 0.5 / counts[counts > 0].min())
