"""A threshold keeps its promise on images that it was not chosen on, or is not given."""

import numpy as np
import pytest

from trainer.errors import TrainingError
from trainer.measures.operating_point import (
    OperatingPoint,
    Scored,
    choose_threshold,
    operating_point,
    scored,
)
from trainer.targets import Labels

LABELS = Labels(target="classes", names=("cataract", "normal"))


def part(n: int, seed: int, shift: float = 1.5) -> Scored:
    rng = np.random.default_rng(seed)
    positive = np.arange(n) % 3 == 0
    return Scored(positive, rng.normal(size=n) + shift * positive, [str(k // 2) for k in range(n)])


@pytest.mark.parametrize(("sensitivity", "n_positive"), [(0.9, 9), (0.9, 34), (0.8, 11)])
def test_on_average_new_images_are_found_as_often_as_asked_for(
    sensitivity: float, n_positive: int
) -> None:
    rng = np.random.default_rng(0)
    positive = np.ones(n_positive, dtype=bool)
    shares = []
    for _ in range(2000):
        threshold = choose_threshold(positive, rng.normal(size=n_positive), sensitivity)
        assert threshold is not None
        shares.append((rng.normal(size=50) >= threshold).mean())
    # 2000 thresholds know the mean share to about 0.003
    assert sensitivity - 0.01 <= np.mean(shares) <= sensitivity + 1 / n_positive + 0.01


def test_a_promise_that_so_few_images_cannot_keep_is_not_given() -> None:
    positive, scores = np.ones(18, dtype=bool), np.linspace(0, 1, 18)
    assert choose_threshold(positive, scores, 0.95) is None
    assert choose_threshold(np.ones(19, dtype=bool), np.linspace(0, 1, 19), 0.95) == 0
    found = operating_point(
        Scored(positive, scores, ()), part(30, 0), 0.95, positive="cataract", seed=0
    )
    assert found.threshold is None
    assert found.metrics == {}
    assert found.statement == (
        "a sensitivity of 0.95 cannot be promised from 18 validation images of cataract: "
        "at least 19 are needed; no threshold was chosen"
    )


def test_that_none_is_ever_missed_is_promised_by_no_number_of_images() -> None:
    found = operating_point(part(3000, 0), part(30, 1), 1.0, positive="cataract", seed=0)
    assert found.threshold is None
    assert "no number of images can promise that none is missed" in found.statement


def test_rates_are_those_of_the_test_images_at_the_threshold() -> None:
    validation, test = part(300, 0), part(150, 1)
    found = operating_point(validation, test, 0.9, positive="cataract", seed=0)
    assert found.threshold is not None
    called = test.scores >= found.threshold
    expected = {
        "sensitivity": called[test.positive].mean(),
        "specificity": (~called[~test.positive]).mean(),
        "ppv": test.positive[called].mean(),
        "npv": (~test.positive[~called]).mean(),
    }
    for name, value in expected.items():
        row = found.metrics[name]
        assert row.value == pytest.approx(value, abs=1e-6)
        assert row.low is not None
        assert row.high is not None
        assert row.low <= value <= row.high
    assert OperatingPoint.model_validate_json(found.model_dump_json()) == found


def test_an_image_at_the_threshold_is_called_positive() -> None:
    images = part(300, 0)
    found = operating_point(images, images, 0.9, positive="cataract", seed=0)
    assert found.metrics["sensitivity"].value == 0.91  # 91 of 100: the one that it was set by too


def test_it_is_said_where_the_test_images_fall_short() -> None:
    shifted = part(150, 1, shift=0.5)
    found = operating_point(part(300, 0), shifted, 0.9, positive="cataract", seed=0)
    assert "chosen on 100 validation images of cataract for a sensitivity of 0.9" in found.statement
    assert "less than asked for" in found.statement


def test_the_score_is_that_of_the_class_looked_for() -> None:
    found = scored(np.array([0, 1]), np.array([[0.7, 0.3], [0.2, 0.8]]), LABELS, ["p", "q"])
    assert found.positive.tolist() == [True, False]
    assert found.scores.tolist() == [0.7, 0.2]


def test_several_classes_have_no_operating_point() -> None:
    labels = Labels(target="classes", names=("a", "b", "c"))
    with pytest.raises(TrainingError, match="is for two classes; found classes: a, b, c"):
        scored(np.array([0]), np.array([[0.2, 0.3, 0.5]]), labels, ["p"])
