"""Measures of an order are those of reference implementations."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recommender.measures import RESAMPLES, in_top, interval, regret, weighted_tau

pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=25)


@given(pairs)
def test_weighted_tau_is_that_of_scipy_and_0_where_scipys_is_not_defined(
    rows: list[tuple[int, int]],
) -> None:
    values, scores = zip(*rows, strict=True)
    found: Any = stats.weightedtau(values, scores)
    wanted = 0.0 if math.isnan(found.statistic) else found.statistic
    assert weighted_tau(values, scores) == pytest.approx(wanted, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=25, unique=True))
def test_an_order_agrees_with_itself_and_not_with_its_reverse(values: list[float]) -> None:
    assert weighted_tau(values, values) == pytest.approx(1)
    assert weighted_tau(values, [-value for value in values]) == pytest.approx(-1)


def test_an_order_that_says_nothing_is_worth_nothing() -> None:
    assert weighted_tau([0.9, 0.8, 0.7], [1, 1, 1]) == 0
    assert weighted_tau([0.9], [1]) == 0


def test_regret_is_what_the_best_has_more() -> None:
    assert regret([0.7, 0.9, 0.8], 0) == pytest.approx(0.2)
    assert regret([0.7, 0.9, 0.8], 1) == 0


def test_what_ties_with_the_third_is_among_the_top_three() -> None:
    values = [0.9, 0.8, 0.7, 0.7, 0.6]
    assert [in_top(values, n) for n in range(5)] == [True, True, True, True, False]
    assert [in_top(values, n, 1) for n in range(5)] == [True, False, False, False, False]


def test_the_interval_is_the_percentile_bootstrap_of_scipy() -> None:
    """Ends of 2,000 and 20,000 resamples of a mean of 30 differ by a tenth of their distance."""
    values = np.random.default_rng(7).gamma(2, size=30)
    theirs: Any = stats.bootstrap(
        (values,), np.mean, n_resamples=10 * RESAMPLES, method="percentile", rng=1
    ).confidence_interval
    low, high = interval(values.tolist())
    assert [low, high] == pytest.approx([theirs.low, theirs.high], abs=0.1 * (high - low))
    assert interval(values.tolist()) == (low, high)


def test_a_single_value_is_its_own_interval() -> None:
    assert interval([0.25]) == (0.25, 0.25)
