"""Heads on frozen features: fitted with scikit-learn, kept without pickles."""

import io
import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import skops.io
import torch
from sklearn.pipeline import Pipeline
from torch import Tensor

from evidence.vocabulary import Head
from trainer.candidates import WEIGHING, Setup, candidates
from trainer.errors import TrainingError
from trainer.metrics import measure_weighted
from trainer.places import new_file
from trainer.targets import Encoded, Labels, Predictions

Features = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: Part of a skops file that says what its objects are, and the numbers of these.
SCHEMA = "schema.json"
_ADDRESS = re.compile(r'(?<="__id__": )\d+|\d+(?=\.np[yz])')
#: Types of our own that a kept head may hold, beside scikit-learn's and numpy's.
OUR_TYPES = frozenset({"trainer.grades.GradeChain", "trainer.grades.RankedGrades"})


@dataclass(frozen=True)
class Selection:
    """A fitted head and how it was chosen.

    Attributes
    ----------
    head : Pipeline
        Fitted on training and validation part.
    tried : tuple of dict
        Each setting with its loss on the validation part.
    validation : ndarray
        Predictions of the validation part by the chosen setting fitted on the training part
        alone: to calibrate or choose a threshold on, as the head itself has seen these images.
    weighted : bool
        Classes were weighed by inverse frequency.
    """

    head: Pipeline
    chosen: str
    tried: tuple[dict[str, float | str], ...]
    validation: Predictions
    weighted: bool


def fit_head(
    head: Head,
    features: Features,
    targets: Encoded,
    parts: Sequence[str],
    seed: int,
    *,
    labels: Labels | None = None,
    class_weights: bool = True,
) -> Selection:
    """Choose the regularisation on the validation part, then fit on training and validation.

    Parameters
    ----------
    head : str
        ``linear`` (logistic regression; ridge of a number), ``svm``, ``random_forest``, ``knn``,
        ``lda`` (with the shrinkage of Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4) or
        ``svr`` (of a number or of ranks of grades).
    features, targets : ndarray, shapes (N, D) and (N,) or (N, C)
        Of all images; the test part is not looked at.
    parts : sequence of str, length N
        ``train``, ``validation`` or ``test``.
    seed : int
        Of the head.
    labels : Labels or None
        What `targets` mean; None for classes.
    class_weights : bool
        Weigh classes by inverse frequency where the head can.

    Returns
    -------
    Selection
        Least log-loss of the probabilities, or least root mean squared error, on validation.

    Raises
    ------
    TrainingError
        The head makes no sense for the target, or the training part lacks a class.
    """
    names = labels or _numbered(targets)
    part = np.asarray(parts)
    train, validation, fitting = part == "train", part == "validation", part != "test"
    weighted = class_weights and head in WEIGHING and names.target != "number"
    smallest = _smallest(targets[train], names)
    setup = Setup(names.target, seed, smallest, int(train.sum()), weighted)
    tried: list[dict[str, float | str]] = []
    best, least, held_out = "", math.inf, np.empty(0)
    for name, model in candidates(head, setup).items():
        model.fit(features[train], targets[train])
        found = predict(model, features[validation])
        loss_name, loss = _loss(targets[validation], found, names)
        tried.append({"setting": name, loss_name: loss})
        if not best or loss < least:
            best, least, held_out = name, loss, found
    model = candidates(head, setup)[best]
    model.fit(features[fitting], targets[fitting])
    return Selection(model, best, tuple(tried), held_out, weighted)


def predict(model: Any, features: Features) -> Predictions:
    """Probabilities ``(N, C)``, or values ``(N,)`` of a head that was fitted to a number."""
    of = getattr(model, "predict_proba", None) or model.predict
    return np.asarray(of(features), dtype=np.float64)


def _numbered(targets: Encoded) -> Labels:
    return Labels(target="classes", names=tuple(str(n) for n in range(int(targets.max()) + 1)))


def _loss(targets: Encoded, predictions: Predictions, labels: Labels) -> tuple[str, float]:
    name = "rmse" if labels.target == "number" else "log_loss"
    once = np.ones((1, len(targets)))
    measured = measure_weighted(targets, predictions, labels, once)
    return f"validation_{name}", float(measured.overall[name][0])


def _smallest(targets: Encoded, labels: Labels) -> int:
    """Images of the rarest class; of a label, on the smaller side."""
    if labels.target == "number":
        return len(targets)
    if labels.target == "multi_label":
        counts = np.minimum(targets.sum(0), len(targets) - targets.sum(0))
    else:
        counts = np.bincount(targets.astype(np.int64), minlength=len(labels.names))
    rarest = int(counts.argmin())
    if not counts[rarest]:
        which = "either no or every" if labels.target == "multi_label" else "no"
        msg = (
            f"{which} training image is of {labels.names[rarest]!r}, which a head cannot learn so; "
            "give more images of it, another split, or leave it out"
        )
        raise TrainingError(msg)
    return int(counts[rarest])


def as_linear_layer(model: Pipeline, labels: Labels | None = None) -> tuple[Tensor, Tensor]:
    """Scaler and linear head as one layer, whose outputs `Labels.predict` reads alike.

    Parameters
    ----------
    labels : Labels or None
        Needed of a number, whose outputs are standardised.

    Returns
    -------
    tuple of Tensor
        Weight ``(n_outputs, D)`` and bias ``(n_outputs,)``.
    """
    scaler, fitted = model[0], model[-1]
    steps = getattr(fitted, "estimators_", [fitted])
    rows = np.concatenate([np.atleast_2d(step.coef_) for step in steps])
    bias = np.concatenate([np.atleast_1d(step.intercept_) for step in steps])
    weight = rows / scaler.scale_
    bias = bias - weight @ scaler.mean_
    if labels is not None and labels.target == "number":
        weight, bias = weight / labels.spread, (bias - labels.centre) / labels.spread
    elif fitted is steps[0] and len(weight) == 1:  # binary: one row of log-odds against zero
        weight = np.concatenate([np.zeros_like(weight), weight])
        bias = np.concatenate([np.zeros_like(bias), bias])
    return torch.tensor(weight, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)


def save_head(model: Pipeline, path: Path) -> None:
    """Keep a head as a skops file, which holds data and type names, no code.

    Raises
    ------
    TrainingError
        It cannot be written.
    """
    with new_file(path) as draft:
        draft.write_bytes(_numbered_anew(skops.io.dumps(model)))


def _numbered_anew(content: bytes) -> bytes:
    """A skops file in which objects are numbered by their order, not by addresses in memory.

    Equal heads then are equal files, as those of a run that was stopped and gone on with.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as given:
        files = {name: given.read(name) for name in given.namelist()}
    schema = files.pop(SCHEMA).decode()
    numbers = {old: str(n) for n, old in enumerate(dict.fromkeys(_ADDRESS.findall(schema)))}

    def anew(text: str) -> str:
        return _ADDRESS.sub(lambda found: numbers[found[0]], text)

    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as made:
        made.writestr(zipfile.ZipInfo(SCHEMA), anew(schema))
        for name, data in sorted((anew(name), data) for name, data in files.items()):
            made.writestr(zipfile.ZipInfo(name), data)
    return written.getvalue()


def load_head(path: Path) -> Any:
    """Read a head; refuse a file that names any type beyond scikit-learn's, numpy's and ours.

    Raises
    ------
    TrainingError
        The file is broken or names other types.
    """
    try:
        unknown = skops.io.get_untrusted_types(file=path)
        if foreign := [name for name in unknown if not _is_known(name)]:
            msg = f"{path.name} names types that no head of ours has: {', '.join(foreign)}"
            raise TrainingError(msg)
        return skops.io.load(path, trusted=unknown)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        msg = f"{path.name} cannot be read as a head: {error}"
        raise TrainingError(msg) from error


def _is_known(name: str) -> bool:
    return name.startswith(("sklearn.", "numpy.")) or name in OUR_TYPES
