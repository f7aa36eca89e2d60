"""A threshold for a sensitivity that was asked for, and what it gives on other images."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.records import Record
from trainer.errors import TrainingError
from trainer.measures.bootstrap import Interval, interval, resample
from trainer.measures.weighted import rates
from trainer.metrics import positive_class
from trainer.targets import Encoded, Labels, Predictions

#: Shares are compared with thousandths, not with the last digit of a double.
ROUNDING = 1e-9


class Scored(NamedTuple):
    """Images of one part: whether each is positive, its score, its group (length N each)."""

    positive: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]
    groups: Sequence[str]


class OperatingPoint(Record):
    """A threshold chosen on validation images and measured on test images.

    Attributes
    ----------
    positive : str
        The class looked for.
    sensitivity_asked : float
        In (0, 1].
    threshold : float or None
        Images with at least this probability of the positive class are called so; None where
        the validation part has too few of them to promise the sensitivity.
    n_positive : int
        Validation images of the positive class.
    metrics : dict
        Of the test part: sensitivity, specificity, ppv and npv, with 95% intervals.
    statement : str
        All of it in a sentence.
    """

    positive: str
    sensitivity_asked: float
    threshold: float | None
    n_positive: int
    metrics: dict[str, Interval]
    statement: str


def scored(
    targets: Encoded, predictions: Predictions, labels: Labels, groups: Sequence[str]
) -> Scored:
    """Images of a binary task by the probability of the class looked for.

    Raises
    ------
    TrainingError
        The task is not binary.
    """
    index = labels.names.index(looked_for(labels))
    return Scored(targets == index, predictions[:, index], groups)


def looked_for(labels: Labels) -> str:
    """The positive class of a binary task.

    Raises
    ------
    TrainingError
        The task is not binary.
    """
    positive = positive_class(labels.names) if labels.target == "classes" else None
    if labels.target == "ordinal" and len(labels.names) == 2:
        return labels.names[1]
    if positive is None:
        msg = (
            "an operating point at a sensitivity is for two classes; found "
            f"{labels.target}: {', '.join(labels.names)}"
        )
        raise TrainingError(msg)
    return positive


def choose_threshold(
    positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64], sensitivity: float
) -> float | None:
    """Highest threshold that finds a new positive image with at least this probability.

    Of P positive images the score that ``ceil(sensitivity * (P + 1))`` of them reach. One that
    reaches the sensitivity on just these images would miss it on about half of all others.

    Returns
    -------
    float or None
        None where there are too few: fewer than ``sensitivity / (1 - sensitivity)``.

    References
    ----------
    Exchangeable scores: Lei et al. 2018, doi:10.1080/01621459.2017.1307116, Section 2.
    """
    found = np.sort(scores[positive])[::-1]
    rank = math.ceil(sensitivity * (len(found) + 1) - ROUNDING)
    return float(found[rank - 1]) if rank <= len(found) else None


def operating_point(
    validation: Scored, test: Scored, sensitivity: float, positive: str, seed: int
) -> OperatingPoint:
    """A threshold chosen on validation images, and its rates on test images.

    Parameters
    ----------
    validation : Scored
        By a model that was not fitted to these images.
    test : Scored
        Measured on, by resampling whole groups.
    sensitivity : float
        Asked for, in (0, 1].
    positive : str
        Name of the positive class.
    seed : int
        Of the bootstrap.
    """
    threshold = choose_threshold(validation.positive, validation.scores, sensitivity)
    metrics = {} if threshold is None else _measure(test, threshold, seed)
    n_positive = int(validation.positive.sum())
    return OperatingPoint(
        positive=positive,
        sensitivity_asked=sensitivity,
        threshold=threshold,
        n_positive=n_positive,
        metrics=metrics,
        statement=_statement(positive, sensitivity, threshold, n_positive, metrics),
    )


def _measure(test: Scored, threshold: float, seed: int) -> dict[str, Interval]:
    called = test.scores >= threshold
    value = rates(test.positive, called, np.ones((1, len(called))))
    drawn = [rates(test.positive, called, weights) for weights in resample(test.groups, seed)]
    return {
        name: interval(value[name][0], np.concatenate([part[name] for part in drawn]))
        for name in ("sensitivity", "specificity", "ppv", "npv")
    }


def _statement(
    positive: str,
    asked: float,
    threshold: float | None,
    n_positive: int,
    metrics: dict[str, Interval],
) -> str:
    basis = f"{n_positive} validation images of {positive}"
    if threshold is None:
        return (
            f"a sensitivity of {asked:g} cannot be promised from {basis}: {_needed(asked)}; "
            "no threshold was chosen"
        )
    found, specificity = metrics["sensitivity"], metrics["specificity"]
    told = f"{positive} is called at a probability of {threshold:.4g} or more, chosen on {basis} "
    told += f"for a sensitivity of {asked:g}; on the test images the sensitivity is {_told(found)}"
    if found.value is not None and found.value < asked:
        told += ", less than asked for,"
    return f"{told} and the specificity {_told(specificity)}"


def _needed(asked: float) -> str:
    if asked >= 1:
        return "no number of images can promise that none is missed"
    return f"at least {math.ceil(asked / (1 - asked) - ROUNDING)} are needed"


def _told(found: Interval) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "not defined"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
