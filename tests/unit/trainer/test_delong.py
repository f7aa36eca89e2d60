"""The paired test of two areas is the published one, for single images and for clusters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from trainer.measures.delong import paired_delong


def both(scores: np.ndarray) -> np.ndarray:
    return np.stack([1 - scores, scores], 1)


def direct(targets: np.ndarray, scores: list[np.ndarray]) -> tuple[float, float]:
    """Difference of areas and its variance by the definition, pair by pair."""
    cases, controls = np.flatnonzero(targets == 1), np.flatnonzero(targets == 0)
    placed = []
    for score in scores:
        apart = score[cases][:, None] - score[controls][None]
        placed.append((np.sign(apart) + 1) / 2)
    areas = [table.mean() for table in placed]
    by_case = np.cov(np.stack([table.mean(1) for table in placed]))
    by_control = np.cov(np.stack([table.mean(0) for table in placed]))
    covariance = by_case / len(cases) + by_control / len(controls)
    contrast = np.array([-1.0, 1.0])
    return areas[1] - areas[0], float(contrast @ covariance @ contrast)


def sample(seed: int, n: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of a few digits, so that ties occur."""
    rng = np.random.default_rng(seed)
    targets = np.concatenate([[0, 1, 0, 1], rng.integers(0, 2, n)])
    shared = rng.normal(size=len(targets)) + targets
    scores = [(shared + rng.normal(size=len(targets))).round(0) / 8 for _ in range(2)]
    return targets, scores[0], scores[1]


@given(st.integers(0, 100_000))
def test_with_single_images_it_is_the_test_of_delong(seed: int) -> None:
    targets, first, second = sample(seed)
    found = paired_delong(targets, both(first), both(second), [str(n) for n in range(len(targets))])
    difference, variance = direct(targets, [first, second])
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    half = 1.959964 * np.sqrt(max(variance, 0))
    # seven digits of the normal deviate
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-6, abs=1e-9)
    if variance > 1e-12:
        assert found.p == pytest.approx(2 * norm.sf(abs(difference) / np.sqrt(variance)), abs=1e-9)


@given(st.integers(0, 100_000))
def test_with_patients_it_is_the_test_of_obuchowski(seed: int) -> None:
    """By the definition: sums of placements over each patient, whose images are of both kinds."""
    targets, first, second = sample(seed)
    patients = np.arange(len(targets)) // 2
    cases, controls = targets == 1, targets == 0
    over, under = np.zeros((2, len(targets))), np.zeros((2, len(targets)))
    for row, score in enumerate((first, second)):
        placed = (np.sign(score[cases][:, None] - score[controls][None]) + 1) / 2
        over[row, cases] = placed.mean(1) - placed.mean()
        under[row, controls] = placed.mean(0) - placed.mean()
    by_patient = [
        [row[1][patients == patient].sum() - row[0][patients == patient].sum() for patient in
         range(patients.max() + 1)]
        for row in (over, under)
    ]  # fmt: skip
    of_cases, of_controls = np.array(by_patient[0]), np.array(by_patient[1])
    n_with, n_without = len(set(patients[cases])), len(set(patients[controls]))
    n_patients = len(set(patients))
    variance = (
        n_with / (n_with - 1) * (of_cases**2).sum() / cases.sum() ** 2
        + n_without / (n_without - 1) * (of_controls**2).sum() / controls.sum() ** 2
        + 2 * n_patients / (n_patients - 1)
        * (of_cases * of_controls).sum() / (cases.sum() * controls.sum())
    )  # fmt: skip
    found = paired_delong(targets, both(first), both(second), list(map(str, patients)))
    assert found.low is not None
    assert found.high is not None
    half = 1.959964 * np.sqrt(max(variance, 0))
    # seven digits of the normal deviate
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-6, abs=1e-7)


def test_the_error_of_clusters_is_that_of_many_samples() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 3).astype(str)
    differences, widths = [], []
    for _ in range(400):
        patient = np.repeat(rng.normal(size=(60, 2)), 3, axis=0)
        targets = (np.repeat(rng.random(60), 3) + 0.3 * rng.random(180) > 0.65).astype(np.int64)
        scores = patient + 0.5 * rng.normal(size=(180, 2)) + targets[:, None]
        found = paired_delong(targets, both(scores[:, 0]), both(scores[:, 1]), groups.tolist())
        assert found.low is not None
        assert found.high is not None
        differences.append(found.difference)
        widths.append((found.high - found.low) / 2 / 1.96)
    # 400 samples know a deviation to about 4%
    assert np.mean(widths) == pytest.approx(np.std(differences), rel=0.12)
    single = paired_delong(
        targets, both(scores[:, 0]), both(scores[:, 1]), list(map(str, range(180)))
    )
    assert single.low is not None
    assert single.high is not None
    assert (single.high - single.low) / 2 / 1.96 < 0.8 * np.std(differences)


def test_of_models_that_are_alike_one_in_ten_has_a_p_below_a_tenth() -> None:
    low = 0
    for seed in range(300):
        targets, first, second = sample(seed, n=60)
        images = [str(number) for number in range(len(targets))]
        p = paired_delong(targets, both(first), both(second), images).p
        assert p is not None
        low += p < 0.1
    # 300 draws of one in ten: mean 30, standard deviation 5
    assert 15 <= low <= 45


def test_a_model_does_not_differ_from_itself() -> None:
    targets, first, _ = sample(3)
    found = paired_delong(targets, both(first), both(first), list(map(str, range(len(targets)))))
    assert found == (0, 0, 0, 1)


def test_a_side_of_one_patient_has_no_interval() -> None:
    targets, first, second = sample(4)
    groups = ["one" if target else str(n) for n, target in enumerate(targets)]
    found = paired_delong(targets, both(first), both(second), groups)
    assert found[1:] == (None, None, None)
