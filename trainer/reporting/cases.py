"""Which images a reader should look at: the surest right and wrong ones, and close calls."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Predictions = npt.NDArray[np.float64]
Targets = npt.NDArray[np.int64] | npt.NDArray[np.float32] | npt.NDArray[np.float64]

#: A label of several is called from this probability on.
CALLED_FROM = 0.5


class Case(NamedTuple):
    """One image, and what of its prediction is looked at.

    Attributes
    ----------
    image : int
        Its number.
    output : int
        Class or label that the model says, or says not; 0 for a number.
    value : float
        Probability of that class or label; the predicted number.
    """

    image: int
    output: int
    value: float


class Cases(NamedTuple):
    """Cases of each kind, the most telling first; no image is in two kinds."""

    right: tuple[Case, ...]
    wrong: tuple[Case, ...]
    near: tuple[Case, ...]


def pick_cases(predictions: Predictions, targets: Targets, n: int) -> Cases:
    """The `n` most confident right, most confident wrong, and nearest decisions.

    Parameters
    ----------
    predictions : ndarray, shape (N, C) or (N,)
        Probabilities, or numbers.
    targets : ndarray, shape (N,) or (N, C)
        Classes, 0 and 1 for several labels, or numbers.
    n : int
        Most cases of each kind.

    Returns
    -------
    Cases
        Of numbers: those with the smallest and the largest error; none is near.
    """
    if predictions.ndim == 1:
        return _of_numbers(predictions, targets, n)
    if targets.ndim == 2:
        return _of_labels(predictions, targets, n)
    order = np.sort(predictions, axis=1)
    said = predictions.argmax(1)
    return _picked(np.arange(len(said)), said, order[:, -1], order[:, -1] - order[:, -2],
                   said == targets, n)  # fmt: skip


def _picked(
    images: npt.NDArray[np.int64],
    outputs: npt.NDArray[np.int64],
    values: Predictions,
    margins: Predictions,
    is_right: npt.NDArray[np.bool_],
    n: int,
) -> Cases:
    """An image with several labels is shown for its worst; close calls are what is left."""
    taken: set[int] = set()

    def first(order: npt.NDArray[np.int64]) -> tuple[Case, ...]:
        found: list[Case] = []
        for at in order:
            if len(found) < n and int(images[at]) not in taken:
                taken.add(int(images[at]))
                found.append(Case(int(images[at]), int(outputs[at]), float(values[at])))
        return tuple(found)

    sure = np.argsort(-margins, kind="stable")
    wrong, right = first(sure[~is_right[sure]]), first(sure[is_right[sure]])
    return Cases(right, wrong, first(sure[::-1]))


def _of_labels(predictions: Predictions, targets: Targets, n: int) -> Cases:
    """Each label of each image on its own; what is rightly not called tells nothing."""
    images, outputs = np.indices(predictions.shape).reshape(2, -1)
    values, actual = predictions.ravel(), targets.ravel() > CALLED_FROM
    called = values >= CALLED_FROM
    kept = called | actual
    return _picked(
        images[kept], outputs[kept], values[kept], np.abs(values - CALLED_FROM)[kept],
        (called == actual)[kept], n,
    )  # fmt: skip


def _of_numbers(predictions: Predictions, targets: Targets, n: int) -> Cases:
    order = np.argsort(np.abs(predictions - targets), kind="stable")
    n = min(n, len(order) // 2)

    def of(numbers: npt.NDArray[np.int64]) -> tuple[Case, ...]:
        return tuple(Case(int(at), 0, float(predictions[at])) for at in numbers)

    return Cases(of(order[:n]), of(order[::-1][:n]), ())
