"""Resamples test every image once, keep groups whole, and spread what is learned evenly."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.plan import Target
from tests.unit.trainer.toys import plan_of
from trainer.errors import TrainingError
from trainer.images import ImageSet
from trainer.preparing.splits import folds, resamples, split_images, strata_of

FINDINGS = ("effusion", "mass", "nodule", "rare")


def image_set(pairs: list[tuple[str, str]], target: Target) -> ImageSet:
    """Images of (group, label) pairs."""
    names = tuple(f"{number:03d}.png" for number in range(len(pairs)))
    groups, labels = zip(*pairs, strict=True)
    return ImageSet(Path(), names, labels, groups, None, names, target=target)


def label(rng: np.random.Generator, target: Target, patient: int) -> str:
    if target == "number":
        return str(rng.normal())
    if target == "multi_label":
        # every finding has patients enough, whatever else is drawn
        drawn = {name for name in FINDINGS[:3] if rng.random() < 0.3}
        return "|".join(sorted({FINDINGS[patient % 5]} | drawn if patient % 5 < 4 else drawn))
    return "abc"[patient % 3]


def grouped(target: Target, seed: int) -> ImageSet:
    """Forty patients or more, of one to three images."""
    rng = np.random.default_rng(seed)
    pairs = [
        (f"p{patient:02d}", label(rng, target, patient))
        for patient in range(rng.integers(40, 60))
        for _ in range(rng.integers(1, 4))
    ]
    return image_set([pairs[number] for number in rng.permutation(len(pairs))], target)


SEEDS = st.integers(0, 9999)
TARGETS: st.SearchStrategy[Target] = st.sampled_from(
    ["classes", "ordinal", "multi_label", "number"]
)


@settings(max_examples=25, deadline=None)
@given(TARGETS, SEEDS, st.integers(2, 4), st.integers(1, 2))
def test_folds_test_every_image_once_a_repetition_and_never_part_a_group(
    target: Target, seed: int, n_folds: int, n_repeats: int
) -> None:
    images = grouped(target, seed)
    plan = plan_of(seed, n_folds=n_folds, n_repeats=n_repeats)
    found = list(resamples(images, plan))
    assert len(found) == n_folds * n_repeats
    tested = [Counter(np.flatnonzero(np.array(parts) == "test")) for parts in found]
    for repeat in range(n_repeats):
        once = sum(tested[repeat * n_folds : (repeat + 1) * n_folds], Counter[int]())
        assert once == Counter(range(len(images.files)))
    for parts in found:
        of_unit = set(zip(images.units(), parts, strict=True))
        assert len(of_unit) == len(set(images.units()))
        assert {"train", "validation", "test"} == set(parts)
    assert list(resamples(images, plan)) == found


@settings(max_examples=25, deadline=None)
@given(TARGETS, SEEDS)
def test_parts_are_near_the_shares_asked_for(target: Target, seed: int) -> None:
    images = grouped(target, seed)
    parts = np.array(split_images(images, plan_of(seed)))
    n, test = len(parts), float((parts == "test").mean())
    # a group of three more or less in each of the strata, of which there are five at most
    assert abs(test - 0.2) <= 15 / n
    assert abs((parts == "validation").sum() / (parts != "test").sum() - 0.2) <= 15 / n


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_every_label_reaches_every_part(seed: int) -> None:
    images = grouped("multi_label", seed)
    parts = split_images(images, plan_of(seed))
    for part in ("train", "validation", "test"):
        held = [s for s, p in zip(strata_of(images), parts, strict=True) if p == part]
        assert set(FINDINGS) <= set().union(*held)


@pytest.mark.parametrize("seed", range(12))
def test_a_label_of_few_patients_among_many_labels_reaches_every_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = []
    for patient, held in enumerate(rng.random((60, 12)) < 0.3):
        found = [f"finding {number}" for number in np.flatnonzero(held)]
        label = "|".join(sorted(found + ["rare"] * (patient < 4)))
        pairs += [(f"p{patient}", label)] * int(rng.integers(1, 4))
    images = image_set(pairs, "multi_label")
    parts = split_images(images, plan_of(seed))
    held_by = [part for part, of in zip(parts, strata_of(images), strict=True) if "rare" in of]
    assert set(held_by) == {"train", "validation", "test"}


def test_labels_are_spread_more_evenly_than_by_chance() -> None:
    rng = np.random.default_rng(0)
    held = rng.random((300, 4)) < (0.5, 0.3, 0.1, 0.04)
    labels = ["|".join(np.array(FINDINGS)[row]) for row in held]
    images = image_set([(f"p{n}", each) for n, each in enumerate(labels)], "multi_label")
    found, chance = folds(images, 5, 0), rng.permutation(300) % 5

    def uneven(number: npt.NDArray[np.int64]) -> float:
        shares = np.array([held[number == fold].mean(0) for fold in range(5)])
        return float(np.abs(shares - held.mean(0)).sum())

    assert uneven(found) < uneven(chance) / 3
    assert np.ptp(np.bincount(found)) <= 4


def test_numbers_are_spread_by_quantiles() -> None:
    values = np.random.default_rng(1).permutation(100)
    images = image_set([(f"p{n}", str(value)) for n, value in enumerate(values)], "number")
    number = folds(images, 5, 0)
    for fold in range(5):
        counts = np.histogram(values[number == fold], [0, 20, 40, 60, 80, 100])[0]
        assert counts.tolist() == [4] * 5


def test_hold_outs_are_repeated_with_other_test_images_and_no_given_split() -> None:
    images = image_set([(f"p{n}", "ab"[n % 2]) for n in range(40)], "classes")
    given_one = replace(images, splits=("test",) * 20 + ("train",) * 20)
    found = list(resamples(given_one, plan_of(n_repeats=3)))
    assert len(found) == len(set(found)) == 3
    assert found[0] == split_images(images, plan_of())
    for parts in found:
        assert Counter(parts)["test"] == 8


@pytest.mark.parametrize("n_folds", [1, 5])
def test_folds_that_cannot_hold_every_class_are_refused(n_folds: int) -> None:
    images = image_set([(f"p{n}", "a" if n < 4 else "b") for n in range(40)], "classes")
    with pytest.raises(TrainingError, match=r"folds cannot be made: class 'a' has images of 4"):
        list(resamples(images, plan_of(n_folds=n_folds)))


def test_near_duplicates_stay_together_with_the_groups_that_they_join() -> None:
    images = image_set([(f"p{n // 2}", "ab"[n % 2]) for n in range(40)], "classes")
    alike = tuple("same" if n in (0, 9) else f"own {n}" for n in range(40))
    units = replace(images, alike=alike).units()
    assert units[0] == units[1] == units[8] == units[9]
    assert len(set(units)) == len(set(images.units())) - 1
    alone = replace(images, alike=alike, groups=None).units()
    assert alone[0] == alone[9]
    assert len(set(alone)) == 39


def test_a_label_that_only_the_given_test_part_has_is_refused() -> None:
    pairs = [(f"p{n}", ("late", "mass", "mass|nodule")[min(n // 10, 1) + n % 2]) for n in range(40)]
    images = image_set(pairs, "multi_label")
    given_one = replace(images, splits=("test",) * 10 + ("train",) * 30)
    with pytest.raises(TrainingError, match=r"'late' has no image in the train part"):
        split_images(given_one, plan_of())
