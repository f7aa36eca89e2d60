"""What may be said of a study that was left out: the constant, its anatomy's mode, kNN, ours.

Each predictor is a function of the training studies and a question. Whatever it chooses, it
chooses by leaving out one training study at a time.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.corpus_population import Floats, Question, Training

#: Probabilities over the labels of each target.
Answer = Mapping[str, Floats]
Predictor = Callable[[Training, Question], Answer]

#: What the whole corpus counts for beside the studies of one anatomy, or the k nearest ones.
#: Set by hand; the constant and the mode within anatomy are baselines, not advice.
PRIOR = 5.0
#: Numbers of neighbours that are tried.
KNN_KS = (3, 5, 9, 15, 25, 45)
KS = (5, 10, 15, 30, 60)
#: Weights of the whole corpus beside the neighbours that are tried, in studies.
PRIORS = (2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
#: Two-sided 95% of a normal distribution.
Z = 1.959964


@dataclass(frozen=True)
class Shrinkage:
    """How far neighbours move the shares of the whole corpus.

    Attributes
    ----------
    k : int
        Number of neighbours.
    prior_studies : float
        What the whole corpus counts for beside them; infinite where they count for nothing.
    """

    k: int
    prior_studies: float


#: The constant itself, then every pair, from the strongest shrinkage to the weakest.
CANDIDATES = (
    Shrinkage(0, math.inf),
    *(Shrinkage(k, prior) for prior in reversed(PRIORS) for k in KS),
)


def constant(training: Training, question: Question) -> Answer:
    """Shares of all training studies, each label counted once more than it occurs.

    References
    ----------
    Laplace's rule of succession; the labels are those that `Population.words` lists.
    """
    del question
    return {target: smoothed(labels.sum(0)) for target, labels in training.labels.items()}


def smoothed(counts: Floats) -> Floats:
    """Counts along the last axis as probabilities, one added to each; none is ever 0."""
    found: Floats = (counts + 1) / (counts + 1).sum(-1, keepdims=True)
    return found


def drawn(counts: Floats, towards: Floats, prior_studies: float) -> Floats:
    """Shares of some studies, drawn towards those of the whole corpus.

    Parameters
    ----------
    counts : array of shape (..., n_labels)
        Weighted counts of the labels among neighbours.
    towards : array of shape (..., n_labels)
        Shares that add up to 1.
    prior_studies : float
        What they count for; infinite leaves them as they are.

    Returns
    -------
    array of shape (..., n_labels)
        What `recommender.neighbours.shares` gives for the same studies.
    """
    pull = 1 / prior_studies
    found: Floats = (pull * counts + towards) / (pull * counts.sum(-1, keepdims=True) + 1)
    return found


def mode_in_anatomy(training: Training, question: Question) -> Answer:
    """Shares of the training studies of the same anatomy, drawn towards the constant."""
    same = (training.anatomy == question.anatomy).astype(float)
    return _answer(training, dict.fromkeys(training.labels, (same, PRIOR)))


def _answer(training: Training, weights: Mapping[str, tuple[Floats, float]]) -> Answer:
    """Shares among weighted studies, drawn towards the constant: (m,) weights and the prior."""
    return {
        target: drawn(near @ training.labels[target], smoothed(training.labels[target].sum(0)), by)
        for target, (near, by) in weights.items()
    }


def knn(training: Training, question: Question) -> Answer:
    """Shares of the nearest studies by the features and the k that serve the training best.

    Chosen for each target by log-loss. Studies as near as the k-th count too: there is no order
    among them.
    """
    asked = np.stack(list(_nearest(question.features, KNN_KS)))
    weights = {}
    for target, counts in _counts_of_others(training).items():
        shares = drawn(counts, _constants(training.labels[target]), PRIOR)
        means = _losses(shares, training, target).mean(-1)
        weights[target] = (asked[np.unravel_index(means.argmin(), means.shape)], PRIOR)
    return _answer(training, weights)


def _counts_of_others(training: Training) -> Mapping[str, Floats]:
    """Labels among the nearest others, of shape (n_ks, n_choices, m, n_labels) each."""
    likeness = training.features.copy()
    itself = np.arange(likeness.shape[-1])
    likeness[:, itself, itself] = -1.0
    columns = np.concatenate(list(training.labels.values()), axis=1)
    counts = np.stack([near @ columns for near in _nearest(likeness, KNN_KS)])
    ends = np.cumsum([labels.shape[1] for labels in training.labels.values()])
    return dict(zip(training.labels, np.split(counts, ends[:-1], axis=-1), strict=True))


def _nearest(likeness: Floats, ks: Sequence[int]) -> Iterator[Floats]:
    """For each k, 1 for the k nearest along the last axis and those as near as the k-th, else 0.

    Studies of a likeness below 0 are never near.
    """
    ordered = np.sort(likeness, axis=-1)
    for k in ks:
        last = ordered[..., -min(k, ordered.shape[-1]), None]
        # Means of the same likenesses may differ in their last digits.
        yield (likeness > np.maximum(last, 0.0) - 1e-9).astype(float)


def recommender(training: Training, question: Question) -> Answer:
    """The recommender's prevalence with the shrinkage that the training studies choose."""
    return prevalence(training, question, fitted(training))


def prevalence(
    training: Training, question: Question, shrinkage: Mapping[str, Shrinkage]
) -> Answer:
    """Similarity-weighted shares of the nearest studies, drawn towards the constant."""
    nearest = near(question.alike[None], {by.k for by in shrinkage.values()})
    weights = {target: (nearest[by.k][0], by.prior_studies) for target, by in shrinkage.items()}
    return _answer(training, weights)


def near(alike: Floats, ks: Iterable[int]) -> Mapping[int, Floats]:
    """For each k, similarities of the k nearest studies of each row, 0 elsewhere.

    Ties are in order of the studies' keys, as in `recommender.neighbours.by_study`.

    Parameters
    ----------
    alike : array of shape (q, m)

    Returns
    -------
    mapping of k to array of shape (q, m)
    """
    places = np.argsort(np.argsort(-alike, axis=1, kind="stable"), axis=1)
    return {k: np.where(places < k, alike, 0.0) for k in ks}


def fitted(training: Training) -> Mapping[str, Shrinkage]:
    """For each target the strongest shrinkage that the training studies do not speak against.

    Neighbours move the shares only where that is shown to pay: of all candidates whose log-loss,
    leaving out one study at a time, is not significantly above the lowest (95%, paired), the one
    that stays nearest to the constant; of several the one of the lowest loss.

    References
    ----------
    After the rule of one standard error of Breiman et al. 1984, Classification and Regression
    Trees, section 3.4.3; here of 1.96, because what adds nothing is to count for nothing.
    """
    losses = shrinkage_losses(training)
    return {target: CANDIDATES[strongest(found)] for target, found in losses.items()}


def strongest(losses: Floats) -> int:
    """Place in `CANDIDATES` by the rule of `fitted`, from losses of shape (n_candidates, n)."""
    above = losses - losses[losses.mean(1).argmin()]
    error = above.std(1) / math.sqrt(losses.shape[1])
    kept = np.flatnonzero(above.mean(1) <= Z * error)
    prior = CANDIDATES[kept[0]].prior_studies
    equal = [int(i) for i in kept if CANDIDATES[i].prior_studies == prior]
    return min(equal, key=lambda i: float(losses[i].mean()))


def shrinkage_losses(training: Training) -> Mapping[str, Floats]:
    """Log-loss of each of `CANDIDATES` on each study, that study left out.

    Returns
    -------
    mapping of target to array of shape (n_candidates, n_scored)
    """
    alike = training.alike.copy()
    np.fill_diagonal(alike, 0.0)
    nearest = near(alike, (0, *KS))
    found = {}
    for target, labels in training.labels.items():
        counts = {k: weights @ labels for k, weights in nearest.items()}
        towards = _constants(labels)
        shares = [drawn(counts[c.k], towards, c.prior_studies) for c in CANDIDATES]
        found[target] = _losses(np.stack(shares), training, target)
    return found


def _constants(labels: Floats) -> Floats:
    """The constant of the other studies, for each study; shape (m, n_labels)."""
    return smoothed(labels.sum(0) - labels)


def _losses(probabilities: Floats, training: Training, target: str) -> Floats:
    """Log-loss of (..., m, n_labels) probabilities on the m studies that can be scored."""
    found: Floats = -(training.labels[target] * np.log(probabilities)).sum(-1)
    return found[..., training.scored(target)]


#: Predictors by the name under which they are shown; the others are held to the constant.
PREDICTORS: Mapping[str, Predictor] = {
    "constant": constant,
    "mode in anatomy": mode_in_anatomy,
    "nested kNN": knn,
    "recommender": recommender,
}
