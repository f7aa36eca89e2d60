"""Intervals for what a further study reports hold it about as often as they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from evidence.records import ArmRecord
from recommender.calibration import Coverage, coverage, interval_score, wilson
from recommender.corpus_population import population
from recommender.errors import RecommendationError
from recommender.prediction_interval import SHARPNESS, bounds, prediction_interval

rates = st.lists(st.floats(0, 1), max_size=60)


@pytest.fixture(scope="module")
def found(arms: tuple[ArmRecord, ...]) -> tuple[Coverage, ...]:
    return coverage(population("all", arms))


def test_the_intervals_cover_what_they_promise_within_chance(found: tuple[Coverage, ...]) -> None:
    checked = [row for row in found if row.method == "prediction"]
    assert {(row.metric, row.nominal) for row in checked} == {
        (metric, level) for metric in ("accuracy", "auc") for level in (0.8, 0.9)
    }
    for row in found:
        assert row.low <= row.nominal <= row.high, row
        assert row.n >= 30


def test_the_default_sharpness_is_what_the_corpus_chooses(found: tuple[Coverage, ...]) -> None:
    chosen = [row.sharpness for row in found if row.sharpness is not None]
    assert max(set(chosen), key=chosen.count) == SHARPNESS


def test_an_interval_of_level_08_needs_nine_values_that_count_alike() -> None:
    values = [n / 10 for n in range(1, 10)]
    assert prediction_interval(values, [1] * 9) == (0.1, 0.9)
    assert prediction_interval(values[:8], [1] * 8) == (0, 1)
    assert prediction_interval([], []) == (0, 1)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_exchangeable_studies_are_covered_as_promised(level: float) -> None:
    """With n values at least `level` and less than `level + 2 / (n + 1)`; 4,000 draws."""
    rng = np.random.default_rng(5)
    draws = rng.beta(8, 2, size=(4000, 41))
    low, high = bounds(draws[:, 1:], np.ones((4000, 40)), level).T
    covered = ((low <= draws[:, 0]) & (draws[:, 0] <= high)).mean()
    assert level - 0.02 <= covered <= level + 2 / 41 + 0.02


@given(rates, st.data())
def test_a_higher_level_holds_the_interval_of_a_lower_one(
    values: list[float], data: st.DataObject
) -> None:
    alike = data.draw(st.lists(st.floats(0, 1), min_size=len(values), max_size=len(values)))
    inner = prediction_interval(values, alike, level=0.5)
    outer = prediction_interval(values, alike, level=0.9)
    assert 0 <= outer.low <= inner.low <= inner.high <= outer.high <= 1


def test_like_studies_count_more_where_sharpness_says_so() -> None:
    values = [0.6] * 40 + [0.9] * 40
    alike = [0.1] * 40 + [0.9] * 40
    assert prediction_interval(values, alike, sharpness=0) == (0.6, 0.9)
    assert prediction_interval(values, alike, sharpness=4) == (0.9, 0.9)


def test_values_without_their_similarities_are_refused() -> None:
    with pytest.raises(RecommendationError, match="2 values and 1 similarities"):
        prediction_interval([0.5, 0.6], [1.0])


def test_a_missed_value_is_fined() -> None:
    intervals = np.array([[0.4, 0.6], [0.4, 0.6], [0.4, 0.6]])
    found = interval_score(intervals, np.array([0.5, 0.3, 0.65]), 0.8)
    assert found == pytest.approx([0.2, 0.2 + 10 * 0.1, 0.2 + 10 * 0.05])


@pytest.mark.parametrize(("n_true", "n"), [(0, 5), (5, 5), (37, 51)])
def test_wilson_is_that_of_statsmodels(n_true: int, n: int) -> None:
    wanted = proportion_confint(n_true, n, method="wilson")
    assert wilson(n_true, n) == pytest.approx(wanted, abs=1e-12)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0, 1)
