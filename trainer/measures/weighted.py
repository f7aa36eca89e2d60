"""Every metric of many weighted copies of one sample at once: what a bootstrap needs to be fast.

Each function takes weights ``(B, N)``, how often each image counts in each copy, and returns an
array of B values, or ``(B, C)`` of one per class; NaN where a metric is not defined.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.measures.bootstrap import Weights

#: Bins of equal width of the calibration error: as many as Guo et al. 2017, arXiv:1706.04599.
N_BINS = 15
#: Threshold of each of several labels.
THRESHOLD = 0.5

Values = npt.NDArray[np.float64]
Indicators = npt.NDArray[np.bool_]


class Measured(NamedTuple):
    """Metric -> values ``(B,)`` of all classes, and ``(B, C)`` of each against the rest."""

    overall: dict[str, Values]
    by_class: dict[str, Values]


class Counts(NamedTuple):
    """Weights of the images of each class: right, actual, called (``(B, C)``), all (``(B, 1)``)."""

    found: Values
    actual: Values
    called: Values
    total: Values


def mean_defined(values: Values) -> Values:
    """Mean over the last axis of what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(-1), defined.sum(-1))


def _ratio(part: Values, whole: Values) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole == 0, math.nan, part / whole))


def measure_classes(
    targets: npt.NDArray[np.int64], probabilities: Values, weights: Weights, positive: int | None
) -> Measured:
    """Metrics of one class of several; of the positive class in a binary task, else macro."""
    actual = targets[:, None] == np.arange(probabilities.shape[1])
    called = probabilities.argmax(1)[:, None] == np.arange(probabilities.shape[1])
    counts = _counts(actual, called, weights)
    rows = _rows(counts) | _areas(actual, probabilities, weights)
    chosen = slice(None) if positive is None else slice(positive, positive + 1)
    overall = {name: mean_defined(values[:, chosen]) for name, values in rows.items()}
    return Measured(
        {
            "accuracy": counts.found.sum(1) / counts.total[:, 0],
            "balanced_accuracy": mean_defined(rows["sensitivity"]),
            **overall,
            "auc": mean_defined(rows["auc"]),
            "mcc": _class_mcc(counts),
            "brier": _brier(actual, probabilities, weights),
            "log_loss": _mean(_surprise(actual, probabilities), weights),
            "ece": calibration_error((actual & called).any(1), probabilities.max(1), weights),
        },
        rows,
    )


def measure_labels(actual: Indicators, probabilities: Values, weights: Weights) -> Measured:
    """Metrics of several labels at once: the mean over the labels for which each is defined."""
    called = probabilities >= THRESHOLD
    counts = _counts(actual, called, weights)
    rows = _rows(counts) | _areas(actual, probabilities, weights)
    rows["accuracy"] = (counts.total - counts.actual - counts.called + 2 * counts.found) / (
        counts.total
    )
    rows["balanced_accuracy"] = (rows["sensitivity"] + rows["specificity"]) / 2
    for name, of_column in (("brier", _square), ("log_loss", _binary_surprise)):
        rows[name] = (weights @ of_column(actual, probabilities)) / counts.total
    columns = zip(actual.T, probabilities.T, strict=True)
    rows["ece"] = np.stack([calibration_error(own, p, weights) for own, p in columns], 1)
    overall = {name: mean_defined(values) for name, values in rows.items()}
    right = (actual == called).all(1).astype(float)
    return Measured(overall | {"subset_accuracy": _mean(right, weights)}, rows)


def measure_grades(
    targets: npt.NDArray[np.int64], probabilities: Values, weights: Weights, positive: int | None
) -> Measured:
    """Metrics of classes, and those that know that the grades are ordered.

    References
    ----------
    Quadratic weights: Cohen 1968, doi:10.1037/h0026256.
    """
    measured = measure_classes(targets, probabilities, weights, positive)
    grades, called = targets.astype(float), probabilities.argmax(1).astype(float)
    apart = _mean((grades - called) ** 2, weights)
    by_chance = (
        _mean(grades**2, weights)
        + _mean(called**2, weights)
        - 2 * _mean(grades, weights) * _mean(called, weights)
    )
    above = probabilities[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
    worse = targets[:, None] > np.arange(above.shape[1])
    ordered = {
        "quadratic_kappa": 1 - _ratio(apart, by_chance),
        "cumulative_auc": mean_defined(_areas(worse, above, weights)["auc"]),
        "mae": _mean(abs(grades - called), weights),
    }
    return Measured(measured.overall | ordered, measured.by_class)


def measure_numbers(targets: Values, predictions: Values, weights: Weights) -> Measured:
    """Errors of numbers, in their unit, and the share of the variance that is explained."""
    centred = targets - targets.mean()
    square = _mean((targets - predictions) ** 2, weights)
    variance = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    # What rounding leaves of the variance of a resample of equal numbers is none.
    variance[variance < 1e-12 * max(float(np.mean(centred**2)), 1e-300)] = 0
    overall = {
        "mae": _mean(abs(targets - predictions), weights),
        "rmse": np.sqrt(square),
        "r2": 1 - _ratio(square, variance),
    }
    return Measured(overall, {})


def rates(actual: Indicators, called: Indicators, weights: Weights) -> dict[str, Values]:
    """Sensitivity, specificity, ppv, npv, f1 and mcc of calls ``(N,)`` that are right or wrong."""
    found = _rows(_counts(actual[:, None], called[:, None], weights))
    return {name: values[:, 0] for name, values in found.items()}


def calibration_error(right: Indicators, confidence: Values, weights: Weights) -> Values:
    """Expected calibration error: mean gap of confidence and share of right ones, by bin.

    Of classes, the confidence is the probability of the class that is called; of labels, the
    probability of the label. `N_BINS` bins of equal width, each closed on its right.

    References
    ----------
    Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602; Guo et al. 2017,
    arXiv:1706.04599.
    """
    gaps = np.zeros((len(right), N_BINS))
    gaps[np.arange(len(right)), bins_of(confidence)] = confidence - right
    return np.asarray(abs(weights @ gaps).sum(1) / weights.sum(1))


def bins_of(confidence: Values) -> npt.NDArray[np.int64]:
    """Number of the calibration bin of each confidence in [0, 1]."""
    return np.clip(np.ceil(confidence * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)


def _counts(actual: Indicators, called: Indicators, weights: Weights) -> Counts:
    found, own, named = (
        weights @ indicators.astype(float) for indicators in (actual & called, actual, called)
    )
    return Counts(found, own, named, weights.sum(1, keepdims=True))


def _rows(counts: Counts) -> dict[str, Values]:
    """Each class against the rest; PPV is not defined for a class that is never called."""
    found, actual, called, total = counts
    missed, wrong = actual - found, called - found
    neither = total - actual - wrong
    return {
        "sensitivity": _ratio(found, actual),
        "specificity": _ratio(neither, total - actual),
        "ppv": _ratio(found, called),
        "npv": _ratio(neither, total - called),
        "f1": _ratio(2 * found, actual + called),
        "mcc": _ratio(
            found * neither - missed * wrong,
            np.sqrt(actual * called * (total - actual) * (total - called)),
        ),
    }


def _class_mcc(counts: Counts) -> Values:
    """Correlation coefficient of Matthews for any number of classes.

    References
    ----------
    Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006.
    """
    found, actual, called, total = counts
    whole = total[:, 0]
    covariance = found.sum(1) * whole - (actual * called).sum(1)
    spread = (whole**2 - (called**2).sum(1)) * (whole**2 - (actual**2).sum(1))
    return _ratio(covariance, np.sqrt(spread))


def _areas(actual: Indicators, scores: Values, weights: Weights) -> dict[str, Values]:
    """Area under the ROC curve and average precision of every column."""
    pairs = [_area(own, column, weights) for own, column in zip(actual.T, scores.T, strict=True)]
    areas, precisions = zip(*pairs, strict=True)
    return {"auc": np.stack(areas, 1), "average_precision": np.stack(precisions, 1)}


def _area(positive: Indicators, scores: Values, weights: Weights) -> tuple[Values, Values]:
    """Both areas of one column; ties make one step of the curves."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan))
    drawn = weights[:, order]
    seen = drawn.cumsum(1)[:, ends]
    right = (drawn * positive[order]).cumsum(1)[:, ends]
    wrong = seen - right
    rise, step = np.diff(right, prepend=0), np.diff(wrong, prepend=0)
    area = (step * (right - rise / 2)).sum(1)
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(rise * right / seen).sum(1)
    n_right = right[:, -1]
    return _ratio(area, n_right * wrong[:, -1]), _ratio(precision, n_right)


def _mean(values: Values, weights: Weights) -> Values:
    return np.asarray(weights @ values / weights.sum(1))


def _brier(actual: Indicators, probabilities: Values, weights: Weights) -> Values:
    """Squared distance of probabilities and truth, summed over classes; of one class if binary.

    References
    ----------
    Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, whose score of two classes is
    twice the one that is usual today.
    """
    total = _mean(_square(actual, probabilities).sum(1), weights)
    return total / 2 if probabilities.shape[1] == 2 else total


def _square(actual: Indicators, probabilities: Values) -> Values:
    return np.asarray((probabilities - actual) ** 2)


def _surprise(actual: Indicators, probabilities: Values) -> Values:
    """Minus the log-probability of the true class, with no probability quite 0."""
    return -np.log(np.maximum(probabilities[actual], np.finfo(float).eps))


def _binary_surprise(actual: Indicators, probabilities: Values) -> Values:
    own = np.where(actual, probabilities, 1 - probabilities)
    return -np.log(np.maximum(own, np.finfo(float).eps))
