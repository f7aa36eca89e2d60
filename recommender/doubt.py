"""What similar studies report, and what to mind."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np

from evidence.vocabulary import MODALITY, RATES, Metric
from recommender.configuration import kinds
from recommender.neighbours import Neighbour
from recommender.parts import LITERATURE
from recommender.plan import how
from recommender.prediction_interval import prediction_interval
from recommender.ranking import Gathered
from recommender.records import Choice, Expected
from recommender.similarity import CLOSE

#: Share of further studies that an expected interval is to hold.
LEVEL = 0.8
#: Fewest values that an interval is made of.
FEWEST = 3
#: What each part of the order is, in words.
PART_NAMES = {
    "controlled": "controlled comparisons",
    "neighbours": "what similar studies used",
    "rules": "the rules of the reviews",
    "head_to_head": "what won within published studies",
}


def expected(near: Sequence[Neighbour]) -> Expected:
    """Where a further study's value of the metric that most close studies report may lie.

    Parameters
    ----------
    near : sequence of Neighbour
        The most similar studies, not only the close ones: each counts by its likeness. Nothing is
        expected where none is close, or fewer than `FEWEST` report the metric.
    """
    close = [n for n in near if n.similarity >= CLOSE]
    counts = Counter(metric for neighbour in close for metric in _plain_values(neighbour))
    if not counts:
        return Expected(metric=None, low=None, median=None, high=None, n_studies=0)
    metric = max(sorted(counts), key=lambda name: counts[name])
    pairs = [(v[metric], n.similarity) for n in near if metric in (v := _plain_values(n))]
    if len(pairs) < FEWEST:
        return Expected(metric=None, low=None, median=None, high=None, n_studies=len(pairs))
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


def counted(n: int, noun: str) -> str:
    """A number with its noun: ``1 study``, ``2 studies``."""
    if n == 1:
        return f"1 {noun}"
    return f"{n} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{n} {noun}s"


def warnings(best: Choice, evidence: Gathered) -> tuple[str, ...]:
    """What the reader should know before following the advice."""
    profile, near = evidence.question.profile, evidence.literature.near
    found = [*_rests_on(evidence)]
    modalities = Counter(neighbour.arms[0].modality for neighbour in near)
    if not any(m and MODALITY.is_within(m, profile.modality) for m in modalities):
        label = MODALITY.label(profile.modality)
        found.append(f"None of the {counted(len(near), 'nearest study')} is on {label}.")
    if profile.n_augmented is None and profile.n_images < 1000:
        found.append(
            "The 1,000-image rule of Morid 2022 is about the size after augmentation: it was not "
            "applied; give --augmented-n to apply it."
        )
    if not best.studies:
        found.append(f"No near study used {best.family}.")
    found += [*_on_methods(best, evidence)]
    if profile.task == "regression":
        found.append(
            "Four of 102 studies in Morid 2022 are numeric; what was compared is classification."
        )
    return tuple(found)


def _on_methods(best: Choice, evidence: Gathered) -> Iterator[str]:
    """Which ways to carry out a network are guesses, and which do not fit."""
    standing = evidence.standing
    methods = kinds(standing.configurations).methods.words
    unknown = [how(*method) for method in methods if method not in standing.compared]
    if unknown and len(unknown) < len(methods):
        yield (
            f"Nothing was measured of: {'; '.join(unknown)}. What is expected of it is borrowed "
            "from other ways to train, counts for a standard deviation less and never comes first."
        )
    if best.initialisation == "random" and evidence.question.here == frozenset():
        yield "No pretrained weights of these networks are on this machine."
    if n_large := int(evidence.too_large.sum()):
        yield (
            f"{n_large} of {counted(len(standing.configurations), 'choice')} would not fit into "
            f"the {evidence.question.memory_mb:,.0f} MB of this machine, by what runs took: they "
            "come last."
        )


def _rests_on(evidence: Gathered) -> Iterator[str]:
    """On which parts the order rests, and on which it does not."""
    weights = evidence.weights
    if not evidence.standing.tells_apart:
        if len(evidence.standing.configurations) > 1:
            yield "Nothing known tells the candidates apart: their order is that of cost alone."
        return
    parts, tried = evidence.standing.parts, evidence.measured or evidence.standing.decided.any()
    counting = [words for name, words in PART_NAMES.items() if np.ptp(parts[name])]
    counting += ["what was tried on these images"] if tried else []
    yield f"The order rests on {_listed(counting)}."
    if silent := [words for name, words in PART_NAMES.items() if not weights.parts[name]]:
        yield (
            f"Told, but counted for nothing in the order: {_listed(silent)}. Where data sets were "
            "left out, it did not help to choose."
        )
    if weights.parts["neighbours"]:
        yield "What authors used is not the same as what works best."
    if not weights.settings.own and not any(weights.parts[name] for name in LITERATURE):
        but = "But for what was tried on these images, the" if tried else "The"
        yield (
            f"{but} order is the same for every modality, anatomy and number of classes: nothing "
            "measured tells tasks apart yet. The number of images moves the cost only."
        )


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
