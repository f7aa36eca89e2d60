"""Ordered grades from classifiers of two sides, or from one fitted value."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from trainer.targets import grade_probabilities

Features = npt.NDArray[np.floating]
Grades = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

#: Inverse penalty of the thresholds on a single value: hardly any, but finite where grades part.
THRESHOLD_STRENGTH = 100.0


class GradeChain(BaseEstimator):  # type: ignore[misc]
    """For each grade a classifier of "worse", fitted on the images that are of it or worse.

    Their products are the probabilities of the grades.

    Parameters
    ----------
    estimator : classifier of two classes
        Fitted anew for every grade but the worst.
    weighted : bool
        Weigh images so that all grades count alike; the classifier must take weights.

    References
    ----------
    As the conditional logits of Shi, Cao and Raschka 2023, doi:10.1007/s10044-023-01181-9.
    """

    def __init__(self, estimator: Any, weighted: bool = False) -> None:
        self.estimator = estimator
        self.weighted = weighted

    def fit(self, features: Features, grades: Grades) -> Self:
        """Fit to grades 0, 1, ..., each of them there."""
        weights = image_weights(grades) if self.weighted else None
        self.estimators_ = []
        for grade in range(int(grades.max())):
            asked = grades >= grade
            extra = {} if weights is None else {"sample_weight": weights[asked]}
            fitted = clone(self.estimator).fit(features[asked], grades[asked] > grade, **extra)
            self.estimators_.append(fitted)
        return self

    def predict_proba(self, features: Features) -> Probabilities:
        """Probability of each grade, ``(N, C)``."""
        worse = [fitted.predict_proba(features)[:, 1] for fitted in self.estimators_]
        return grade_probabilities(np.stack(worse, 1).astype(np.float64))


class RankedGrades(BaseEstimator):  # type: ignore[misc]
    """A regression on the rank of the grade; what its values mean is learned on held-out folds.

    A regression fits its own training images better than others: thresholds placed on those
    values would be too sure, as with the values of a support vector machine (Platt 1999).

    Parameters
    ----------
    regressor : regressor
        Of ranks 0, 1, ...
    folds : int
        Folds that values are held out in.
    weighted : bool
        Weigh images so that all grades count alike.
    """

    def __init__(self, regressor: Any, folds: int = 3, weighted: bool = False) -> None:
        self.regressor = regressor
        self.folds = folds
        self.weighted = weighted

    def fit(self, features: Features, grades: Grades) -> Self:
        """Fit the thresholds to held-out values, then the regression to everything."""
        extra = {"sample_weight": image_weights(grades)} if self.weighted else {}
        ranks = grades.astype(np.float64)
        parts = StratifiedKFold(self.folds).split(features, grades)
        held_out = cross_val_predict(self.regressor, features, ranks, cv=parts, params=extra)
        thresholds = GradeChain(LogisticRegression(C=THRESHOLD_STRENGTH), self.weighted)
        self.thresholds_ = thresholds.fit(held_out[:, None], grades)
        self.regressor_ = clone(self.regressor).fit(features, ranks, **extra)
        return self

    def predict_proba(self, features: Features) -> Probabilities:
        """Probability of each grade, ``(N, C)``."""
        return self.thresholds_.predict_proba(self.regressor_.predict(features)[:, None])


def image_weights(grades: Grades) -> npt.NDArray[np.float64]:
    """Weight of each image by the inverse frequency of its grade, 1 on average."""
    counts = np.bincount(grades)
    weights = len(grades) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray(weights[grades])
