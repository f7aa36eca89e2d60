"""Metrics equal scikit-learn's; intervals take groups whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score

from trainer.measures.areas import auc_contributions, macro_auc
from trainer.measures.bootstrap import Interval
from trainer.measures.measuring import Measured, without_width
from trainer.metrics import evaluate, positive_class


def sample(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, n)
    scores = rng.normal(size=(n, classes)) + 1.2 * np.eye(classes)[targets]
    exp = np.exp(scores)
    return targets, exp / exp.sum(1, keepdims=True)


def test_three_classes_equal_scikit_learn() -> None:
    targets, probabilities = sample(200, 3)
    found = evaluate(targets, probabilities, "abc", [str(n) for n in range(200)], seed=0)
    predicted = probabilities.argmax(1)
    expected = {
        "auc": roc_auc_score(targets, probabilities, multi_class="ovr", average="macro"),
        "balanced_accuracy": balanced_accuracy_score(targets, predicted),
        "sensitivity": recall_score(targets, predicted, average="macro"),
        "accuracy": (targets == predicted).mean(),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("digits", [1, 8])
def test_the_area_of_two_classes_equals_scikit_learn_with_ties(digits: int) -> None:
    targets, probabilities = sample(100, 2)
    high = probabilities[:, 1].round(digits)
    both = np.stack([1 - high, high], 1)
    found = evaluate(targets, both, "ab", [str(n) for n in range(100)], seed=0)
    assert found["auc"].value == pytest.approx(roc_auc_score(targets, high), abs=1e-6)


def test_sensitivity_is_about_the_finding_whatever_its_place_in_the_alphabet() -> None:
    targets, probabilities = sample(200, 2)
    found = evaluate(targets, probabilities, ["cataract", "normal"], list("x" * 200), seed=0)
    predicted = probabilities.argmax(1)
    assert found["sensitivity"].value == pytest.approx((predicted[targets == 0] == 0).mean())
    assert found["specificity"].value == pytest.approx((predicted[targets == 1] == 1).mean())


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (("benign", "malignant"), "malignant"),
        (("cataract", "normal"), "cataract"),
        (("no_tumor", "tumor"), "tumor"),
        (("left", "right"), "right"),
        (("covid", "non-covid"), "covid"),
        (("malignant", "nonmalignant"), "malignant"),
        (("malignant", "non_malignant"), "malignant"),
        (("nodule", "vessel"), "vessel"),
        (("a", "b", "c"), None),
    ],
)
def test_the_positive_class_is_the_one_looked_for(
    classes: tuple[str, ...], positive: str | None
) -> None:
    assert positive_class(classes) == positive


def test_an_interval_holds_its_value_and_repeats_with_its_seed() -> None:
    targets, probabilities = sample(120, 2)
    groups = [str(n // 3) for n in range(120)]
    first = evaluate(targets, probabilities, "ab", groups, seed=1)
    assert first == evaluate(targets, probabilities, "ab", groups, seed=1)
    for interval in first.values():
        assert interval.low is not None
        assert interval.value is not None
        assert interval.high is not None
        assert interval.low <= interval.value <= interval.high


def test_images_of_one_patient_do_not_narrow_the_interval() -> None:
    """Ten copies of every patient's image say no more than one."""
    targets, probabilities = sample(40, 2)
    once = evaluate(targets, probabilities, "ab", [str(n) for n in range(40)], seed=0)
    copies = np.repeat(np.arange(40), 10)
    many = evaluate(targets[copies], probabilities[copies], "ab", [str(n) for n in copies], seed=0)

    def width(found: dict[str, Interval]) -> float:
        return (found["accuracy"].high or 0) - (found["accuracy"].low or 0)

    assert width(once) > 0.05
    assert width(many) == pytest.approx(width(once), rel=0.15)


def test_a_rare_class_costs_no_interval() -> None:
    targets = np.repeat(np.arange(40), 2)
    probabilities = np.full((80, 40), 0.01)
    probabilities[np.arange(80), (targets + np.arange(80) % 2) % 40] = 0.61
    found = evaluate(
        targets, probabilities, [str(n) for n in range(40)], list(map(str, range(80))), 0
    )
    assert all(interval.low is not None for interval in found.values())


def test_a_metric_that_is_not_defined_is_empty_not_zero() -> None:
    targets, probabilities = np.zeros(5, dtype=np.int64), np.tile([0.9, 0.1], (5, 1))
    found = evaluate(targets, probabilities, "ab", list("vwxyz"), seed=0)
    assert found["auc"].value is None
    assert found["accuracy"].value == 1


@given(st.integers(2, 4), st.integers(0, 10_000))
def test_contributions_are_those_of_delong(n_classes: int, seed: int) -> None:
    """Against the definition: mean comparison with every image of the other side."""
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, 20)])
    probabilities = rng.integers(0, 6, (len(targets), n_classes)) / 5  # ties
    expected = np.zeros(len(targets))
    for number in range(n_classes):
        own = np.flatnonzero(targets == number)
        other = np.flatnonzero(targets != number)
        apart = probabilities[own, number][:, None] - probabilities[other, number][None]
        wins = (np.sign(apart) + 1) / 2
        expected[own] += (wins.mean(1) - wins.mean()) / len(own) / n_classes
        expected[other] += (wins.mean(0) - wins.mean()) / len(other) / n_classes
    found = auc_contributions(targets, probabilities)
    # sums of a few dozen fractions in another order
    assert np.allclose(found, expected, atol=1e-12)
    assert found.sum() == pytest.approx(0, abs=1e-12)


def test_the_standard_error_from_contributions_is_that_of_many_samples() -> None:
    rng = np.random.default_rng(0)
    values, errors = [], []
    for _ in range(400):
        targets = np.repeat([0, 1], [60, 40])
        score = rng.normal(size=100) + targets
        probabilities = np.stack([-score, score], axis=1)
        values.append(macro_auc(targets, probabilities))
        errors.append(np.sqrt((auc_contributions(targets, probabilities) ** 2).sum()))
    # 400 samples know a deviation to about 4%
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)


def test_a_perfect_test_part_is_not_shown_as_certain() -> None:
    targets = np.arange(12) % 2
    perfect = np.eye(2)[targets] * 0.8 + 0.1
    metrics = evaluate(targets, perfect, "ab", [str(n) for n in range(12)], seed=0)
    (told,) = without_width(Measured({"test": metrics}, {}, None))
    assert "(accuracy, " in told
    assert ", auc" in told
    noisy, guessed = sample(80, 2)
    metrics = evaluate(noisy, guessed, "ab", [str(n) for n in range(80)], seed=0)
    assert without_width(Measured({"test": metrics}, {}, None)) == ()
