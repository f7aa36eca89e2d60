"""How good a fitted model is on images that it did not learn from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from recommender.plan import TrainingPlan
from trainer.fitting import Fitted
from trainer.measures.bootstrap import Interval
from trainer.measures.operating_point import OperatingPoint, looked_for, operating_point, scored
from trainer.metrics import Evaluation, measure, measure_weighted
from trainer.preparing.preparation import Prepared
from trainer.runs import Resampled

Metrics = dict[str, Interval]


class Measured(NamedTuple):
    """What a result says of a model.

    Attributes
    ----------
    metrics : dict
        Part -> metric -> interval.
    by_class : dict
        Part -> class -> metric -> interval.
    operating_point : OperatingPoint or None
        Where the plan asks for a sensitivity.
    """

    metrics: dict[str, Metrics]
    by_class: dict[str, dict[str, Metrics]]
    operating_point: OperatingPoint | None


def measured(fitted: Fitted, data: Prepared, plan: TrainingPlan) -> Measured:
    """Metrics of the parts that were not learned from.

    Raises
    ------
    TrainingError
        The plan asks for an operating point of a task that has none.
    """
    parts = ("test",) if fitted.refitted else ("validation", "test")
    found = {part: _of_part(fitted, data, part, plan.seed) for part in parts}
    return Measured(
        {part: each.overall for part, each in found.items()},
        {part: each.by_class for part, each in found.items()},
        None if plan.sensitivity is None else _point(fitted, data, plan, plan.sensitivity),
    )


def without_width(found: Measured) -> tuple[str, ...]:
    """A word on intervals that only look certain: all resamples of the test part gave one value."""
    flat = [
        name
        for name, interval in found.metrics["test"].items()
        if interval.low is not None and interval.low == interval.high
    ]
    if not flat:
        return ()
    return (
        f"intervals without width ({', '.join(flat)}) are no certainty: resamples of these test "
        "images cannot show what others would",
    )


def _of_part(fitted: Fitted, data: Prepared, part: str, seed: int) -> Evaluation:
    index, units = data.index(part), data.units
    targets = fitted.labels.encode([data.images.labels[n] for n in index])
    groups = [units[n] for n in index]
    return measure(targets, fitted.predictions[index], fitted.labels, groups, seed)


def _point(
    fitted: Fitted, data: Prepared, plan: TrainingPlan, sensitivity: float
) -> OperatingPoint:
    labels, units, names = fitted.labels, data.units, data.images.labels
    validation, test = (
        scored(labels.encode([names[n] for n in index]), predictions, labels,
               [units[n] for n in index])
        for index, predictions in (
            (data.index("validation"), fitted.validation),
            (data.index("test"), fitted.predictions[data.index("test")]),
        )
    )  # fmt: skip
    return operating_point(validation, test, sensitivity, looked_for(labels), plan.seed)


def values(fitted: Fitted, data: Prepared) -> dict[str, float | None]:
    """Every metric of the test part without an interval; None where it is not defined."""
    index = data.index("test")
    targets = fitted.labels.encode([data.images.labels[n] for n in index])
    once = np.ones((1, len(index)))
    found = measure_weighted(targets, fitted.predictions[index], fitted.labels, once).overall
    return {
        name: None if np.isnan(value[0]) else round(float(value[0]), 6)
        for name, value in found.items()
    }


def summed_up(rows: Sequence[Mapping[str, float | None]]) -> dict[str, Resampled]:
    """Each metric over resamples in which it is defined."""
    names = dict.fromkeys(name for row in rows for name in row)
    defined = {name: [v for row in rows if (v := row.get(name)) is not None] for name in names}
    return {
        name: Resampled(
            n=len(found),
            mean=round(float(np.mean(found)), 6),
            deviation=round(float(np.std(found, ddof=1)), 6) if len(found) > 1 else 0.0,
            smallest=min(found),
            largest=max(found),
        )
        for name, found in defined.items()
        if found
    }
