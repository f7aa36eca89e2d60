"""How well the recommender repeats what authors used, beside what knows almost nothing.

Studies are left out one at a time. To repeat authors' habits is not to advise well (see
`recommender.headtohead`); this says how much of a habit there is to repeat.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from evidence.records import Corpus, Record
from recommender.calibration import Coverage, coverage
from recommender.corpus_leaks import LeakCheck, leak_checks
from recommender.corpus_population import SEED, TARGETS, Floats, Population, population
from recommender.corpus_predictors import CANDIDATES, PREDICTORS, shrinkage_losses, strongest
from recommender.corpus_scores import METRICS, leave_one_out, scores
from recommender.errors import RecommendationError

#: Resamples of the studies for an interval, and its two ends.
N_RESAMPLES = 2000
ENDS = (2.5, 97.5)
#: The review whose 102 studies all have every field, and all reviews together.
COMPLETE = "morid2022"
EVERY = "all reviews"
#: Fewer studies than this cannot be left out one at a time, with another left out inside.
MIN_STUDIES = 5
#: Values are rounded, so that the same store gives the same bytes on every machine.
DIGITS = 6

Verdict = Literal["better", "worse", "not told apart"]


class CorpusScore(Record):
    """One metric of one predictor on one target, over the studies of a population.

    Attributes
    ----------
    metric : str
        ``top1`` and ``top3``, in [0, 1]: the share of what a study used that is among the one or
        three likeliest labels, ties broken at random, in expectation. ``log_loss`` in nats.
    n : int
        Studies that can be asked and say what they used.
    low, high : float
        95% percentile interval of 2,000 bootstrap samples of the studies.
    difference, difference_low, difference_high : float or None
        Predictor minus constant on the same studies; None for the constant.
    verdict : str or None
        Whether that interval lies on the good side of 0, on the bad one, or holds it.
    """

    population: str
    target: str
    predictor: str
    metric: Literal["top1", "top3", "log_loss"]
    n: int
    value: float
    low: float
    high: float
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    verdict: Verdict | None = None


class FittedShrinkage(Record):
    """What a whole population would choose for `recommender.neighbours`.

    Attributes
    ----------
    target : str
        ``all`` for one choice over all targets.
    k, prior_studies : number or None
        The strongest shrinkage that is not significantly worse than the best (see
        `recommender.corpus_predictors.fitted`); None where neighbours should not count at all.
    lowest_k, lowest_prior_studies : number or None
        Those of the lowest log-loss, however little lower.
    log_loss, lowest_log_loss, constant_log_loss : float
        Leaving one study out, of the values above, and without neighbours.
    """

    population: str
    target: str
    k: int | None
    prior_studies: float | None
    log_loss: float
    lowest_k: int | None
    lowest_prior_studies: float | None
    lowest_log_loss: float
    constant_log_loss: float


class Studies(Record):
    """A population: its studies, those taken, and those that say enough to be asked."""

    name: str
    n_studies: int
    n_taken: int
    n_asked: int


class CorpusEvaluation(Record):
    """Everything that `evtl evaluate corpus` says; the same store gives the same record."""

    schema_version: Literal[1] = 1
    corpus_digest: str
    n_resamples: int
    seed: int
    populations: tuple[Studies, ...]
    scores: tuple[CorpusScore, ...]
    fitted: tuple[FittedShrinkage, ...]
    coverage: tuple[Coverage, ...]
    leaks: tuple[LeakCheck, ...] = ()


def evaluate_corpus(corpus: Corpus, *, n_permutations: int = 0) -> CorpusEvaluation:
    """Leave every study out once.

    Parameters
    ----------
    corpus : Corpus
        Its arms; benchmarks, claims and runs take no part.
    n_permutations : int
        How often to repeat everything with permuted labels, which nobody can predict.

    Raises
    ------
    RecommendationError
        Too few studies say enough to be asked, or there is a single permutation.
    """
    arms = corpus.arms.records(range(len(corpus.arms)))
    complete = [arm for arm in arms if arm.review == COMPLETE]
    every = population(EVERY, arms)
    found = [one for one in (population(COMPLETE, complete), every) if _is_enough(one)]
    if not found:
        few = min(TARGETS, key=lambda target: every.studies.scored(target).sum())
        msg = (
            f"only {int(every.studies.scored(few).sum())} studies of the store give modality, "
            f"number of images and {few}; at least {MIN_STUDIES} are needed to leave one out"
        )
        raise RecommendationError(msg)
    leaks = tuple(row for one in found for row in leak_checks(one, n_permutations, SEED))
    return CorpusEvaluation(
        corpus_digest=corpus.digest,
        n_resamples=N_RESAMPLES,
        seed=SEED,
        populations=tuple(
            Studies(
                name=one.name,
                n_studies=one.n_found,
                n_taken=len(one.tasks),
                n_asked=int(one.studies.asked.sum()),
            )
            for one in found
        ),
        scores=tuple(row for one in found for row in corpus_scores(one)),
        fitted=tuple(row for one in found for row in fitted_shrinkage(one)),
        coverage=coverage(every),
        leaks=leaks,
    )


def _is_enough(studies: Population) -> bool:
    return all(studies.studies.scored(target).sum() >= MIN_STUDIES for target in TARGETS)


def corpus_scores(studies: Population) -> tuple[CorpusScore, ...]:
    """Every target, predictor and metric, in that order."""
    answers = leave_one_out(studies, PREDICTORS)
    return tuple(
        row
        for target, labels in studies.studies.labels.items()
        for row in _rows(
            (studies.name, target),
            {
                name: scores(answer[target], labels)[studies.studies.scored(target)]
                for name, answer in answers.items()
            },
        )
    )


def _rows(what: tuple[str, str], found: Mapping[str, Floats]) -> list[CorpusScore]:
    """Rows of one target from the (n, n_metrics) scores of each predictor."""
    constant = found["constant"]
    n = len(constant)
    drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES) / n
    rows = []
    for name, own in found.items():
        for metric, values, against in zip(METRICS, own.T, (own - constant).T, strict=True):
            low, high = _interval(drawn @ values)
            row = CorpusScore(
                population=what[0], target=what[1], predictor=name, metric=metric, n=n,
                value=_rounded(values.mean()), low=low, high=high,
            )  # fmt: skip
            rows.append(row if name == "constant" else _compared(row, against, drawn))
    return rows


def _compared(row: CorpusScore, against: Floats, drawn: Floats) -> CorpusScore:
    low, high = _interval(drawn @ against)
    sign = 1 if row.metric == "log_loss" else -1
    verdict: Verdict = "not told apart"
    if low > 0 or high < 0:
        verdict = "worse" if sign * low > 0 else "better"
    return row.model_copy(
        update={
            "difference": _rounded(against.mean()),
            "difference_low": low,
            "difference_high": high,
            "verdict": verdict,
        }
    )


def _interval(means: Floats) -> tuple[float, float]:
    low, high = np.percentile(means, ENDS)
    return _rounded(low), _rounded(high)


def _rounded(value: float) -> float:
    return round(float(value), DIGITS) + 0.0  # no minus zero


def fitted_shrinkage(studies: Population) -> tuple[FittedShrinkage, ...]:
    """What all studies together would choose, for each target and for all of them at once."""
    losses = dict(shrinkage_losses(studies.studies))
    losses["all"] = np.concatenate(list(losses.values()), axis=1)
    return tuple(_fitted(studies.name, target, found) for target, found in losses.items())


def _fitted(name: str, target: str, losses: Floats) -> FittedShrinkage:
    means = losses.mean(1)
    chosen, lowest = strongest(losses), int(means.argmin())
    (k, prior), (lowest_k, lowest_prior) = _said(chosen), _said(lowest)
    return FittedShrinkage(
        population=name,
        target=target,
        k=k,
        prior_studies=prior,
        log_loss=_rounded(means[chosen]),
        lowest_k=lowest_k,
        lowest_prior_studies=lowest_prior,
        lowest_log_loss=_rounded(means[lowest]),
        constant_log_loss=_rounded(means[0]),
    )


def _said(candidate: int) -> tuple[int | None, float | None]:
    shrinkage = CANDIDATES[candidate]
    return (shrinkage.k, shrinkage.prior_studies) if candidate else (None, None)
