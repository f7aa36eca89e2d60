"""Areas under curves: how well scores rank images."""

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Targets = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def binary_auc(positive: npt.NDArray[np.bool_], scores: Scores) -> float:
    """Area under the ROC curve, ties counting one half; NaN where a side has no image.

    References
    ----------
    The Mann-Whitney form: Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    return _area(positive, rankdata(scores))


def _area(own: npt.NDArray[np.bool_], ranks: Scores) -> float:
    n_own = int(own.sum())
    n_pairs = n_own * (len(own) - n_own)
    if not n_pairs:
        return math.nan
    return float((ranks[own].sum() - n_own * (n_own + 1) / 2) / n_pairs)


def macro_auc(targets: Targets, probabilities: Scores) -> float:
    """Macro one-vs-rest area under the ROC curve over the classes that are there; NaN for one."""
    ranks = rankdata(probabilities, axis=0)
    areas = [_area(targets == number, ranks[:, number]) for number in np.unique(targets)]
    return float(np.mean(areas)) if areas else math.nan


def label_auc(targets: npt.NDArray[np.float32], probabilities: Scores) -> float:
    """Mean area over the labels ``(N, C)`` that some images have and some have not; else NaN."""
    columns = zip(targets.T, probabilities.T, strict=True)
    areas = [binary_auc(own > 0, scores) for own, scores in columns]
    defined = [area for area in areas if not math.isnan(area)]
    return float(np.mean(defined)) if defined else math.nan


def cumulative_auc(grades: Targets, probabilities: Scores) -> float:
    """Mean area of "worse than grade k" over all k that part the images; NaN for one grade.

    Unlike the one-vs-rest area it knows that the grades are ordered; unlike a kappa it needs no
    threshold, and so is steadier on the few images of a validation part.
    """
    n_grades = probabilities.shape[1]
    above = probabilities[:, ::-1].cumsum(1)[:, ::-1]
    worse = grades[:, None] > np.arange(n_grades - 1)
    return label_auc(worse.astype(np.float32), above[:, 1:])


def auc_contributions(targets: Targets, probabilities: Scores) -> Scores:
    """How much each image moves the macro AUC above or below its value.

    Their sum is zero; the root of the sum of their squares, summed over each group first, is a
    standard error of the AUC. The difference of the contributions to two AUCs on the same images
    does the same for the difference of these AUCs.

    Returns
    -------
    ndarray, shape (N,)

    References
    ----------
    Placement values: DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595. Clusters:
    Obuchowski 1997, doi:10.2307/2533957. Sums over folds: LeDell, Petersen and van der Laan 2015,
    doi:10.1214/15-EJS1035.
    """
    found = np.zeros(len(targets))
    present = np.unique(targets)
    for number in present:
        own = targets == number
        for members, sign in ((own, 1), (~own, -1)):
            rank = rankdata(sign * probabilities[:, number])[members]
            within = rankdata(sign * probabilities[members, number])
            below = (rank - within) / (len(targets) - len(within))
            found[members] += (below - below.mean()) / len(within) / len(present)
    return found
