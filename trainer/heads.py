"""Classifiers on frozen features: fitted with scikit-learn, kept without pickles."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import skops.io
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor

from evidence.vocabulary import Head
from trainer.errors import TrainingError

Features = npt.NDArray[np.float32]
Targets = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

#: Inverse regularisation strengths tried; chosen by log-loss on the validation part.
STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
SVM_STRENGTHS = (0.3, 1.0, 3.0, 10.0)
N_TREES = 500
#: Neighbours tried; with one or three a probability is too coarse to rank images by.
N_NEIGHBOURS = (5, 15, 45)
CALIBRATION_FOLDS = 3
MAX_ITERATIONS = 2000


@dataclass(frozen=True)
class Selection:
    """A fitted head and how it was chosen."""

    head: Pipeline
    chosen: str
    tried: tuple[dict[str, float | str], ...]


def fit_head(
    head: Head, features: Features, targets: Targets, parts: Sequence[str], seed: int
) -> Selection:
    """Choose the regularisation on the validation part, then fit on training and validation.

    Parameters
    ----------
    head : str
        ``linear`` (multinomial logistic regression), ``svm``, ``random_forest``, ``knn`` or
        ``lda`` (with the shrinkage of Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4).
    features, targets : ndarray, shapes (N, D) and (N,)
        Of all images; the test part is not looked at.
    parts : sequence of str, length N
        ``train``, ``validation`` or ``test``.
    seed : int
        Of the head.
    """
    part = np.asarray(parts)
    train, validation, fitting = part == "train", part == "validation", part != "test"
    tried: list[dict[str, float | str]] = []
    smallest = int(np.bincount(targets[train]).min())
    for name, model in _candidates(head, seed, smallest, int(train.sum())).items():
        model.fit(features[train], targets[train])
        loss = log_loss(targets[validation], model.predict_proba(features[validation]))
        tried.append({"setting": name, "validation_log_loss": float(loss)})
    best = str(min(tried, key=lambda row: row["validation_log_loss"])["setting"])
    model = _candidates(head, seed, smallest, int(train.sum()))[best]
    model.fit(features[fitting], targets[fitting])
    return Selection(model, best, tuple(tried))


def _candidates(head: Head, seed: int, smallest: int, n_train: int) -> dict[str, Pipeline]:
    if head == "linear":
        return {
            f"C={c:g}": make_pipeline(
                StandardScaler(),
                LogisticRegression(C=c, max_iter=MAX_ITERATIONS, class_weight="balanced"),
            )
            for c in STRENGTHS
        }
    if head == "svm":
        return {f"C={c:g}": _calibrated_svm(c, smallest) for c in SVM_STRENGTHS}
    if head == "random_forest":
        forest = RandomForestClassifier(
            N_TREES, class_weight="balanced_subsample", random_state=seed, n_jobs=-1
        )
        return {f"trees={N_TREES}": make_pipeline(StandardScaler(), forest)}
    if head == "knn":
        return {
            f"k={k}": make_pipeline(
                StandardScaler(), KNeighborsClassifier(k, weights="distance", metric="cosine")
            )
            for k in sorted({min(k, n_train) for k in N_NEIGHBOURS})
        }
    if head == "lda":
        machine = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        return {"shrinkage=auto": make_pipeline(StandardScaler(), machine)}
    msg = f"head {head!r} is not carried out; allowed: linear, svm, random_forest, knn, lda"
    raise TrainingError(msg)


def _calibrated_svm(strength: float, smallest: int) -> Pipeline:
    """Support vector machine with probabilities, calibrated by cross-validation."""
    if smallest < 2:
        msg = "a class has a single training image: an svm cannot be calibrated; use head linear"
        raise TrainingError(msg)
    machine = SVC(C=strength, class_weight="balanced")
    folds = min(CALIBRATION_FOLDS, smallest)
    return make_pipeline(
        StandardScaler(), CalibratedClassifierCV(machine, ensemble=False, cv=folds)
    )


def as_linear_layer(model: Pipeline) -> tuple[Tensor, Tensor]:
    """Scaler and logistic regression as one layer whose softmax gives the same probabilities.

    Returns
    -------
    tuple of Tensor
        Weight ``(C, D)`` and bias ``(C,)``.
    """
    scaler, regression = model[0], model[-1]
    weight, bias = regression.coef_ / scaler.scale_, regression.intercept_
    bias = bias - weight @ scaler.mean_
    if len(weight) == 1:  # binary: one row of log-odds against zero
        weight = np.concatenate([np.zeros_like(weight), weight])
        bias = np.concatenate([np.zeros_like(bias), bias])
    return torch.tensor(weight, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)


def save_head(model: Pipeline, path: Path) -> None:
    """Keep a scikit-learn head as a skops file, which holds data and type names, no code."""
    skops.io.dump(model, path)


def load_head(path: Path) -> Any:
    """Read a head; refuse a file that names any type beyond scikit-learn's and numpy's.

    Raises
    ------
    TrainingError
        The file is broken or names other types.
    """
    try:
        unknown = skops.io.get_untrusted_types(file=path)
        if foreign := [name for name in unknown if not name.startswith(("sklearn.", "numpy."))]:
            msg = f"{path.name} names types that no head of ours has: {', '.join(foreign)}"
            raise TrainingError(msg)
        return skops.io.load(path, trusted=unknown)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        msg = f"{path.name} cannot be read as a head: {error}"
        raise TrainingError(msg) from error
