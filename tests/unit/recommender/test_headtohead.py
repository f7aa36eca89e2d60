"""What beat what: a win counts for the family, shrunk, once per study and rival."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.arm_table import ArmTable
from evidence.records import ArmRecord, TaskProfile
from recommender.headtohead import (
    Comparisons,
    comparisons,
    family_record,
    family_wins,
    strength,
    win_rate,
)
from recommender.similarity import CLOSE, similarity
from tests.unit.recommender import reference

PROFILE = TaskProfile(modality="ultrasound", anatomy="breast", n_images=1000, n_classes=2)


def found(*arms: ArmRecord) -> Comparisons:
    return comparisons(PROFILE, ArmTable.of(arms))


def test_without_comparisons_nothing_is_claimed(make_arm: Callable[..., ArmRecord]) -> None:
    assert strength(found(), "EfficientNet-Lite0", "EfficientNet") == 0.5
    assert strength(found(make_arm()), "VGG-16", "VGGNet") == 0.5


def test_a_win_helps_the_winner_and_hurts_the_loser(make_arm: Callable[..., ArmRecord]) -> None:
    pairs = found(
        make_arm(backbone="DenseNet-121", family="DenseNet"),
        make_arm(backbone="VGG-16", family="VGGNet", role="benchmark"),
        make_arm(backbone="VGG-19", family="VGGNet", role="benchmark"),
    )
    assert list(pairs.of_backbones["DenseNet-121"]) == pytest.approx([2, 0])
    assert list(family_record(pairs, "DenseNet")) == pytest.approx([1, 0])
    assert list(family_record(pairs, "VGGNet")) == pytest.approx([0, 1])
    assert strength(pairs, "DenseNet-121", "DenseNet") > 0.5 > strength(pairs, "VGG-16", "VGGNet")


def test_a_single_win_is_not_a_certainty() -> None:
    assert 0.5 < win_rate(1, 0, prior=0.5) < 0.65


def test_the_same_study_read_by_two_reviews_is_not_mixed(
    make_arm: Callable[..., ArmRecord],
) -> None:
    pairs = found(
        make_arm(review="morid2022", backbone="AlexNet", family="AlexNet"),
        make_arm(review="kim2022", backbone="VGG-16", family="VGGNet", role="benchmark"),
    )
    assert not len(pairs.weight)


@pytest.mark.parametrize(("n_images", "n_wins", "wins"), [(1000, 1, 1.0), (2000, 2, 0.95)])
def test_a_study_that_two_reviews_read_alike_is_one_comparison(
    make_arm: Callable[..., ArmRecord], n_images: int, n_wins: int, wins: float
) -> None:
    """Read unlike, it is two comparisons of backbones, and the one less like counts for families.

    Twice as many images are exp(-log10(2)) alike, 0.74, which takes 0.05 from the whole.
    """
    pairs = found(
        make_arm(),
        make_arm(review="kim2022"),
        make_arm(review="kora2022", n_images=n_images),
        *(
            make_arm(review=review, backbone="AlexNet", family="AlexNet", role="benchmark")
            for review in ("morid2022", "kim2022", "kora2022")
        ),
    )
    assert pairs.counted.sum() == n_wins
    assert list(family_record(pairs, "VGGNet")) == pytest.approx([wins, 0], abs=0.005)


def test_own_networks_and_unnamed_ones_are_left_out(make_arm: Callable[..., ArmRecord]) -> None:
    pairs = found(
        make_arm(backbone="3D-CNN", family="custom"), make_arm(backbone="VGG-16", role="benchmark")
    )
    assert not len(pairs.weight)


def test_a_backbone_trained_another_way_does_not_beat_itself(
    make_arm: Callable[..., ArmRecord],
) -> None:
    pairs = found(make_arm(), make_arm(role="benchmark", approach="fine_tuning_from_scratch"))
    assert not len(pairs.weight)


def test_the_corpus_shows_what_the_rows_show(arms: tuple[ArmRecord, ...]) -> None:
    """Unweighted records over Morid 2022's rows: AlexNet 3 to 14, DenseNet 18 to 1."""
    wins = family_wins(ArmTable.of(arm for arm in arms if arm.review == "morid2022"))

    def record(family: str) -> tuple[int, int]:
        return sum(w.winner == family for w in wins), sum(w.loser == family for w in wins)

    assert record("AlexNet") == (3, 14)
    assert record("DenseNet") == (18, 1)


def test_a_family_stands_by_what_it_won_close_to_the_task_and_at_all(
    make_arm: Callable[..., ArmRecord],
) -> None:
    """The same task is 1 alike; another modality of another organ is below 0.7."""
    far = {"modality": "microscopy", "anatomy": ("skin",)}
    beaten = {"role": "benchmark", "backbone": "AlexNet", "family": "AlexNet"}
    pairs = found(
        make_arm("close"), make_arm("close", **beaten),
        *(make_arm(key, **far) for key in ("far", "farther")),
        *(make_arm(key, **far, **beaten) for key in ("far", "farther")),
    )  # fmt: skip
    close, weighted = pairs.standing("VGGNet")
    assert close == (1, 0)
    assert 1 < weighted[0] < 3
    assert pairs.standing("AlexNet") == (close[::-1], weighted[::-1])


@pytest.mark.parametrize("least", [0.0, 0.7])
@given(
    profile=reference.questions, records=st.lists(reference.arms(), max_size=40) | reference.corpora
)
def test_the_columns_agree_with_records_one_by_one(
    profile: TaskProfile, records: list[ArmRecord], least: float
) -> None:
    """Sums of some dozen numbers below 1 in another order differ by less than 1e-12."""
    pairs = reference.comparisons(profile, records, least)
    found = comparisons(profile, ArmTable.of(records)).close(least)
    for backbone, family in reference.BACKBONES.items():
        assert family_record(found, family) == pytest.approx(
            reference.family_record(pairs, family), abs=1e-12
        )
        assert strength(found, backbone, family) == pytest.approx(
            reference.strength(pairs, backbone, family), abs=1e-12
        )
    assert found.counted.sum() == len(pairs)


def test_a_standing_tells_close_comparisons_from_all(make_arm: Callable[..., ArmRecord]) -> None:
    dense = {"backbone": "DenseNet-121", "family": "DenseNet"}
    far = {"modality": "xray", "anatomy": ("lung",), "n_images": 10, "n_classes": 7}
    pairs = found(
        make_arm("a", **dense), make_arm("a", role="benchmark"),
        make_arm("b", **far), make_arm("b", role="benchmark", **dense, **far),
        make_arm("c", **far), make_arm("c", role="benchmark", **dense, **far),
    )  # fmt: skip
    close, weighted = pairs.standing("DenseNet")
    assert close == (1, 0)
    assert weighted == pytest.approx((1, 2 * similarity(PROFILE, make_arm(**far))))
    assert pairs.standing("ResNet") == ((0, 0), (0, 0))


@given(profile=reference.questions, records=st.lists(reference.arms(), max_size=40))
def test_the_standing_of_a_family_counts_close_comparisons_and_weighs_all(
    profile: TaskProfile, records: list[ArmRecord]
) -> None:
    pairs = reference.comparisons(profile, records)
    near = [pair._replace(weight=1.0) for pair in pairs if pair.weight >= CLOSE]
    found = comparisons(profile, ArmTable.of(records))
    for family in reference.BACKBONES.values():
        close, weighted = found.standing(family)
        assert close == reference.family_record(near, family)
        assert weighted == pytest.approx(reference.family_record(pairs, family), abs=1e-12)
