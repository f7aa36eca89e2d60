"""Predictions of left-out studies, and how good each of them is."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from recommender.corpus_population import Floats, Population
from recommender.corpus_predictors import Predictor

#: Columns of `scores`.
METRICS: tuple[Literal["top1", "top3", "log_loss"], ...] = ("top1", "top3", "log_loss")
#: Probabilities that differ by less than rounding errors are tied.
TIED_DIGITS = 12


def leave_one_out(
    studies: Population, predictors: Mapping[str, Predictor]
) -> Mapping[str, Mapping[str, Floats]]:
    """What each predictor says of each study from the others alone.

    Returns
    -------
    mapping of predictor to mapping of target to array of shape (n, n_labels)
        Rows of studies that cannot be asked hold equal shares and are never scored.
    """
    found = {
        name: {
            target: np.full(labels.shape, 1 / labels.shape[1])
            for target, labels in studies.studies.labels.items()
        }
        for name in predictors
    }
    for left_out in np.flatnonzero(studies.studies.asked):
        training, question = studies.without(int(left_out))
        for name, predictor in predictors.items():
            for target, shares in predictor(training, question).items():
                found[name][target][left_out] = shares
    return found


def scores(probabilities: Floats, labels: Floats) -> Floats:
    """Metrics of each study, shape (n, 3): `METRICS`.

    Parameters
    ----------
    probabilities, labels : array of shape (n, n_labels)
        What was predicted, and the share of each label among what the study used.
    """
    loss = -(labels * np.log(probabilities)).sum(1)
    return np.stack([_hits(probabilities, labels, 1), _hits(probabilities, labels, 3), loss], 1)


def _hits(probabilities: Floats, labels: Floats, k: int) -> Floats:
    """Expected share of each study's labels among the k likeliest, ties broken at random."""
    rounded = probabilities.round(TIED_DIGITS)
    likelier = (rounded[:, None, :] > rounded[:, :, None]).sum(2)
    tied = (rounded[:, None, :] == rounded[:, :, None]).sum(2)
    found: Floats = (labels * np.clip((k - likelier) / tied, 0, 1)).sum(1)
    return found
