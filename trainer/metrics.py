"""Metrics of predictions with bootstrap intervals that resample whole groups.

=====================  ==========================================================================
metric                 definition
=====================  ==========================================================================
accuracy               share of images that are right; of labels, mean over the labels
balanced_accuracy      mean sensitivity of the classes
auc                    area under the ROC curve, macro one-vs-rest
average_precision      area under the precision-recall steps, without interpolation
sensitivity            share of a class that is called so (recall)
specificity            share of the other images that are not
ppv, npv               share of the images called so that are right, and of the others
f1                     harmonic mean of sensitivity and ppv
mcc                    correlation of truth and call (Matthews 1975, Gorodkin 2004)
brier                  squared error of the probabilities, summed over classes; half if binary
log_loss               mean of minus the log-probability of the truth
ece                    expected calibration error, 15 bins of equal width
quadratic_kappa        of grades: chance-corrected agreement, errors squared
cumulative_auc         of grades: mean area of "worse than grade k"
mae                    mean absolute error, of grades in grades
rmse, r2               root mean squared error, share of variance explained
subset_accuracy        of labels: share of images with all labels right
=====================  ==========================================================================

In a binary task sensitivity, specificity, ppv, npv, f1 and average_precision are those of the
positive class; of several classes or labels they are means over those for which they are defined.

References
----------
Reporting them all, and what each hides: Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.measures.bootstrap import Interval, Weights, interval, resample
from trainer.measures.weighted import (
    Measured,
    measure_classes,
    measure_grades,
    measure_labels,
    measure_numbers,
)
from trainer.targets import Encoded, Labels, Predictions

#: Names of the class that is not looked for: sensitivity is about the other one.
NEGATIVE_NAMES = frozenset(
    {"0", "benign", "control", "false", "healthy", "negative", "no", "none", "normal", "not"}
)

Targets = npt.NDArray[np.int64]


class Evaluation(NamedTuple):
    """Metric -> interval, of all classes together and of each class against the rest."""

    overall: dict[str, Interval]
    by_class: dict[str, dict[str, Interval]]


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
    targets: Encoded,
    probabilities: Predictions,
    classes: Sequence[str],
    groups: Sequence[str],
    seed: int,
    labels: Labels | None = None,
) -> dict[str, Interval]:
    """Every metric of all classes together, with its interval (`measure`).

    Parameters
    ----------
    classes : sequence of str, length C
        Class names; they decide which class is positive.
    labels : Labels or None
        In place of `classes`, where the target is another.
    """
    names = labels or Labels(target="classes", names=tuple(classes))
    return measure(targets, probabilities, names, groups, seed).overall


def measure(
    targets: Encoded, predictions: Predictions, labels: Labels, groups: Sequence[str], seed: int
) -> Evaluation:
    """Every metric with its interval.

    Parameters
    ----------
    targets : ndarray, shape (N,) or (N, C)
        Encoded labels of each image.
    predictions : ndarray, shape (N, C) or (N,)
        Probabilities of each class or label, or numbers.
    labels : Labels
        What both mean.
    groups : sequence of str, length N
        What a resample takes whole: patients, else single images.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Evaluation
        A metric that is not defined is None.
    """
    value = measure_weighted(targets, predictions, labels, np.ones((1, len(targets))))
    drawn = [
        measure_weighted(targets, predictions, labels, weights)
        for weights in resample(groups, seed)
    ]
    overall = {
        name: interval(found[0], np.concatenate([part.overall[name] for part in drawn]))
        for name, found in value.overall.items()
    }
    rows = {
        name: np.concatenate([part.by_class[name] for part in drawn]) for name in value.by_class
    }
    by_class = {
        name: {
            metric: interval(value.by_class[metric][0, number], rows[metric][:, number])
            for metric in rows
        }
        for number, name in enumerate(labels.names if rows else ())
    }
    return Evaluation(overall, by_class)


def measure_weighted(
    targets: Encoded, predictions: Predictions, labels: Labels, weights: Weights
) -> Measured:
    """Every metric of weighted copies of one sample."""
    if labels.target == "number":
        return measure_numbers(targets.astype(np.float64), predictions, weights)
    if labels.target == "multi_label":
        return measure_labels(targets > 0, predictions, weights)
    classes = targets.astype(np.int64)
    if labels.target == "ordinal":
        worst = 1 if len(labels.names) == 2 else None
        return measure_grades(classes, predictions, weights, worst)
    positive = positive_class(labels.names)
    index = None if positive is None else labels.names.index(positive)
    return measure_classes(classes, predictions, weights, index)
