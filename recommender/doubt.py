"""What speaks against a recommendation: expectations, certainty, disagreements, warnings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

from evidence.records import Claim, TaskProfile
from evidence.vocabulary import MODALITY, Metric
from recommender.headtohead import Comparisons, family_record
from recommender.neighbours import Neighbour
from recommender.records import Certainty, Choice, Disagreement, Expected, Side
from recommender.rules import Rule

#: A study is close from this similarity on: the same modality and most of the rest.
CLOSE = 0.7
#: Fewer close studies than this make the evidence thin.
FEW_STUDIES = 5
Level = Literal["high", "moderate", "low", "insufficient evidence"]


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


def certainty(
    best: Choice,
    near: Sequence[Neighbour],
    pairs: Comparisons,
    rules: Sequence[Rule],
) -> Certainty:
    """Level with a reason per domain: directness, comparison, agreement, reporting.

    The domains follow GRADE (doi:10.1136/bmj.39489.470347.AD); the levels are this software's
    proposal. No level above moderate is given: the ranking has not been fitted to outcomes.
    """
    n_close = sum(neighbour.similarity >= CLOSE for neighbour in near)
    direct = pairs.close(CLOSE)
    wins, losses = family_record(direct, best.family)
    n_close_pairs = direct.n_studies(best.family)
    contested = sorted(rule.id for rule in rules if rule.against)
    reasons = (
        f"directness: {n_close} of the {len(near)} nearest studies are close to this task",
        f"comparison: {n_close_pairs} close studies compare {best.family} with another family "
        f"on the same data (weighted wins {wins:.1f}, losses {losses:.1f})",
        f"agreement: claims in the reviews speak against {len(contested)} of the rules that apply"
        + (f" ({', '.join(contested)})" if contested else ""),
        "reporting: studies report their authors' best result; most compare with nothing",
        "weights: the ranking's weights are set by hand and not fitted to outcomes",
    )
    return Certainty(level=_level(n_close, n_close_pairs, wins, losses), reasons=reasons)


def _level(n_close: int, n_compared: int, wins: float, losses: float) -> Level:
    if n_close == 0:
        return "insufficient evidence"
    if n_close >= FEW_STUDIES and n_compared >= FEW_STUDIES and wins > losses:
        return "moderate"
    return "low"


def disagreements(
    best: Choice,
    rules: Sequence[Rule],
    pairs: Comparisons,
    claims: Mapping[str, Claim],
) -> tuple[Disagreement, ...]:
    """Rules with claims on both sides, and prevalence that comparisons do not bear out."""
    found = [
        Disagreement(
            topic=rule.statement,
            supports=_sides(rule.claims, claims),
            opposes=_sides(rule.against, claims),
        )
        for rule in rules
        if rule.against
    ]
    wins, losses = family_record(pairs, best.family)
    usual = [c for rule in rules if best.family in rule.family for c in rule.claims]
    if usual and losses > wins:
        rows = Side(
            review="store",
            section="winners and benchmarks of the studies' own rows",
            statement=f"{best.family} won {wins:.1f} and lost {losses:.1f} comparisons "
            "(weighted by similarity to this task)",
        )
        topic = f"{best.family} is often used; on the same data it did not do better"
        found.append(Disagreement(topic=topic, supports=_sides(usual, claims), opposes=(rows,)))
    return tuple(found)


def _sides(keys: Sequence[str], claims: Mapping[str, Claim]) -> tuple[Side, ...]:
    return tuple(
        Side(review=c.review, section=c.section, statement=c.statement)
        for key in keys
        if (c := claims.get(key)) is not None
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
