"""Where the reviews, or a review and its own rows, point different ways: sides beside each other.

Three questions stand behind most of it: frozen or fine-tuned, prevalence against head-to-head
comparison, and whether the 1,000 images of Morid 2022 are counted before or after augmentation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from evidence.arm_table import ArmTable, once_for_each
from evidence.records import Claim, TaskProfile
from recommender.headtohead import FamilyStanding
from recommender.records import Choice, Disagreement, Side
from recommender.rules import Rule, load_rules

#: Family -> how often it did better and worse than others.
Standing = Callable[[str], FamilyStanding]

#: The review that found approach to go with size, and its claim (Discussion 5.1).
SIZE_REVIEW, SIZE_CLAIM = "morid2022", "m-size-approach"
#: Its ranges of size (Results, Figure 6), each with the number of images that ends it.
SIZE_BINS = (("under 1,000", 1_000), ("1,000 to 10,000", 10_001), ("over 10,000", inf))


@dataclass(frozen=True)
class SizeBin:
    """Studies of one range of sizes, as ``(frozen, fine-tuned)``.

    `original` counts them by their images before augmentation, `augmented` by those after;
    without augmentation beforehand (online, too) the two sizes are the same.
    """

    label: str
    original: tuple[int, int]
    augmented: tuple[int, int]


@once_for_each
def size_bins(table: ArmTable) -> tuple[SizeBin, ...]:
    """Count the studies of `SIZE_REVIEW` by size and approach, in the order of `SIZE_BINS`.

    Benchmarks and arms of unknown size or approach do not count.
    """
    tuned = table.approach.among(_named(table, "fine_tuning"))
    counted = table.review.among({SIZE_REVIEW}) & ~table.role.among({"benchmark"})
    counted &= tuned | table.approach.among(_named(table, "feature_extractor"))
    counted &= table.n_images > 0
    n_after = np.where(table.n_augmented > 0, table.n_augmented, table.n_images)
    columns = (table.study.codes, tuned, table.n_images, n_after)
    studies = set(zip(*(column[counted].tolist() for column in columns), strict=True))
    before = Counter((_bin(n_images), tuned) for _, tuned, n_images, _ in studies)
    after = Counter((_bin(n_augmented), tuned) for _, tuned, _, n_augmented in studies)
    return tuple(
        SizeBin(
            label=label,
            original=(before[label, False], before[label, True]),
            augmented=(after[label, False], after[label, True]),
        )
        for label, _ in SIZE_BINS
    )


def _named(table: ArmTable, beginning: str) -> frozenset[str]:
    return frozenset(word for word in table.approach.words if word.startswith(beginning))


def _bin(n_images: float) -> str:
    return next(label for label, end in SIZE_BINS if n_images < end)


def disagreements(
    profile: TaskProfile,
    best: Choice,
    rules: Sequence[Rule],
    standing: Standing,
    claims: Mapping[str, Claim],
    bins: Sequence[SizeBin],
    family_of: Mapping[str, str],
) -> tuple[Disagreement, ...]:
    """Every disagreement that bears on the question or on the choice.

    Parameters
    ----------
    profile, best : TaskProfile, Choice
        The question and the first choice.
    rules : sequence of Rule
        Those that fire.
    standing : callable
        How often a family did better or worse than others.
    claims : mapping of str to Claim
        The store's claims by key.
    bins : sequence of SizeBin
        Of `size_bins`.
    family_of : mapping of str to str
        Family of each backbone.

    Returns
    -------
    tuple of Disagreement
        Approach first, then size, prevalence, and what else speaks against a rule for the choice.
    """
    on_approach = [rule for rule in rules if _is_on_approach(rule)]
    found = (
        *(_contested(rule, claims) for rule in on_approach),
        *_on_size(profile, claims, bins),
        *_on_prevalence(rules, best.family, standing, claims, family_of),
        *(_contested(rule, claims) for rule in rules if _is_on_choice(rule, best)),
    )
    return tuple(one for one in found if one.supports and one.opposes)


def _is_on_size(rule: Rule) -> bool:
    return rule.below is not None and SIZE_CLAIM in rule.claims


def _is_on_approach(rule: Rule) -> bool:
    """Whether it is about the approach alone; the small end of the size rule stands apart."""
    named = rule.family or rule.backbone or rule.head or rule.is_setting
    return bool(rule.approach) and not named and not _is_on_size(rule)


def _is_on_choice(rule: Rule, best: Choice) -> bool:
    """Whether it speaks for the choice by more than its approach."""
    named = rule.family or rule.backbone or rule.head
    return bool(named) and rule.prefers(best.backbone, best.family, best.approach, best.head)


def _contested(rule: Rule, claims: Mapping[str, Claim]) -> Disagreement:
    return Disagreement(
        topic=rule.statement,
        supports=_sides(rule.claims, claims),
        opposes=_sides(rule.against, claims),
    )


def _on_size(
    profile: TaskProfile, claims: Mapping[str, Claim], bins: Sequence[SizeBin]
) -> Iterable[Disagreement]:
    """The rule on small data beside what the same rows show on the original size.

    From its bound on, the size before augmentation lies above it as the size after does. Where
    small sets are fine-tuned no more often before augmentation either, there is nothing to show.
    """
    frozen, tuned = bins[0].original if bins else (0, 0)
    if frozen >= tuned:
        return
    for rule in filter(_is_on_size, load_rules()):
        if rule.below is not None and profile.n_images < rule.below:
            after = _rows("after", [(one.label, one.augmented) for one in bins])
            before = _rows("before", [(one.label, one.original) for one in bins])
            yield Disagreement(
                topic=f"{rule.statement} And below {rule.below:,} before it?",
                supports=(*_sides(rule.claims, claims), after),
                opposes=(before, *_sides(rule.against, claims)),
            )


def _rows(when: str, counts: Iterable[tuple[str, tuple[int, int]]]) -> Side:
    numbers = (f"{label}: {frozen} and {tuned}" for label, (frozen, tuned) in counts)
    return Side(
        review="store",
        section=f"rows of {SIZE_REVIEW}, images {when} augmentation",
        statement=f"Studies with a frozen and with a fine-tuned backbone, {'; '.join(numbers)}",
    )


def _on_prevalence(
    rules: Iterable[Rule],
    chosen: str,
    standing: Standing,
    claims: Mapping[str, Claim],
    family_of: Mapping[str, str],
) -> Iterable[Disagreement]:
    """Families that are usual by a review and did no better where they were compared.

    They are those of the choice and those that a review names for such images.
    """
    usual: dict[str, dict[str, None]] = {}
    for rule in rules:
        shares = [key for key in rule.claims if _is_prevalence(claims.get(key))]
        for family in (*rule.family, *(family_of.get(name, "") for name in rule.backbone)):
            if family == chosen or rule.modality or rule.anatomy:
                usual.setdefault(family, {}).update(dict.fromkeys(shares))
    for family, keys in usual.items():
        rows = _lost(family, standing(family))
        if keys and rows is not None:
            topic = f"{family} is often used; on the same data it did not do better"
            yield Disagreement(topic=topic, supports=_sides(keys, claims), opposes=(rows,))


def _is_prevalence(claim: Claim | None) -> bool:
    return claim is not None and claim.kind == "prevalence"


def _lost(family: str, standing: FamilyStanding) -> Side | None:
    """What comparisons say, close ones before all; None unless it lost at least as often."""
    (n_won, n_lost), (won, lost) = standing
    decisive = (n_won, n_lost) if n_won + n_lost else (won, lost)
    if decisive[1] == 0 or decisive[0] > decisive[1]:
        return None
    return Side(
        review="store",
        section="winners and benchmarks of the studies' own rows",
        statement=f"Against other families {family} won {n_won:g} and lost {n_lost:g} comparisons "
        f"on tasks close to this one; on all, weighted by similarity, {won:.1f} and {lost:.1f}",
    )


def _sides(keys: Iterable[str], claims: Mapping[str, Claim]) -> tuple[Side, ...]:
    return tuple(
        Side(review=c.review, section=c.section, statement=c.statement)
        for key in keys
        if (c := claims.get(key)) is not None
    )
