"""The three standing disagreements stand side by side, with figures from the store's rows."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.arm_table import ArmTable
from evidence.records import ArmRecord, Claim, Corpus, TaskProfile
from recommender.answering import recommend
from recommender.disagreements import SizeBin, Standing, disagreements, size_bins
from recommender.headtohead import FamilyStanding
from recommender.ranking import Question
from recommender.records import Choice, Cost, Disagreement
from recommender.rules import load_rules

SMALL = TaskProfile(modality="ultrasound", n_images=800)
NOTHING = FamilyStanding((0, 0), (0, 0))
LOST = FamilyStanding((0, 1), (0, 0.9))


def of_alexnet(standing: FamilyStanding) -> Standing:
    """AlexNet was compared like this, and no other family at all."""
    return lambda family: standing if family == "AlexNet" else NOTHING


def choice(backbone: str = "DenseNet-121", family: str = "DenseNet") -> Choice:
    return Choice(
        rank=1, backbone=backbone, family=family, approach="feature_extractor",
        initialisation="pretrained", head="linear", score=1.0, parts={}, rules=(), studies=(),
        cost=Cost(n_macs=1, relative=1.0),
    )  # fmt: skip


def found(
    corpus: Corpus,
    profile: TaskProfile = SMALL,
    best: Choice | None = None,
    standing: FamilyStanding = NOTHING,
    bins: tuple[SizeBin, ...] | None = None,
) -> tuple[Disagreement, ...]:
    rules = [rule for rule in load_rules() if rule.fires(profile)]
    claims: dict[str, Claim] = {claim.key: claim for claim in corpus.claims}
    counts = size_bins(corpus.arms) if bins is None else bins
    family_of = {backbone.name: backbone.family for backbone in corpus.backbones}
    return disagreements(
        profile, best or choice(), rules, of_alexnet(standing), claims, counts, family_of
    )


def topics(disagreements: tuple[Disagreement, ...], word: str) -> list[str]:
    return [one.topic for one in disagreements if word in one.topic]


def test_the_rows_say_the_opposite_before_augmentation(corpus: Corpus) -> None:
    """Counted by hand in Tables S3-S10; (frozen, fine-tuned)."""
    small, middle, large = size_bins(corpus.arms)
    assert (small.original, small.augmented) == ((18, 26), (14, 7))
    assert (middle.original, middle.augmented) == ((9, 31), (11, 32))
    assert (large.original, large.augmented) == ((7, 11), (9, 29))


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_arms_never_changes_the_counts(
    corpus: Corpus, arms: tuple[ArmRecord, ...], shuffler: random.Random
) -> None:
    mixed = ArmTable.of(shuffler.sample(arms, len(arms)))
    assert size_bins(mixed) == size_bins(corpus.arms)


def test_a_study_counts_once_and_only_where_size_and_approach_are_known(
    make_arm: Callable[..., ArmRecord],
) -> None:
    arms = (
        make_arm("a", n_images=999), make_arm("a", n_images=999, head="svm"),
        make_arm("b", n_images=1000, n_augmented=10_000, approach="fine_tuning"),
        make_arm("c", n_images=500, n_augmented=10_001, approach="fine_tuning_from_scratch"),
        make_arm("d", n_images=None), make_arm("e", approach="unspecified"),
        make_arm("f", role="benchmark"), make_arm("g", review="kim2022"),
    )  # fmt: skip
    small, middle, large = size_bins(ArmTable.of(arms))
    assert (small.original, small.augmented) == ((1, 1), (1, 0))
    assert (middle.original, middle.augmented) == ((0, 1), (0, 1))
    assert (large.original, large.augmented) == ((0, 0), (0, 1))


def test_frozen_or_fine_tuned_names_the_studies_on_either_side(corpus: Corpus) -> None:
    frozen = found(corpus)[0]
    supports, opposes = (
        " ".join(side.statement for side in sides) for sides in (frozen.supports, frozen.opposes)
    )
    assert "[46]" in supports
    assert {"[44]", "[45]"} <= set(supports.split())
    assert "[47]" in opposes
    assert "[36]" in opposes
    assert {"kim2022", "morid2022"} == {side.review for side in frozen.opposes}


def test_the_size_rule_is_questioned_below_its_bound_only(corpus: Corpus) -> None:
    (one,) = [one for one in found(corpus) if "before it?" in one.topic]
    assert "under 1,000: 14 and 7" in one.supports[-1].statement
    assert "under 1,000: 18 and 26" in one.opposes[0].statement
    large = SMALL.model_copy(update={"n_images": 1000})
    assert not topics(found(corpus, large), "before it?")


def test_the_size_rule_stands_unquestioned_where_the_rows_bear_it_out(corpus: Corpus) -> None:
    agreeing = (SizeBin("under 1,000", original=(30, 10), augmented=(14, 7)),)
    assert not topics(found(corpus, bins=agreeing), "before it?")
    assert not topics(found(corpus, bins=()), "before it?")


def test_a_habit_that_lost_its_comparisons_stands_beside_them(corpus: Corpus) -> None:
    profile = TaskProfile(modality="mri", anatomy="brain", n_images=3000)
    one = next(
        one for one in recommend(Question(profile), corpus).disagreements if "AlexNet" in one.topic
    )
    assert "AlexNet is often used" in one.topic
    assert "won 0 and lost 3 comparisons" in one.opposes[0].statement
    assert "brain MRI" in " ".join(side.statement for side in one.supports)


@pytest.mark.parametrize(
    ("standing", "shown"),
    [
        (NOTHING, False),
        (LOST, True),
        (FamilyStanding(close=(0, 0), weighted=(0, 0.2)), True),
        (FamilyStanding(close=(1, 0), weighted=(0.9, 0)), False),
        (FamilyStanding(close=(1, 1), weighted=(0.9, 0.9)), True),
        # A close win counts for more than any number of distant losses.
        (FamilyStanding(close=(1, 0), weighted=(0.9, 9 * 0.3)), False),
    ],
)
def test_comparisons_close_to_the_task_decide_before_all_others(
    corpus: Corpus, standing: FamilyStanding, shown: bool
) -> None:
    profile = TaskProfile(modality="mri", anatomy="brain", n_images=3000)
    assert bool(topics(found(corpus, profile, standing=standing), "AlexNet is often")) is shown


def test_a_habit_over_all_images_matters_for_the_choice_only(corpus: Corpus) -> None:
    alexnet = choice("AlexNet", "AlexNet")
    assert not topics(found(corpus, standing=LOST), "AlexNet is often")
    assert topics(found(corpus, best=alexnet, standing=LOST), "AlexNet is often")


def test_only_rules_that_speak_for_the_choice_are_contested_beside_the_approach(
    corpus: Corpus,
) -> None:
    assert not topics(found(corpus), "Prefer a deep backbone")
    assert topics(found(corpus, best=choice("ResNet-50", "ResNet")), "Prefer a deep backbone")


def test_a_disagreement_has_two_sides(corpus: Corpus) -> None:
    assert all(one.supports and one.opposes for one in found(corpus))
    bare = replace(corpus, claims=(), arms=ArmTable.of(()))
    assert found(bare) == ()
