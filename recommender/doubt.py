"""What similar studies report, and what to mind."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from evidence.records import TaskProfile
from evidence.vocabulary import MODALITY, Metric
from recommender.neighbours import Neighbour
from recommender.records import Choice, Expected
from recommender.similarity import CLOSE


def expected(near: Sequence[Neighbour]) -> Expected:
    """Range of the metric that most of the close studies report as a plain number."""
    values: dict[Metric, list[float]] = {}
    for neighbour in near:
        if neighbour.similarity >= CLOSE:
            found = {
                evaluation.metric: evaluation.value
                for evaluation in neighbour.arms[0].evaluations
                if evaluation.operator == "="
            }
            for metric, value in found.items():
                values.setdefault(metric, []).append(value)
    if not values:
        return Expected(metric=None, low=None, median=None, high=None, n_studies=0)
    metric = max(sorted(values), key=lambda name: len(values[name]))
    numbers = values[metric]
    return Expected(
        metric=metric,
        low=min(numbers),
        median=round(median(numbers), 4),
        high=max(numbers),
        n_studies=len(numbers),
    )


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
        found.append(f"No near study used {best.family}: its place rests on rules and comparisons.")
    if profile.task == "regression":
        found.append(
            "Four of 102 studies in Morid 2022 are numeric; training a number comes later."
        )
    return tuple(found)
