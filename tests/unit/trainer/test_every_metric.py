"""Every metric of every target equals scikit-learn's, also where images count several times."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from trainer.measures.bootstrap import resample
from trainer.measures.weighted import Measured
from trainer.metrics import measure, measure_weighted
from trainer.targets import Labels

#: Sums of a few dozen doubles in another order.
CLOSE = 1e-9
BINARY = Labels(target="classes", names=("benign", "malignant"))
CLASSES = Labels(target="classes", names=("a", "b", "c"))
GRADES = Labels(target="ordinal", names=("mild", "moderate", "severe"))
FINDINGS = Labels(target="multi_label", names=("edema", "mass"))
NUMBER = Labels(target="number", names=("value",))
SEEDS = st.integers(0, 100_000)


def sample(n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Every class at least once; probabilities of few digits, so that ties occur."""
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, 20)])
    raw = rng.integers(1, 8, (len(targets), n_classes)) + 3.0 * np.eye(n_classes)[targets]
    return targets, raw / raw.sum(1, keepdims=True)


def counted(targets: np.ndarray, predictions: np.ndarray, labels: Labels) -> Measured:
    return measure_weighted(targets, predictions, labels, np.ones((1, len(targets))))


@given(SEEDS)
def test_a_binary_task_equals_scikit_learn(seed: int) -> None:
    targets, probabilities = sample(2, seed)
    found = counted(targets, probabilities, BINARY).overall
    high, called = probabilities[:, 1], probabilities.argmax(1)
    expected = {
        "auc": reference.roc_auc_score(targets, high),
        "average_precision": reference.average_precision_score(targets, high),
        "sensitivity": reference.recall_score(targets, called),
        "specificity": reference.recall_score(targets, called, pos_label=0),
        "ppv": reference.precision_score(targets, called, zero_division=math.nan),
        "npv": reference.precision_score(targets, called, pos_label=0, zero_division=math.nan),
        "f1": reference.f1_score(targets, called),
        "brier": reference.brier_score_loss(targets, high),
        "log_loss": reference.log_loss(targets, probabilities),
        "balanced_accuracy": reference.balanced_accuracy_score(targets, called),
    }
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value, abs=CLOSE, nan_ok=True), name
    if not math.isnan(found["mcc"][0]):  # scikit-learn calls 0 what is not defined
        matthews = reference.matthews_corrcoef(targets, called)
        assert found["mcc"][0] == pytest.approx(matthews, abs=CLOSE)


@given(SEEDS)
def test_several_classes_equal_scikit_learn(seed: int) -> None:
    targets, probabilities = sample(3, seed)
    measured = counted(targets, probabilities, CLASSES)
    called, each = probabilities.argmax(1), np.eye(3)[targets]
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        targets, called, labels=[0, 1, 2], zero_division=math.nan
    )
    rows = {
        "ppv": precision,
        "sensitivity": recall,
        "f1": f1,
        "auc": [reference.roc_auc_score(each[:, k], probabilities[:, k]) for k in range(3)],
        "average_precision": reference.average_precision_score(each, probabilities, average=None),
    }
    for name, row in rows.items():
        assert np.allclose(measured.by_class[name][0], row, atol=CLOSE, equal_nan=True), name
        assert measured.overall[name][0] == pytest.approx(np.nanmean(row), abs=CLOSE), name
    distance = ((probabilities - each) ** 2).sum(1).mean()
    assert measured.overall["brier"][0] == pytest.approx(distance, abs=CLOSE)
    assert measured.overall["log_loss"][0] == pytest.approx(
        reference.log_loss(targets, probabilities), abs=CLOSE
    )


@given(SEEDS)
def test_grades_equal_scikit_learn(seed: int) -> None:
    targets, probabilities = sample(3, seed)
    found = counted(targets, probabilities, GRADES).overall
    called = probabilities.argmax(1)
    kappa = reference.cohen_kappa_score(targets, called, weights="quadratic")
    assert found["quadratic_kappa"][0] == pytest.approx(kappa, abs=CLOSE)
    assert found["mae"][0] == pytest.approx(reference.mean_absolute_error(targets, called))
    assert found["cumulative_auc"][0] == pytest.approx(GRADES.score(targets, probabilities))


@given(SEEDS)
def test_several_labels_equal_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = np.concatenate([[[1, 0], [0, 1]], rng.integers(0, 2, (20, 2))]).astype(np.float32)
    probabilities = rng.integers(1, 10, targets.shape) / 10
    measured = counted(targets, probabilities, FINDINGS)
    called = probabilities >= 0.5
    expected = {
        "auc": reference.roc_auc_score(targets, probabilities, average=None),
        "f1": reference.f1_score(targets, called, average=None, zero_division=math.nan),
        "brier": ((probabilities - targets) ** 2).mean(0),
        "log_loss": [reference.log_loss(targets[:, k], probabilities[:, k]) for k in range(2)],
        "accuracy": (called == targets).mean(0),
    }
    for name, row in expected.items():
        assert np.allclose(measured.by_class[name][0], row, atol=CLOSE, equal_nan=True), name
        assert measured.overall[name][0] == pytest.approx(np.nanmean(row), abs=CLOSE), name
    exact = reference.accuracy_score(targets, called)
    assert measured.overall["subset_accuracy"][0] == pytest.approx(exact)


@given(SEEDS)
def test_numbers_equal_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.normal(1000, 5, 30)
    predictions = targets + rng.normal(size=30)
    found = counted(targets, predictions, NUMBER).overall
    assert found["mae"][0] == pytest.approx(reference.mean_absolute_error(targets, predictions))
    mean_square = reference.mean_squared_error(targets, predictions)
    assert found["rmse"][0] == pytest.approx(math.sqrt(mean_square))
    # the variance is a difference of two sums
    assert found["r2"][0] == pytest.approx(reference.r2_score(targets, predictions), abs=1e-6)


@given(SEEDS, st.sampled_from([BINARY, CLASSES, GRADES, FINDINGS, NUMBER]))
def test_an_image_drawn_twice_counts_as_two_images(seed: int, labels: Labels) -> None:
    rng = np.random.default_rng(seed)
    targets, predictions = sample(len(labels.names), seed)
    if labels.target == "multi_label":
        targets = rng.integers(0, 2, predictions.shape)
    if labels.target == "number":
        targets, predictions = rng.normal(size=23), rng.normal(size=23)
    times = rng.integers(0, 3, (1, len(targets)))
    times[0, 0] = 1
    weighted = measure_weighted(targets, predictions, labels, times.astype(float))
    copied = np.repeat(np.arange(len(targets)), times[0])
    expected = counted(targets[copied], predictions[copied], labels)
    for found, other in zip(weighted, expected, strict=True):
        for name in other:
            assert np.allclose(found[name], other[name], atol=1e-7, equal_nan=True), name


def test_the_calibration_error_is_the_gap_of_confidence_and_share_of_right_ones() -> None:
    """Ten calls at 0.9, seven of them right; ten at 0.6, all of them right."""
    probabilities = np.repeat([[0.1, 0.9], [0.4, 0.6]], 10, axis=0)
    targets = np.array([1] * 7 + [0] * 3 + [1] * 10)
    found = counted(targets, probabilities, BINARY).overall["ece"][0]
    assert found == pytest.approx((0.2 + 0.4) / 2)


def test_every_class_has_a_row_with_intervals() -> None:
    targets, probabilities = sample(3, 0)
    found = measure(targets, probabilities, CLASSES, [str(n) for n in range(len(targets))], seed=0)
    assert set(found.by_class) == {"a", "b", "c"}
    row = found.by_class["b"]["sensitivity"]
    assert row.value is not None
    assert row.low is not None
    assert row.high is not None
    assert row.low <= row.value <= row.high


def test_numbers_that_are_all_the_same_have_no_explained_variance() -> None:
    found = measure(np.full(9, 1e6), np.arange(9.0), NUMBER, list("abcdefghi"), seed=0)
    assert found.overall["r2"].value is None
    assert found.overall["mae"].value is not None
    assert found.by_class == {}


def test_resamples_take_groups_whole_and_are_as_large_as_the_number_of_groups() -> None:
    groups = ["p1", "p2", "p1", "p3"]
    weights = np.concatenate(list(resample(groups, seed=0, n_resamples=120)))
    assert weights.shape == (120, 4)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1:].sum(1) == 3).all()
    assert len(np.unique(weights, axis=0)) > 1
