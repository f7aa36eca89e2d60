"""Metrics of a classification with bootstrap intervals that resample whole groups."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    roc_auc_score,
)

from evidence.records import Record

N_RESAMPLES = 1000
INTERVAL_PERCENTILES = (2.5, 97.5)
#: Names of the class that is not looked for: sensitivity is about the other one.
NEGATIVE_NAMES = frozenset(
    {"0", "benign", "control", "false", "healthy", "negative", "no", "none", "normal"}
)

Targets = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


class Interval(Record):
    """A value with its 95% bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


def positive_class(classes: Sequence[str]) -> str | None:
    """Class that sensitivity is about in a binary task; None for several classes.

    The one of the two that is not named like a negative finding, else the last in order.
    """
    if len(classes) != 2:
        return None
    named = [name for name in classes if name.lower().split("_")[0] not in NEGATIVE_NAMES]
    return named[0] if len(named) == 1 else classes[1]


def evaluate(
    targets: Targets,
    probabilities: Probabilities,
    classes: Sequence[str],
    groups: Sequence[str],
    seed: int,
) -> dict[str, Interval]:
    """Every metric with its interval.

    Parameters
    ----------
    targets : ndarray, shape (N,)
        True class of each image.
    probabilities : ndarray, shape (N, C)
        Predicted probabilities, rows adding up to 1.
    classes : sequence of str, length C
        Class names; they decide which class is positive.
    groups : sequence of str, length N
        What a resample takes whole: patients, else single images.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Interval
        accuracy, balanced_accuracy, auc (macro one-vs-rest), sensitivity and specificity (of the
        positive class; macro one-vs-rest for several classes).

    References
    ----------
    Percentile bootstrap: Efron and Tibshirani 1993, doi:10.1201/9780429246593.
    """
    positive = positive_class(classes)
    index = None if positive is None else list(classes).index(positive)
    metrics: dict[str, Callable[[Targets, Probabilities], float]] = {
        "accuracy": lambda y, p: float(accuracy_score(y, p.argmax(1))),
        "balanced_accuracy": lambda y, p: float(balanced_accuracy_score(y, p.argmax(1))),
        "auc": _auc,
        "sensitivity": lambda y, p: _recalls(y, p, index)[0],
        "specificity": lambda y, p: _recalls(y, p, index)[1],
    }
    resamples = _resamples(targets, groups, seed)
    return {
        name: _interval(metric, targets, probabilities, resamples)
        for name, metric in metrics.items()
    }


def _resamples(targets: Targets, groups: Sequence[str], seed: int) -> list[npt.NDArray[np.int64]]:
    """Indices of each resample; one that lost a class is left out, its metrics not defined."""
    rng = np.random.default_rng(seed)
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
    n_classes = len(np.unique(targets))
    drawn = (
        np.concatenate([members[i] for i in rng.integers(len(names), size=len(names))])
        for _ in range(N_RESAMPLES)
    )
    return [index for index in drawn if len(np.unique(targets[index])) == n_classes]


def _interval(
    metric: Callable[[Targets, Probabilities], float],
    targets: Targets,
    probabilities: Probabilities,
    resamples: Sequence[npt.NDArray[np.int64]],
) -> Interval:
    value = metric(targets, probabilities)
    if np.isnan(value) or not resamples:
        return Interval(value=None if np.isnan(value) else round(value, 6), low=None, high=None)
    values = [metric(targets[index], probabilities[index]) for index in resamples]
    low, high = np.percentile(values, INTERVAL_PERCENTILES)
    return Interval(value=round(value, 6), low=round(float(low), 6), high=round(float(high), 6))


def _auc(targets: Targets, probabilities: Probabilities) -> float:
    present = np.unique(targets)
    if len(present) < 2:
        return float("nan")
    if probabilities.shape[1] == 2:
        return float(roc_auc_score(targets, probabilities[:, 1]))
    return float(np.mean([roc_auc_score(targets == k, probabilities[:, k]) for k in present]))


def _recalls(
    targets: Targets, probabilities: Probabilities, positive: int | None
) -> tuple[float, float]:
    """Sensitivity and specificity of one class, or their means over all classes."""
    n_classes = probabilities.shape[1]
    matrix = confusion_matrix(targets, probabilities.argmax(1), labels=range(n_classes))
    found = np.diag(matrix).astype(float)
    actual, called = matrix.sum(1), matrix.sum(0)
    negatives = matrix.sum() - actual
    with np.errstate(invalid="ignore"):
        sensitivity = found / actual
        specificity = (negatives - (called - found)) / negatives
    if positive is not None:
        return float(sensitivity[positive]), float(specificity[positive])
    return float(np.nanmean(sensitivity)), float(np.nanmean(specificity))
