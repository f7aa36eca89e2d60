"""What beat what: a win counts for the family, shrunk, once per study and rival."""

from collections.abc import Callable

import pytest

from evidence.records import ArmRecord, Corpus, TaskProfile
from recommender.headtohead import comparisons, family_record, strength, win_rate

PROFILE = TaskProfile(modality="ultrasound", anatomy="breast", n_images=1000, n_classes=2)


def test_without_comparisons_nothing_is_claimed() -> None:
    assert strength((), "EfficientNet-Lite0", "EfficientNet") == 0.5


def test_a_win_helps_the_winner_and_hurts_the_loser(make_arm: Callable[..., ArmRecord]) -> None:
    arms = [
        make_arm(backbone="DenseNet-121", family="DenseNet"),
        make_arm(backbone="VGG-16", family="VGGNet", role="benchmark"),
        make_arm(backbone="VGG-19", family="VGGNet", role="benchmark"),
    ]
    pairs = comparisons(PROFILE, arms)
    assert len(pairs) == 2
    assert list(family_record(pairs, "DenseNet")) == pytest.approx([1, 0])
    assert list(family_record(pairs, "VGGNet")) == pytest.approx([0, 1])
    assert strength(pairs, "DenseNet-121", "DenseNet") > 0.5 > strength(pairs, "VGG-16", "VGGNet")


def test_a_single_win_is_not_a_certainty() -> None:
    assert 0.5 < win_rate(1, 0, prior=0.5) < 0.65


def test_the_same_study_read_by_two_reviews_is_not_mixed(
    make_arm: Callable[..., ArmRecord],
) -> None:
    arms = [
        make_arm(review="morid2022", backbone="AlexNet", family="AlexNet"),
        make_arm(review="kim2022", backbone="VGG-16", family="VGGNet", role="benchmark"),
    ]
    assert comparisons(PROFILE, arms) == ()


def test_own_networks_and_unnamed_ones_are_left_out(make_arm: Callable[..., ArmRecord]) -> None:
    arms = [
        make_arm(backbone="3D-CNN", family="custom"),
        make_arm(backbone="VGG-16", role="benchmark"),
    ]
    assert comparisons(PROFILE, arms) == ()


def test_a_backbone_trained_another_way_does_not_beat_itself(
    make_arm: Callable[..., ArmRecord],
) -> None:
    arms = [make_arm(), make_arm(role="benchmark", approach="fine_tuning_from_scratch")]
    assert comparisons(PROFILE, arms) == ()


def test_the_corpus_shows_what_the_rows_show(corpus: Corpus) -> None:
    """Unweighted records over Morid 2022's rows: AlexNet 3 to 14, DenseNet 18 to 1."""
    morid = [arm for arm in corpus.arms if arm.review == "morid2022"]
    pairs = comparisons(PROFILE, morid)

    def record(family: str) -> tuple[int, int]:
        wins = {(p.study_key, p.loser_family) for p in pairs
                if p.winner_family == family != p.loser_family}  # fmt: skip
        losses = {(p.study_key, p.winner_family) for p in pairs
                  if p.loser_family == family != p.winner_family}  # fmt: skip
        return len(wins), len(losses)

    assert record("AlexNet") == (3, 14)
    assert record("DenseNet") == (18, 1)
