"""A temperature makes probabilities honest and ranks nothing anew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TrainingError
from trainer.measures.areas import label_auc, macro_auc
from trainer.measures.calibration import apply_temperature, fit_temperature, reliability
from trainer.measures.weighted import bins_of
from trainer.metrics import measure_weighted
from trainer.targets import Labels

BINARY = Labels(target="classes", names=("benign", "malignant"))
CLASSES = Labels(target="classes", names=("a", "b", "c"))
FINDINGS = Labels(target="multi_label", names=("edema", "mass"))
NUMBER = Labels(target="number", names=("value",))


def drawn(labels: Labels, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and targets that come true with just their probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, labels.n_outputs)) * 2
    honest = labels.predict(logits)
    if labels.target == "multi_label":
        return logits, (rng.random(honest.shape) < honest).astype(np.float32)
    return logits, (honest.cumsum(1) < rng.random((n, 1))).sum(1)


def loss(labels: Labels, targets: np.ndarray, probabilities: np.ndarray) -> float:
    once = np.ones((1, len(targets)))
    return float(measure_weighted(targets, probabilities, labels, once).overall["log_loss"][0])


@pytest.mark.parametrize("labels", [BINARY, CLASSES, FINDINGS])
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_logits_that_were_stretched_are_shrunk_again(labels: Labels, factor: float) -> None:
    logits, targets = drawn(labels, 4000, seed=0)
    found = fit_temperature(labels.predict(logits * factor), targets, labels)
    # the true temperature, as far as four thousand images tell it
    assert found == pytest.approx(factor, rel=0.1)


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.integers(5, 40))
def test_no_binary_area_moves_and_no_call_changes(seed: int, temperature: float, n: int) -> None:
    logits, targets = drawn(BINARY, n, seed)
    before = BINARY.predict(logits.clip(-1.5, 1.5))  # at 0.1 a double still tells them apart
    after = apply_temperature(before, temperature, BINARY)
    assert macro_auc(targets, after) == pytest.approx(macro_auc(targets, before), nan_ok=True)
    assert (after.argmax(1) == before.argmax(1)).all()


@given(st.integers(0, 10_000), st.sampled_from([BINARY, CLASSES, FINDINGS]), st.floats(0.1, 5))
def test_the_loss_on_the_images_that_it_was_fitted_to_never_grows(
    seed: int, labels: Labels, factor: float
) -> None:
    logits, targets = drawn(labels, 12, seed)
    before = labels.predict(logits * factor)
    temperature = fit_temperature(before, targets, labels)
    after = apply_temperature(before, temperature, labels)
    assert loss(labels, targets, after) <= loss(labels, targets, before)
    assert 0.1 <= temperature <= 10


def test_where_nothing_is_gained_the_temperature_is_one() -> None:
    shrugs = np.full((10, 2), 0.5)
    assert fit_temperature(shrugs, np.arange(10) % 2, BINARY) == 1


def test_probabilities_and_logits_take_the_same_temperature() -> None:
    logits, _ = drawn(CLASSES, 20, seed=1)
    scaled = apply_temperature(CLASSES.predict(logits), 2.5, CLASSES)
    # one softmax in doubles against another
    assert np.allclose(scaled, CLASSES.predict(logits / 2.5), atol=1e-12)


def test_the_areas_of_several_labels_stay() -> None:
    logits, targets = drawn(FINDINGS, 60, seed=2)
    before = FINDINGS.predict(logits)
    after = apply_temperature(before, 4.0, FINDINGS)
    assert label_auc(targets, after) == label_auc(targets, before)


def test_a_probability_of_nothing_stays_nothing() -> None:
    """As the neighbours of an image give it where all agree."""
    sure = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert apply_temperature(sure, 3.0, BINARY).tolist() == sure.tolist()
    assert 0.1 <= fit_temperature(sure, np.array([1, 1, 0]), BINARY) <= 10


def test_numbers_have_no_temperature() -> None:
    values = np.array([1.0, 2.0])
    assert fit_temperature(values, values, NUMBER) == 1
    assert apply_temperature(values, 5.0, NUMBER) is values
    with pytest.raises(TrainingError, match="numbers have no probabilities"):
        reliability(values, values, NUMBER)


def test_a_temperature_of_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="temperature is 0; only one above 0"):
        apply_temperature(np.array([[0.5, 0.5]]), 0, BINARY)


def test_the_curve_tells_what_the_calibration_error_sums_up() -> None:
    logits, targets = drawn(CLASSES, 300, seed=3)
    probabilities = CLASSES.predict(logits * 2)
    curve = reliability(targets, probabilities, CLASSES)
    gap = (abs(curve.confidence - curve.right) * curve.n_cases).sum() / curve.n_cases.sum()
    once = np.ones((1, 300))
    expected = measure_weighted(targets, probabilities, CLASSES, once).overall["ece"][0]
    assert gap == pytest.approx(expected)
    assert curve.n_cases.sum() == 300
    assert (np.diff(curve.confidence) > 0).all()


def test_bins_are_closed_on_their_right() -> None:
    assert bins_of(np.array([0.0, 0.06, 0.07, 0.5, 0.94, 1.0])).tolist() == [0, 0, 1, 7, 14, 14]


def test_the_curve_of_labels_counts_every_label_of_every_image() -> None:
    logits, targets = drawn(FINDINGS, 50, seed=4)
    assert reliability(targets, FINDINGS.predict(logits), FINDINGS).n_cases.sum() == 100
