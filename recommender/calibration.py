"""How often the expected interval covers what a left-out study reports."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from evidence.records import Record
from evidence.vocabulary import RATES
from recommender.corpus_population import Bools, Floats, Population, StudyTask
from recommender.neighbours import K
from recommender.prediction_interval import bounds
from recommender.similarity import CLOSE

#: Levels of the prediction interval that are checked.
LEVELS = (0.8, 0.9)
#: Powers of the similarity that are tried.
SHARPNESSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Fewer values of a metric are not worth an interval, or a choice by leaving one out.
MIN_VALUES = 10


class Coverage(Record):
    """How often an interval from the other studies holds what a study reports.

    What studies report is their authors' best value; nothing here is about what a user will get.

    Attributes
    ----------
    method : str
        ``range``: lowest to highest value of the close studies among the nearest ones, where
        there are two or more. ``prediction``: `recommender.prediction_interval`, its sharpness
        chosen from the other studies.
    nominal : float
        What it promises; for a range of m values (m - 1) / (m + 1), averaged over the studies.
    n : int
        Studies with a plain value of the metric for which an interval can be formed.
    covered, low, high : float
        Share that is covered, with Wilson's 95% interval (1927,
        doi:10.1080/01621459.1927.10502953).
    mean_width : float
        Of the intervals, in units of the metric.
    sharpness : float or None
        What all studies together choose; None for ``range``.
    """

    method: Literal["range", "prediction"]
    metric: str
    nominal: float
    n: int
    covered: float
    low: float
    high: float
    mean_width: float
    sharpness: float | None = None


@dataclass(frozen=True)
class Reports:
    """The m studies that report a metric as a plain number.

    Attributes
    ----------
    values : array of shape (m,)
    alike : array of shape (m, m)
        Similarity of study i as a question with study j.
    asked : array of bool, shape (m,)
    near : array of bool, shape (m, m)
        Whether j is close to i, and among the nearest of all studies.
    """

    values: Floats
    alike: Floats
    asked: Bools
    near: Bools


def coverage(studies: Population) -> tuple[Coverage, ...]:
    """Range and prediction intervals of every rate that `MIN_VALUES` studies report."""
    found: list[Coverage] = []
    for metric in sorted(RATES):
        reports = _reports(studies, metric)
        if reports.asked.sum() >= MIN_VALUES:
            found.append(_range(reports, metric))
            found += [_prediction(reports, metric, level) for level in LEVELS]
    return tuple(row for row in found if row.n)


def _reports(studies: Population, metric: str) -> Reports:
    plain = [_plain_values(task).get(metric) for task in studies.tasks]
    there = np.flatnonzero([value is not None for value in plain])
    alike = studies.studies.alike.copy()
    np.fill_diagonal(alike, -1.0)
    ranks = (-alike).argsort(axis=1, kind="stable").argsort(axis=1)
    near = (ranks < K) & (alike >= CLOSE)
    return Reports(
        values=np.array([value for value in plain if value is not None]),
        alike=alike[np.ix_(there, there)],
        asked=studies.studies.asked[there],
        near=near[np.ix_(there, there)],
    )


def _plain_values(task: StudyTask) -> Mapping[str, float]:
    """The first value of each metric that any extraction of the study prints as a plain number."""
    found: dict[str, float] = {}
    for arm in task.arms:
        for evaluation in arm.evaluations:
            if evaluation.operator == "=":
                found.setdefault(evaluation.metric, evaluation.value)
    return found


def _range(reports: Reports, metric: str) -> Coverage:
    counts = reports.near.sum(1)
    used = reports.asked & (counts > 1)
    near, n_near = reports.near[used], counts[used]
    low = np.where(near, reports.values, np.inf).min(1)
    high = np.where(near, reports.values, -np.inf).max(1)
    nominal = float(((n_near - 1) / (n_near + 1)).mean()) if used.any() else 0.0
    return _row(("range", metric, nominal), np.stack([low, high], 1), reports.values[used], None)


def _prediction(reports: Reports, metric: str, level: float) -> Coverage:
    used = np.flatnonzero(reports.asked)
    intervals = np.array([_left_out(reports, int(one), level) for one in used])
    sharpness = _sharpness(reports, level)
    return _row(("prediction", metric, level), intervals, reports.values[used], sharpness)


def _left_out(reports: Reports, one: int, level: float) -> Floats:
    """Interval of one study from the others, which choose the sharpness among themselves."""
    rest = np.delete(np.arange(len(reports.values)), one)
    others = Reports(
        values=reports.values[rest],
        alike=reports.alike[np.ix_(rest, rest)],
        asked=reports.asked[rest],
        near=reports.near[np.ix_(rest, rest)],
    )
    weights = reports.alike[one, rest] ** _sharpness(others, level)
    found: Floats = bounds(others.values[None], weights[None], level)[0]
    return found


def _sharpness(reports: Reports, level: float) -> float:
    """The power of the lowest mean interval score, leaving one study out; the lowest if tied.

    References
    ----------
    Gneiting & Raftery 2007, doi:10.1198/016214506000001437, section 6.2.
    """
    m = len(reports.values)
    others = np.array([np.delete(np.arange(m), one) for one in np.flatnonzero(reports.asked)])
    alike = np.take_along_axis(reports.alike[reports.asked], others, 1)
    truth = reports.values[reports.asked]
    means = [
        interval_score(bounds(reports.values[others], alike**power, level), truth, level).mean()
        for power in SHARPNESSES
    ]
    return SHARPNESSES[int(np.argmin(means))]


def interval_score(intervals: Floats, truth: Floats, level: float) -> Floats:
    """Width, and a fine for each value outside; shape (q,), lower is better."""
    low, high = intervals.T
    missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    found: Floats = high - low + 2 / (1 - level) * missed
    return found


def _row(
    what: tuple[Literal["range", "prediction"], str, float],
    intervals: Floats,
    truth: Floats,
    sharpness: float | None,
) -> Coverage:
    method, metric, nominal = what
    n_covered = int(((intervals[:, 0] <= truth) & (truth <= intervals[:, 1])).sum())
    low, high = wilson(n_covered, len(truth))
    return Coverage(
        method=method,
        metric=metric,
        nominal=round(nominal, 6),
        n=len(truth),
        covered=round(n_covered / max(len(truth), 1), 6),
        low=round(low, 6),
        high=round(high, 6),
        mean_width=round(float((intervals[:, 1] - intervals[:, 0]).sum()) / max(len(truth), 1), 6),
        sharpness=sharpness,
    )


def wilson(n_true: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share; (0, 1) of nothing."""
    if not n:
        return 0.0, 1.0
    z, share = NormalDist().inv_cdf(0.975), n_true / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)
