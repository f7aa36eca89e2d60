"""One result as a review printed it, and how sure it is: interval and standard error.

Both come from the size of the *test* set or not at all; the total number of images, or the number
after augmentation, never stands in for it.
"""

import math
from collections import defaultdict
from statistics import NormalDist
from typing import Literal, NamedTuple

from pydantic import Field, model_validator
from sqlalchemy import Column, Connection, select

from evidence import schema
from evidence.records import Record
from evidence.vocabulary import RATES, Metric, Operator

#: Two-sided coverage of every interval here.
LEVEL = 0.95


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
    """Interval of one reported value; derived, as the store holds no printed one."""

    derived: Literal[True] = True
    method: str


class Effect(NamedTuple):
    """An estimate on the logit scale with its standard error."""

    estimate: float
    se: float


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
        logit, z = effect(result), NormalDist().inv_cdf((1 + LEVEL) / 2)
        low, high = (expit(logit.estimate + sign * z * logit.se) for sign in (-1, 1))
        return Interval(low=low, high=high, method="Hanley-McNeil, logit")
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415  (slow to import)

    n = _denominator(result) or 0
    low, high = proportion_confint(result.value * n, n, alpha=1 - LEVEL, method="wilson")
    return Interval(low=float(low), high=float(high), method="Wilson")


def expit(logit: float) -> float:
    """Fraction of a logit."""
    return (1 + math.tanh(logit / 2)) / 2  # exp would overflow far from 0


def effect(result: Reported) -> Effect:
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


def _denominator(result: Reported) -> int | None:
    """Test units that a proportion is out of."""
    if result.metric == "sensitivity":
        return result.n_positive_test
    return result.n_negative_test if result.metric == "specificity" else result.n_test


def results(connection: Connection, metric: Metric) -> tuple[Reported, ...]:
    """Every value of a metric that the store holds, in the order of the extractions.

    The size of the test set is taken where a review prints one count of it in images; counts of
    patients or slices are not the units that a value of images rests on.
    """
    evaluation, extraction = schema.evaluation, schema.extraction
    query = (
        select(
            evaluation,
            *(extraction.c[n] for n in "review study locator_table row_label ref_printed".split()),
            extraction.c.modality,
            schema.dataset.c.n_images,
            schema.study.c.first_author,
            schema.study.c.year,
        )
        .join_from(evaluation, extraction, evaluation.c.extraction == extraction.c.id)
        .join(schema.dataset, schema.dataset.c.extraction == extraction.c.id)
        .join(schema.study, schema.study.c.key == extraction.c.study)
        .where(evaluation.c.metric == metric)
        .order_by(evaluation.c.extraction, evaluation.c.position)
    )
    tests, positive = (_test_counts(connection, stage) for stage in ("test", "positive_test"))
    places = _words(connection, schema.extraction_anatomy.c.anatomy)
    backbones = _words(connection, schema.arm.c.backbone)
    return tuple(
        Reported(
            study_key=row["study"],
            label=f"{row['first_author']} {row['year'] or 'n.d.'}",
            review=row["review"],
            locator=f"{row['review']}, {row['locator_table']}, {row['ref_printed']}",
            n_test=tests.get(row["extraction"]),
            n_positive_test=positive.get(row["extraction"]),
            anatomy=places.get(row["extraction"], ()),
            backbone=";".join(dict.fromkeys(backbones.get(row["extraction"], ()))),
            **{name: row[name] for name in _COPIED},
        )
        for row in connection.execute(query).mappings()
    )


#: Fields of a result that stand in its row under the same name.
_COPIED = "metric operator value value_high n_images year modality".split()


def _test_counts(connection: Connection, stage: str) -> dict[int, int]:
    count = schema.sample_count
    rows = connection.execute(
        select(count.c.extraction, count.c.number, count.c.unit).where(count.c.stage == stage)
    )
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for extraction, number, unit in rows:
        found[extraction].append((number, unit))
    return {
        extraction: counts[0][0]
        for extraction, counts in found.items()
        if len(counts) == 1 and counts[0][1] == "images"
    }


def _words(connection: Connection, column: Column[str]) -> dict[int, tuple[str, ...]]:
    table = column.table
    query = select(table.c.extraction, column).order_by(table.c.extraction, table.c.position)
    if table is schema.arm:
        query = query.where(schema.arm.c.role != "benchmark")
    found: dict[int, list[str]] = defaultdict(list)
    for extraction, word in connection.execute(query):
        found[extraction].append(word)
    return {extraction: tuple(words) for extraction, words in found.items()}
