"""Reported results -> a pooled estimate only where honest, and what was left out of it.

Most rows of most reviews cannot be pooled: a bound or a range is no point, and a value without the
size of its test set has no standard error (see `evidence.reported`).

References
----------
Logit scale: Snell 2018, doi:10.1177/0962280217705678. Between-study variance: Paule & Mandel 1982,
doi:10.6028/jres.087.022; DerSimonian & Kacker 2007, doi:10.1016/j.cct.2006.04.004. Interval of the
mean: Hartung & Knapp 2001, doi:10.1002/sim.791, never narrower than without it: Roever 2015,
doi:10.1186/s12874-015-0091-1. Prediction interval: Higgins 2009,
doi:10.1111/j.1467-985X.2008.00552.x; why to show it: IntHout 2016, doi:10.1136/bmjopen-2015-010247.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from evidence.errors import EvidenceError
from evidence.records import Record
from evidence.reported import LEVEL, Bounds, Effect, Reported, effect, expit, obstacle
from evidence.vocabulary import Metric

#: Below this many images cross-validated accuracy was still found too high: Vabalas 2019,
#: doi:10.1371/journal.pone.0224365, where the bias remains visible at 1,000.
SMALL_N = 1000
#: Fewest studies for an estimate, and for one that is not flagged unstable and has a prediction
#: interval. A convention of ours: with few studies the between-study variance is hardly known.
MIN_POOLED = 3
MIN_STABLE = 5

Kind = Literal["none", "single", "range", "not_pooled", "unstable", "pooled"]


class LeftOut(Record):
    """Results that take no part in the pooled estimate, for one reason."""

    reason: str
    n: int
    study_keys: tuple[str, ...]


class Pooled(Record):
    """What can be said of several reported values together.

    Attributes
    ----------
    kind : str
        ``none``: no value is a point; ``single``: one, as reported; ``range``: two, side by side;
        ``not_pooled``: more, but fewer than three with a standard error; ``unstable``: three or
        four; ``pooled``: five or more.
    k : int
        Studies that count: those with a point and, from three points on, a standard error.
    study_keys : tuple of str
        Those studies, in the order given.
    value : float or None
        The value of a single study, or the pooled one.
    observed : Bounds or None
        Smallest and largest of the k values.
    interval, prediction : Bounds or None
        Interval of the mean, and of the value of a further study like these.
    tau2, q, i2 : float or None
        Heterogeneity on the logit scale: between-study variance, Cochran's Q, and I2 in [0, 1].
    """

    metric: Metric | None
    kind: Kind
    k: int
    study_keys: tuple[str, ...]
    value: float | None = None
    observed: Bounds | None = None
    interval: Bounds | None = None
    prediction: Bounds | None = None
    tau2: float | None = None
    q: float | None = None
    i2: float | None = None
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()


class RandomEffects(NamedTuple):
    """Random-effects mean of k estimates; `se` is Hartung and Knapp's, never below the usual."""

    mean: float
    se: float
    tau2: float
    q: float
    i2: float
    k: int

    def confidence(self) -> Bounds:
        """Interval of the mean, from t with k - 1 degrees of freedom (Hartung & Knapp 2001)."""
        return self._around(self.se, self.k - 1)

    def prediction(self) -> Bounds:
        """Interval of a further study's value, from t with k - 2 degrees of freedom; k >= 3.

        Higgins 2009, with Hartung and Knapp's standard error as in Partlett & Riley
        2017, doi:10.1002/sim.7140. Others take k - 1; k - 2 is the wider.
        """
        return self._around(math.sqrt(self.tau2 + self.se**2), self.k - 2)

    def _around(self, se: float, degrees: int) -> Bounds:
        from scipy.stats import t  # noqa: PLC0415  (slow to import; needed only here)

        half = float(t.ppf((1 + LEVEL) / 2, degrees)) * se
        return Bounds(low=self.mean - half, high=self.mean + half)


def random_effects(effects: Sequence[Effect]) -> RandomEffects:
    """Random-effects mean (Paule-Mandel) with Hartung and Knapp's standard error.

    Parameters
    ----------
    effects : sequence of Effect, length at least 2
        Independent estimates, standard errors above 0.
    """
    import numpy as np  # noqa: PLC0415  (with statsmodels, slow to import)
    from statsmodels.stats.meta_analysis import combine_effects  # noqa: PLC0415

    estimates, errors = np.asarray(effects, dtype=float).T
    # Equal estimates make its H2 and I2, which are not used, a division by zero.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = combine_effects(estimates, errors**2, method_re="pm")
    # Where the studies agree better than chance would, the bare adjustment narrows the interval.
    se = max(float(found.sd_eff_w_re_hksj), float(found.sd_eff_w_re))
    q, k = max(0.0, float(found.q)), len(effects)
    i2 = max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0
    return RandomEffects(float(found.mean_effect_re), se, float(found.tau2), q, i2, k)


#: Kinds of fewer points than are pooled, by their number.
_FEW: tuple[Kind, ...] = ("none", "single", "range")


def pool(results: Sequence[Reported]) -> Pooled:
    """Pool what may be pooled, and say what was left out and why.

    Of several results of one study the first point counts: they share a test set. Three or four
    studies get an estimate with its interval, flagged unstable; five or more a prediction
    interval as well.

    Raises
    ------
    EvidenceError
        The results are of several metrics; pool one metric at a time.
    """
    metrics = sorted({result.metric for result in results})
    if len(metrics) > 1:
        msg = f"found {' and '.join(metrics)}: pool one metric at a time"
        raise EvidenceError(msg)
    points, left_out = _first_points(results)
    few = len(points) < MIN_POOLED
    used = points if few else _with_error(points, left_out)
    plain = Pooled(
        metric=metrics[0] if metrics else None,
        kind=_FEW[len(points)] if few else "not_pooled",
        k=len(used),
        study_keys=tuple(result.study_key for result in used),
        value=points[0].value if len(points) == 1 else None,
        observed=_observed(used),
        left_out=tuple(
            LeftOut(reason=reason, n=len(keys), study_keys=tuple(dict.fromkeys(keys)))
            for reason, keys in left_out.items()
        ),
        warnings=tuple(_warnings(results, used)),
    )
    return plain if len(used) < MIN_POOLED else _estimated(plain, used)


def _first_points(results: Sequence[Reported]) -> tuple[list[Reported], dict[str, list[str]]]:
    """The first point of each study, and the studies of all other results by reason."""
    points: dict[str, Reported] = {}
    left_out: dict[str, list[str]] = defaultdict(list)
    for result in results:
        if result.operator != "=":
            left_out[str(obstacle(result))].append(result.study_key)
        elif result.study_key in points:
            left_out["a further result of a study that counts already"].append(result.study_key)
        else:
            points[result.study_key] = result
    return list(points.values()), left_out


def _with_error(points: list[Reported], left_out: dict[str, list[str]]) -> list[Reported]:
    """Points that can be given a standard error; the others go to `left_out`."""
    reasons = [(point, obstacle(point)) for point in points]
    for point, reason in reasons:
        if reason is not None:
            left_out[reason].append(point.study_key)
    return [point for point, reason in reasons if reason is None]


def _estimated(plain: Pooled, used: list[Reported]) -> Pooled:
    fit = random_effects([effect(result) for result in used])
    stable = fit.k >= MIN_STABLE
    return plain.model_copy(
        update={
            "kind": "pooled" if stable else "unstable",
            "value": expit(fit.mean),
            "interval": _as_fractions(fit.confidence()),
            "prediction": _as_fractions(fit.prediction()) if stable else None,
            "tau2": fit.tau2,
            "q": fit.q,
            "i2": fit.i2,
        }
    )


def _observed(used: list[Reported]) -> Bounds | None:
    values = [result.value for result in used]
    return Bounds(low=min(values), high=max(values)) if values else None


def _as_fractions(bounds: Bounds) -> Bounds:
    return Bounds(low=expit(bounds.low), high=expit(bounds.high))


def _warnings(results: Sequence[Reported], used: list[Reported]) -> Iterator[str]:
    small = sum((result.n_images or 0) < SMALL_N for result in results)
    if small:
        yield (
            f"{small} of {len(results)} values are from fewer than {SMALL_N:,} images or from an "
            "unknown number: small samples report higher accuracy (Vabalas 2019, "
            "doi:10.1371/journal.pone.0224365)"
        )
    if any(obstacle(result) is None for result in results):
        yield (
            "intervals are derived from the size of the test set, as if its images were "
            "independent: several images of one patient make them too narrow"
        )
    if len(used) >= MIN_POOLED:
        yield "the studies differ in task and data: their mean is no forecast for a new task"
    if MIN_POOLED <= len(used) < MIN_STABLE:
        yield f"{len(used)} studies: the estimate is unstable"
