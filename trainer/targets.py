"""What is learned of an image, from the words of a manifest to losses, predictions and scores.

===============  ===============  ======================  ==========================================
target           encoded          outputs of the network  predictions
===============  ===============  ======================  ==========================================
``classes``      ``(N,)`` int64   logits ``(N, C)``       probabilities ``(N, C)``, adding up to 1
``ordinal``      ``(N,)`` int64   ``(N, C - 1)``, CORN    probabilities ``(N, C)``, adding up to 1
``multi_label``  ``(N, C)`` 0, 1  logits ``(N, C)``       probabilities ``(N, C)``, each on its own
``number``       ``(N,)`` float   standardised ``(N, 1)``  values ``(N,)`` in the unit of the labels
===============  ===============  ======================  ==========================================
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from evidence.records import Record
from recommender.plan import Target
from trainer.errors import TrainingError
from trainer.measures.areas import cumulative_auc, label_auc, macro_auc
from trainer.reading.labels import LARGEST
from trainer.tuning.losses import (
    LABEL_SMOOTHING,
    GradeLoss,
    NumberLoss,
    inverse_frequency,
    negatives_per_positive,
)

#: Between the labels of one image; an image may also have none.
SEPARATOR = "|"
#: Name of the only output where a number is learned.
NUMBER_NAME = "value"

Encoded = npt.NDArray[np.int64] | npt.NDArray[np.float32]
Predictions = npt.NDArray[np.float64]


class Labels(Record):
    """What the outputs of a model mean; kept with the run, so that predictions can be read.

    Attributes
    ----------
    target : str
        ``classes``, ``multi_label``, ``ordinal`` or ``number``.
    names : tuple of str
        Classes or labels in alphabetical order; grades from the mildest to the worst;
        ``("value",)`` for a number.
    centre, spread : float
        Of a number: mean and standard deviation of the training part (`fitted`).
    """

    target: Target
    names: tuple[str, ...]
    centre: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, target: Target, labels: Sequence[str], order: Sequence[str] = ()) -> "Labels":
        """Names of what `labels`, one per image, hold.

        Parameters
        ----------
        order : sequence of str
            Of grades: from the mildest to the worst. Grades that are numbers need none.

        Raises
        ------
        TrainingError
            There is nothing to tell apart, a number is none, or the order does not name the grades.
        """
        if order and target != "ordinal":
            msg = f"an order of grades is for the target ordinal; the target is {target}"
            raise TrainingError(msg)
        names = _NAMES[target](labels, tuple(order))
        # A single label would be two classes: those that have it and the others.
        if len(names) < (1 if target == "number" else 2):
            found = ", ".join(sorted(set(labels))) or "none"
            msg = f"there is nothing to tell apart for the target {target}; found {found}"
            raise TrainingError(msg)
        return cls(target=target, names=names)

    @property
    def n_outputs(self) -> int:
        """Outputs of the network."""
        return len(self.names) - (self.target == "ordinal")

    @property
    def score_name(self) -> str:
        """What `score` is."""
        return {"ordinal": "cumulative_auc", "number": "negative_rmse"}.get(self.target, "auc")

    def encode(self, labels: Sequence[str]) -> Encoded:
        """Targets of images from their labels (shapes above).

        Raises
        ------
        TrainingError
            A label is none of the names, or no number.
        """
        if self.target == "number":
            return np.array(_numbers(labels), dtype=np.float32)
        found = _split(labels) if self.target == "multi_label" else [(label,) for label in labels]
        if unknown := sorted({name for row in found for name in row} - set(self.names)):
            msg = f"label {unknown[0]!r} is not known; allowed: {', '.join(self.names)}"
            raise TrainingError(msg)
        if self.target == "multi_label":
            return np.array([[name in row for name in self.names] for row in found], np.float32)
        index = {name: number for number, name in enumerate(self.names)}
        return np.array([index[name] for (name,) in found], dtype=np.int64)

    def fitted(self, targets: Encoded) -> "Labels":
        """These, with mean and standard deviation of a number in the training part `targets`."""
        if self.target != "number":
            return self
        spread = float(targets.std(dtype=np.float64))
        centre = float(targets.mean(dtype=np.float64))
        return self.model_copy(update={"centre": centre, "spread": spread or 1.0})

    def loss(
        self, targets: Encoded, class_weights: bool = True, smoothing: float = LABEL_SMOOTHING
    ) -> nn.Module:
        """Mean loss of a batch's outputs against its targets, both on the module's device.

        Parameters
        ----------
        targets : ndarray
            Encoded, of the training part: they say how frequent each class is.
        class_weights : bool
            Weigh classes and grades by inverse frequency, labels by negatives per positive.
        smoothing : float
            Share of each target spread over all classes; 0 for the loss of the validation part.
        """
        number = len(self.names)
        if self.target == "number":
            return NumberLoss(self.centre, self.spread)
        if self.target == "multi_label":
            positive = negatives_per_positive(targets.astype(np.float32))
            return nn.BCEWithLogitsLoss(pos_weight=positive if class_weights else None)
        weight = inverse_frequency(targets.astype(np.int64), number) if class_weights else None
        if self.target == "ordinal":
            return GradeLoss(torch.ones(number) if weight is None else weight)
        return nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)

    def predict(self, outputs: npt.NDArray[np.floating]) -> Predictions:
        """Probabilities or values (shapes above) of the outputs of a network."""
        raw = torch.from_numpy(np.array(outputs, dtype=np.float64))
        if self.target == "number":
            return np.asarray(raw[:, 0] * self.spread + self.centre)
        if self.target == "ordinal":
            return np.asarray(_grades(raw.sigmoid()))
        return np.asarray(raw.softmax(1) if self.target == "classes" else raw.sigmoid())

    def score(self, targets: Encoded, predictions: Predictions) -> float:
        """How good predictions are, larger is better; NaN where it is not defined.

        Macro one-vs-rest AUC of classes, mean AUC of labels, mean AUC of "worse than grade k" of
        grades; minus the root mean squared error of a number, in its unit.
        """
        if self.target == "number":
            return -math.sqrt(float(np.mean((targets - predictions) ** 2)))
        if self.target == "multi_label":
            return label_auc(targets.astype(np.float32), predictions)
        area = cumulative_auc if self.target == "ordinal" else macro_auc
        return area(targets.astype(np.int64), predictions)


def grade_probabilities(conditional: Predictions) -> Predictions:
    """Probability of each grade ``(N, C)`` from "worse than k, given k or worse" ``(N, C - 1)``."""
    return np.asarray(_grades(torch.from_numpy(conditional)))


def _grades(conditional: Tensor) -> Tensor:
    ones = torch.ones_like(conditional[:, :1])
    at_least = torch.cat([ones, conditional.cumprod(1)], 1)
    # A product keeps what a difference of two numbers close to 1 would lose.
    return at_least * torch.cat([1 - conditional, ones], 1)


def _split(labels: Sequence[str]) -> list[tuple[str, ...]]:
    return [
        tuple(name for part in label.split(SEPARATOR) if (name := part.strip())) for label in labels
    ]


def _numbers(labels: Sequence[str]) -> list[float]:
    numbers = [_number(label) for label in labels]
    if bad := [label for label, number in zip(labels, numbers, strict=True) if number is None]:
        msg = f"{len(bad)} labels are no finite numbers, the first {bad[0]!r}; 12.5 is allowed"
        raise TrainingError(msg)
    return [number for number in numbers if number is not None]


def _number(label: str) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return number if abs(number) <= LARGEST else None


def _number_name(labels: Sequence[str], _order: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(_numbers(labels))) < 2:
        return ()
    return (NUMBER_NAME,)


def _ordered(labels: Sequence[str], order: tuple[str, ...]) -> tuple[str, ...]:
    found = set(labels)
    if not order and all(_number(label) is not None for label in found):
        return tuple(sorted(found, key=float))
    if set(order) != found or len(order) != len(found):
        msg = (
            f"the order of grades is {', '.join(order) or 'not given'}; the images have "
            f"{', '.join(sorted(found))}: name each of them once, from the mildest to the worst"
        )
        raise TrainingError(msg)
    return order


_NAMES: dict[Target, Callable[[Sequence[str], tuple[str, ...]], tuple[str, ...]]] = {
    "classes": lambda labels, _: tuple(sorted(set(labels))),
    "multi_label": lambda labels, _: tuple(
        sorted({name for row in _split(labels) for name in row})
    ),
    "ordinal": _ordered,
    "number": _number_name,
}
