"""Reported results -> intervals where they can be had, and a pooled estimate only where honest.

Most rows of most reviews cannot be pooled: a bound or a range is no point, and a value without the
size of its *test* set has no standard error. The total number of images, or the number after
augmentation, never stands in for it.

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
from statistics import NormalDist
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from evidence.errors import EvidenceError
from evidence.records import Record
from evidence.vocabulary import RATES, Metric, Operator

#: Below this many images cross-validated accuracy was still found too high: Vabalas 2019,
#: doi:10.1371/journal.pone.0224365, where the bias remains visible at 1,000.
SMALL_N = 1000
#: Fewest studies for an estimate, and for one that is not flagged unstable with its prediction
#: interval: below 5 the between-study variance is hardly known (IntHout 2016).
MIN_POOLED = 3
MIN_STABLE = 5
#: Two-sided coverage of every interval here.
LEVEL = 0.95

Kind = Literal["none", "single", "range", "not_pooled", "unstable", "pooled"]


class Reported(Record):
    """One result as a review printed it, with what is needed to say how sure it is.

    Attributes
    ----------
    study_key, label : str
        Key of the study, and how it is cited.
    locator : str
        Where the value stands.
    value, value_high : float
        A rate is a fraction in [0, 1]; `value` is a lower bound with the operator ``>``;
        `value_high` only with ``range``.
    n_test, n_positive_test : int or None
        Independent units of the test set, and those with the finding; None where not known.
    n_images : int or None
        Images of the study before augmentation; shown, never used for a standard error.
    """

    study_key: str
    label: str
    review: str
    locator: str
    metric: Metric
    operator: Operator
    value: float
    value_high: float | None = None
    n_test: int | None = Field(default=None, ge=1)
    n_positive_test: int | None = Field(default=None, ge=1)
    n_images: int | None = Field(default=None, ge=1)
    year: int | None = None
    modality: str | None = None
    anatomy: tuple[str, ...] = ()
    backbone: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Reported":
        if (self.operator == "range") != (self.value_high is not None):
            msg = "value_high belongs to the operator 'range', and to no other"
            raise ValueError(msg)
        if self.metric in RATES and not 0 <= self.value <= (self.value_high or self.value) <= 1:
            msg = f"{self.metric} is a fraction in [0, 1], and a range runs upwards"
            raise ValueError(msg)
        if self.n_positive_test is not None and self.n_positive_test >= (self.n_test or math.inf):
            msg = "n_positive_test must be below n_test"
            raise ValueError(msg)
        return self

    @property
    def n_negative_test(self) -> int | None:
        """Test units without the finding; None where not known."""
        if self.n_test is None or self.n_positive_test is None:
            return None
        return self.n_test - self.n_positive_test


class Bounds(Record):
    """An interval, low before high."""

    low: float
    high: float


class Interval(Bounds):
    """Interval of one reported value; always derived here, as no review prints one."""

    derived: Literal[True] = True
    method: str


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


class Effect(NamedTuple):
    """An estimate on the logit scale with its standard error."""

    estimate: float
    se: float


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

        Higgins 2009, section 3.3, with Hartung and Knapp's standard error as in Partlett & Riley
        2017, doi:10.1002/sim.7140. Others take k - 1; k - 2 is the wider.
        """
        return self._around(math.sqrt(self.tau2 + self.se**2), self.k - 2)

    def _around(self, se: float, degrees: int) -> Bounds:
        from scipy.stats import t  # noqa: PLC0415  (slow to import; needed only here)

        half = float(t.ppf((1 + LEVEL) / 2, degrees)) * se
        return Bounds(low=self.mean - half, high=self.mean + half)


def hanley_mcneil(auc: float, n_positive: int, n_negative: int) -> float:
    """Standard error of an AUC from the sizes of its two groups.

    References
    ----------
    Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    both_positive, both_negative = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (
        auc * (1 - auc)
        + (n_positive - 1) * (both_positive - auc**2)
        + (n_negative - 1) * (both_negative - auc**2)
    ) / (n_positive * n_negative)
    return math.sqrt(variance)


def obstacle(result: Reported) -> str | None:
    """Why a result cannot be given a standard error; None where it can.

    A bound and a range are no points. An AUC of 0 or 1 has no logit, and without counts nothing
    corrects it. Precision has the positive calls below it, which no review prints.
    """
    if result.operator != "=":
        return "a lower bound (>) is no point" if result.operator == ">" else "a range is no point"
    if result.metric == "auc":
        if result.n_negative_test is None:
            return "positives and negatives of the test set are not known"
        return None if 0 < result.value < 1 else "an AUC of 0 or 1 has no standard error"
    if result.metric not in {"accuracy", "sensitivity", "specificity"}:
        return f"{result.metric} has no standard error from the size of the test set"
    return None if _denominator(result) else "the size of the test set is not known"


def interval(result: Reported) -> Interval | None:
    """95% interval of one value, or None where none can be derived (see `obstacle`).

    Wilson's for a proportion (Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-
    SIM777>3.0.CO;2-E); for an AUC Hanley and McNeil's standard error on the logit scale.
    """
    if obstacle(result) is not None:
        return None
    if result.metric == "auc":
        effect, z = _effect(result), NormalDist().inv_cdf((1 + LEVEL) / 2)
        low, high = (_expit(effect.estimate + sign * z * effect.se) for sign in (-1, 1))
        return Interval(low=low, high=high, method="Hanley-McNeil, logit")
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415  (slow to import)

    n = _denominator(result) or 0
    low, high = proportion_confint(result.value * n, n, alpha=1 - LEVEL, method="wilson")
    return Interval(low=float(low), high=float(high), method="Wilson")


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
    fit = random_effects([_effect(result) for result in used])
    stable = fit.k >= MIN_STABLE
    return plain.model_copy(
        update={
            "kind": "pooled" if stable else "unstable",
            "value": _expit(fit.mean),
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
    return Bounds(low=_expit(bounds.low), high=_expit(bounds.high))


def _expit(logit: float) -> float:
    return (1 + math.tanh(logit / 2)) / 2  # exp would overflow far from 0


def _denominator(result: Reported) -> int | None:
    """Test units that a proportion is out of."""
    if result.metric == "sensitivity":
        return result.n_positive_test
    return result.n_negative_test if result.metric == "specificity" else result.n_test


def _effect(result: Reported) -> Effect:
    """Logit with its standard error, of a result that has no `obstacle`.

    A proportion within half a unit of 0 or 1 counts as 0 or all of its units, and half a unit is
    added to both sides: Haldane 1956, doi:10.1111/j.1469-1809.1955.tb01285.x. To leave such
    studies out would lower the pooled value.
    """
    if result.metric == "auc":
        a = result.value
        error = hanley_mcneil(a, result.n_positive_test or 0, result.n_negative_test or 0)
        return Effect(math.log(a / (1 - a)), error / (a * (1 - a)))
    n = _denominator(result) or 0
    hits = result.value * n
    if not 0.5 <= hits <= n - 0.5:
        hits, n = round(hits) + 0.5, n + 1
    return Effect(math.log(hits / (n - hits)), math.sqrt(1 / hits + 1 / (n - hits)))


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
