"""What similar studies report, and what to mind."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from evidence.records import TaskProfile
from evidence.vocabulary import MODALITY, RATES, Metric
from recommender.neighbours import Neighbour
from recommender.prediction_interval import prediction_interval
from recommender.records import Choice, Expected
from recommender.similarity import CLOSE

#: Share of further studies that an expected interval is to hold.
LEVEL = 0.8


def expected(near: Sequence[Neighbour]) -> Expected:
    """Where a further study's value of the metric that most close studies report may lie.

    Parameters
    ----------
    near : sequence of Neighbour
        The most similar studies, not only the close ones: each counts by its likeness. Nothing is
        expected where none is close.
    """
    close = [n for n in near if n.similarity >= CLOSE]
    counts = Counter(metric for neighbour in close for metric in _plain_values(neighbour))
    if not counts:
        return Expected(metric=None, low=None, median=None, high=None, n_studies=0)
    metric = max(sorted(counts), key=lambda name: counts[name])
    pairs = [(v[metric], n.similarity) for n in near if metric in (v := _plain_values(n))]
    values, similarities = zip(*pairs, strict=True)
    interval = prediction_interval(values, similarities, LEVEL)
    return Expected(
        metric=metric,
        low=round(interval.low, 4),
        median=round(median(values), 4),
        high=round(interval.high, 4),
        n_studies=len(values),
    )


def _plain_values(neighbour: Neighbour) -> dict[Metric, float]:
    """The first plain value of each rate that a study reports, in any review."""
    found: dict[Metric, float] = {}
    for arm in neighbour.arms:
        for one in arm.evaluations:
            if one.operator == "=" and one.metric in RATES:
                found.setdefault(one.metric, one.value)
    return found


def warnings(profile: TaskProfile, best: Choice, near: Sequence[Neighbour]) -> tuple[str, ...]:
    """What the reader should know before following the advice."""
    found = ["Most evidence here is what authors used, which is not the same as what works best."]
    modalities = Counter(neighbour.arms[0].modality for neighbour in near)
    if not any(m and MODALITY.is_within(m, profile.modality) for m in modalities):
        label = MODALITY.label(profile.modality)
        found.append(f"No study of the nearest {len(near)} is on {label}.")
    if profile.n_augmented is None and profile.n_images < 1000:
        found.append(
            "The 1,000-image rule of Morid 2022 is about the size after augmentation: it was not "
            "applied; give --augmented-n to apply it."
        )
    if not best.studies:
        found.append(f"No near study used {best.family}: its place rests on controlled comparisons.")
    if profile.task == "regression":
        found.append(
            "Four of 102 studies in Morid 2022 are numeric; training a number comes later."
        )
    return tuple(found)
