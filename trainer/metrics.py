"""Metrics of a classification with bootstrap intervals that resample whole groups."""

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evidence.records import Record
from trainer.areas import macro_auc

N_RESAMPLES = 1000
INTERVAL_PERCENTILES = (2.5, 97.5)
#: Names of the class that is not looked for: sensitivity is about the other one.
NEGATIVE_NAMES = frozenset(
    {"0", "benign", "control", "false", "healthy", "negative", "no", "none", "normal", "not"}
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
    named = [name for name in classes if not _is_negative(name)]
    return named[0] if len(named) == 1 else classes[1]


def _is_negative(name: str) -> bool:
    first = re.split(r"[\W_]+", name.lower())[0]
    return first in NEGATIVE_NAMES or first.startswith("non")


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
    rng = np.random.default_rng(seed)
    value = _metrics(targets, probabilities, index)
    resampled = [
        _metrics(targets[drawn], probabilities[drawn], index) for drawn in _resamples(groups, rng)
    ]
    return {name: _interval(value[name], [found[name] for found in resampled]) for name in value}


def _resamples(groups: Sequence[str], rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Indices of each resample of whole groups."""
    names, number = np.unique(np.asarray(groups), return_inverse=True)
    members = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
    return [
        np.concatenate([members[i] for i in rng.integers(len(names), size=len(names))])
        for _ in range(N_RESAMPLES)
    ]


def _interval(value: float, values: Sequence[float]) -> Interval:
    defined = [number for number in values if not math.isnan(number)]
    if math.isnan(value) or not defined:
        return Interval(value=None if math.isnan(value) else round(value, 6), low=None, high=None)
    low, high = np.percentile(defined, INTERVAL_PERCENTILES)
    return Interval(value=round(value, 6), low=round(float(low), 6), high=round(float(high), 6))


def _metrics(
    targets: Targets, probabilities: Probabilities, positive: int | None
) -> dict[str, float]:
    """Every metric of one sample; NaN where it is not defined."""
    n_classes = probabilities.shape[1]
    pairs = targets * n_classes + probabilities.argmax(1)
    matrix = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
    found, actual, called = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    negatives = len(targets) - actual
    with np.errstate(invalid="ignore"):
        recall = found / actual
        true_negative_rate = (negatives - (called - found)) / negatives
    chosen = slice(None) if positive is None else slice(positive, positive + 1)
    return {
        "accuracy": float(found.sum() / len(targets)),
        "balanced_accuracy": _mean(recall),
        "auc": macro_auc(targets, probabilities),
        "sensitivity": _mean(recall[chosen]),
        "specificity": _mean(true_negative_rate[chosen]),
    }


def _mean(rates: npt.NDArray[np.float64]) -> float:
    """Mean over the classes that are there."""
    defined = rates[~np.isnan(rates)]
    return float(defined.mean()) if len(defined) else math.nan
