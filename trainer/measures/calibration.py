"""Probabilities that mean what they say: temperature scaling, and how far they are from it."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from trainer.errors import TrainingError
from trainer.measures.weighted import N_BINS, bins_of
from trainer.metrics import measure_weighted
from trainer.targets import Encoded, Labels, Predictions

#: Temperatures looked at. A validation part that is told apart without an error would be sure of
#: everything; ten times the log-odds are enough for it.
COLDEST, HOTTEST = 0.1, 10.0
#: How far the logarithm of a temperature is expected from 0 before anything was seen. A dozen
#: images that happen to be told apart would otherwise make a model sure of everything.
PRIOR_SD = 0.5


class Reliability(NamedTuple):
    """Of each bin that holds something: mean confidence, share of right ones, how many."""

    confidence: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    n_cases: npt.NDArray[np.int64]


def fit_temperature(probabilities: Predictions, targets: Encoded, labels: Labels) -> float:
    """Most probable temperature; 1 where none is better, and for numbers.

    That with the least log-loss, drawn towards 1 as far as there are few images to tell (a normal
    prior on its logarithm, `PRIOR_SD`, our choice).

    Logits of a network are first made probabilities (`Labels.predict`): dividing logits by a
    temperature and raising probabilities to its inverse power are the same.

    Parameters
    ----------
    probabilities, targets : ndarray
        Of the validation part, by a model that was not fitted to it.

    Returns
    -------
    float
        In [0.1, 10]; above 1 where the model was too sure.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.
    """
    if labels.target == "number" or not len(targets):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = apply_temperature(probabilities, math.exp(log_temperature), labels)
        unlikely = (log_temperature / PRIOR_SD) ** 2 / 2
        return _log_loss(targets, scaled, labels) + unlikely / len(targets)

    bounds = math.log(COLDEST), math.log(HOTTEST)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    return math.exp(found.x) if found.fun < loss(0.0) else 1.0


def apply_temperature(
    probabilities: Predictions, temperature: float, labels: Labels
) -> Predictions:
    """Probabilities raised to ``1 / temperature``, adding up to 1 again; numbers as they are.

    The order of the classes of an image stays, and that of the images of a binary task or of a
    label, so that no area under a curve of theirs moves.

    Raises
    ------
    TrainingError
        The temperature is not above 0.
    """
    if not temperature > 0:
        msg = f"the temperature is {temperature:g}; only one above 0 is allowed"
        raise TrainingError(msg)
    if labels.target == "number" or temperature == 1:
        return probabilities
    if labels.target == "multi_label":
        both = np.stack([1 - probabilities, probabilities], -1)
        return np.asarray(_tempered(both, temperature)[..., 1])
    return _tempered(probabilities, temperature)


def _tempered(probabilities: Predictions, temperature: float) -> Predictions:
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities) / temperature
    raised = np.exp(logs - logs.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def _log_loss(targets: Encoded, probabilities: Predictions, labels: Labels) -> float:
    once = np.ones((1, len(targets)))
    return float(measure_weighted(targets, probabilities, labels, once).overall["log_loss"][0])


def reliability(targets: Encoded, probabilities: Predictions, labels: Labels) -> Reliability:
    """What the expected calibration error sums up, bin by bin, for a plot.

    Of classes and grades, the probability of the one that is called and whether it is right; of
    labels, the probability of each label of each image and whether the image has it.

    Raises
    ------
    TrainingError
        Numbers have no probabilities.
    """
    if labels.target == "number":
        msg = "numbers have no probabilities; a reliability curve is for classes, labels or grades"
        raise TrainingError(msg)
    if labels.target == "multi_label":
        confidence, right = probabilities.ravel(), targets.ravel() > 0
    else:
        confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    number = bins_of(confidence)
    counts = np.bincount(number, minlength=N_BINS)
    held = counts > 0
    means = [
        np.bincount(number, values.astype(np.float64), N_BINS)[held] / counts[held]
        for values in (confidence, right)
    ]
    return Reliability(means[0], means[1], counts[held])
