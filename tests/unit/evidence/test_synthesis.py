"""What may be pooled is pooled as the reference implementations do; the rest is left out aloud."""

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evidence.errors import EvidenceError
from evidence.reported import Effect, Reported, hanley_mcneil, interval, obstacle
from evidence.synthesis import Pooled, RandomEffects, pool, random_effects

with warnings.catch_warnings():
    # PyMARE leaves a file of its own open while it is imported.
    warnings.simplefilter("ignore", ResourceWarning)
    from pymare.estimators import WeightedLeastSquares
    from pymare.stats import q_gen

Make = Callable[..., Reported]


@pytest.fixture
def make() -> Make:
    """Results with the fields that a test cares about; each its own study unless said."""
    count = iter(range(10_000))

    def make_one(**fields: object) -> Reported:
        number = next(count)
        base: dict[str, object] = {
            "study_key": f"doe-{number}",
            "label": f"Doe {number}",
            "review": "morid2022",
            "locator": "Table S5",
            "metric": "accuracy",
            "operator": "=",
            "value": 0.9,
            "n_test": 200,
            "n_images": 5000,
        }
        return Reported.model_validate(base | fields)

    return make_one


def reasons(pooled: Pooled) -> dict[str, int]:
    return {left.reason: left.n for left in pooled.left_out}


# -- what may be pooled -------------------------------------------------------------------------


def test_one_study_is_shown_raw_and_two_as_a_range(make: Make) -> None:
    one = pool([make(value=0.9)])
    assert (one.kind, one.k, one.value, one.interval) == ("single", 1, 0.9, None)
    two = pool([make(value=0.95), make(value=0.8)])
    assert (two.kind, two.k, two.value, two.interval) == ("range", 2, None, None)
    assert two.observed is not None
    assert (two.observed.low, two.observed.high) == (0.8, 0.95)


@pytest.mark.parametrize(
    ("k", "kind", "predicts"), [(3, "unstable", False), (4, "unstable", False), (5, "pooled", True)]
)
def test_three_and_four_studies_are_flagged_and_five_predict(
    make: Make, k: int, kind: str, predicts: bool
) -> None:
    found = pool([make(value=0.8 + 0.02 * step) for step in range(k)])
    assert (found.kind, found.k) == (kind, k)
    assert found.interval is not None
    assert (found.prediction is not None) is predicts
    assert any("unstable" in warning for warning in found.warnings) is not predicts


def test_bounds_and_ranges_never_enter_a_pool(make: Make) -> None:
    points = [make(value=0.8 + 0.02 * step) for step in range(5)]
    others = [make(operator=">", value=0.99), make(operator="range", value=0.1, value_high=0.2)]
    alone, mixed = pool(points), pool([*others, *points])
    assert mixed.value == alone.value
    assert mixed.interval == alone.interval
    assert mixed.study_keys == alone.study_keys
    assert reasons(mixed) == {"a lower bound (>) is no point": 1, "a range is no point": 1}


def test_a_bound_and_a_range_alone_give_nothing(make: Make) -> None:
    found = pool([make(operator=">"), make(operator="range", value_high=0.95)])
    assert (found.kind, found.k, found.value, found.observed) == ("none", 0, None, None)
    assert pool([]).kind == "none"


def test_only_the_first_result_of_a_study_counts(make: Make) -> None:
    points = [make(value=0.8 + 0.02 * step) for step in range(5)]
    again = make(study_key=points[0].study_key, value=0.2)
    found = pool([*points, again])
    assert found.value == pool(points).value
    assert [(left.n, left.study_keys) for left in found.left_out] == [(1, (again.study_key,))]


def test_the_total_number_of_images_is_no_test_set(make: Make) -> None:
    found = pool([make(n_test=None, n_images=10_000) for _ in range(6)])
    assert (found.kind, found.k) == ("not_pooled", 0)
    assert reasons(found) == {"the size of the test set is not known": 6}


def test_an_auc_without_both_groups_is_not_pooled(make: Make) -> None:
    without = [make(metric="auc") for _ in range(4)]
    assert pool(without).kind == "not_pooled"
    assert pool([make(metric="auc", n_positive_test=80) for _ in range(5)]).kind == "pooled"


def test_metrics_are_not_mixed(make: Make) -> None:
    with pytest.raises(EvidenceError, match="accuracy and auc"):
        pool([make(), make(metric="auc")])


def test_results_and_those_left_out_add_up(make: Make) -> None:
    results = [make() for _ in range(5)] + [make(operator=">"), make(n_test=None)]
    results.append(make(study_key=results[0].study_key))
    found = pool(results)
    assert found.k + sum(left.n for left in found.left_out) == len(results)


def test_small_samples_are_named_with_their_source(make: Make) -> None:
    small = pool([make(n_images=999), make(n_images=None), make(n_images=1000)])
    assert any(
        "2 of 3" in warning and "10.1371/journal.pone.0224365" in warning
        for warning in small.warnings
    )
    assert not any("Vabalas" in w for w in pool([make(n_images=1000) for _ in range(3)]).warnings)


def test_one_value_for_all_has_no_heterogeneity(make: Make) -> None:
    found = pool([make() for _ in range(6)])
    assert (found.tau2, found.i2) == (0.0, 0.0)
    assert found.value == pytest.approx(0.9)


# -- standard errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "n"),
    [
        ({"metric": "accuracy"}, 200),
        ({"metric": "sensitivity", "n_positive_test": 50}, 50),
        ({"metric": "specificity", "n_positive_test": 50}, 150),
    ],
)
def test_a_proportion_is_out_of_its_own_part_of_the_test_set(
    make: Make, fields: dict[str, object], n: int
) -> None:
    found = interval(make(**fields))
    z = 1.959963984540054  # Wilson 1927, doi:10.1080/01621459.1927.10502953, written out
    centre = (0.9 + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(0.9 * 0.1 / n + z**2 / (4 * n**2))
    assert found is not None
    assert found.derived
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


def test_sensitivity_needs_the_positives() -> None:
    base = {"study_key": "a", "label": "A", "review": "r", "locator": "T"}
    result = Reported(**base, metric="sensitivity", operator="=", value=0.9, n_test=100)
    assert obstacle(result) == "the size of the test set is not known"
    assert interval(result) is None


@pytest.mark.parametrize("metric", ["precision", "dice", "balanced_accuracy", "mae"])
def test_other_metrics_have_no_standard_error(make: Make, metric: str) -> None:
    assert "no standard error" in (obstacle(make(metric=metric)) or "")


@pytest.mark.parametrize(("ratio", "n_positive", "n_negative"), [(9.0, 12, 30), (3.0, 40, 8)])
def test_hanley_mcneil_is_the_spread_of_the_auc_of_exponential_scores(
    ratio: float, n_positive: int, n_negative: int
) -> None:
    # The formula is exact where scores of both groups are exponential: AUC = ratio / (1 + ratio).
    draw = np.random.default_rng(0)
    n_draws = 20_000
    positive = draw.exponential(ratio, (n_draws, n_positive, 1))
    negative = draw.exponential(1.0, (n_draws, 1, n_negative))
    spread = (positive > negative).mean(axis=(1, 2)).std()
    # A standard deviation of 20,000 draws is itself known to about 0.5% (1 / sqrt(2 n)).
    expected = hanley_mcneil(ratio / (1 + ratio), n_positive, n_negative)
    assert spread == pytest.approx(expected, rel=0.02)


def test_an_auc_of_one_is_refused_and_an_accuracy_of_one_corrected(make: Make) -> None:
    assert obstacle(make(metric="auc", value=1.0, n_positive_test=50)) is not None
    perfect = pool([make(value=1.0, n_test=n) for n in (50, 60, 70)])
    # Half an error among about 60 units: 1 - 0.5 / 61 = 0.992.
    assert perfect.value == pytest.approx(0.992, abs=0.001)
    assert perfect.interval is not None
    assert perfect.interval.high < 1


@given(value=st.floats(0, 1), n=st.integers(2, 10**6), metric=st.sampled_from(["accuracy", "auc"]))
def test_every_derived_interval_holds_its_value(value: float, n: int, metric: str) -> None:
    result = Reported(
        study_key="a", label="A", review="r", locator="T",
        metric=metric, operator="=", value=value, n_test=n, n_positive_test=n // 2,
    )  # fmt: skip
    found = interval(result)
    if obstacle(result) is not None:
        assert found is None
    else:
        assert found is not None
        # Wilson's bounds meet 0 and 1 but for rounding.
        assert 0 <= found.low <= value + 1e-12
        assert value - 1e-12 <= found.high <= 1


def test_a_result_that_contradicts_itself_is_refused(make: Make) -> None:
    with pytest.raises(ValidationError, match="value_high"):
        make(operator="range")
    with pytest.raises(ValidationError, match="fraction"):
        make(value=93)
    with pytest.raises(ValidationError, match="below n_test"):
        make(n_positive_test=200)


# -- the statistics -----------------------------------------------------------------------------


def test_the_clasp_example_gives_the_published_figures() -> None:
    # DerSimonian & Kacker 2007, doi:10.1016/j.cct.2006.04.004, Tables 3 and 4: Paule-Mandel on the
    # log odds ratios of six trials of the CLASP overview.
    events = [(5, 156, 8, 74), (5, 303, 17, 303), (12, 565, 9, 477), (69, 1570, 94, 1565)]
    events += [(9, 103, 11, 105), (313, 4659, 352, 4650)]
    effects = [
        Effect(
            math.log(a / (n - a) / (c / (m - c))),
            math.sqrt(1 / a + 1 / (n - a) + 1 / c + 1 / (m - c)),
        )
        for a, n, c, m in events
    ]
    found = random_effects(effects)
    assert math.sqrt(found.tau2) == pytest.approx(0.3681, abs=5e-5)
    assert found.mean == pytest.approx(-0.3811, abs=5e-5)
    # With Paule-Mandel Hartung and Knapp's factor is 1 wherever tau2 is above 0.
    assert found.se == pytest.approx(0.2060, abs=5e-5)


def test_the_prediction_interval_is_the_published_one() -> None:
    # Riley, Higgins & Deeks 2011, doi:10.1136/bmj.d549: ten trials of blood pressure, mean -0.33,
    # prediction interval -0.76 to 0.09; tau2 and the standard error in full precision.
    found = RandomEffects(mean=-0.33406, se=0.07637, tau2=0.02825, q=0, i2=0, k=10).prediction()
    assert (found.low, found.high) == pytest.approx((-0.76, 0.09), abs=0.005)


effects_of_studies = st.lists(
    st.builds(Effect, st.floats(-4, 5), st.floats(0.05, 2)), min_size=2, max_size=12
)


@given(effects_of_studies)
def test_pooled_estimates_equal_pymares(effects: list[Effect]) -> None:
    found = random_effects(effects)
    y, se = np.array(effects).T[:, :, None]
    ones = np.ones_like(y)
    # Paule and Mandel's tau2 makes the generalised Q its degrees of freedom, or is 0. statsmodels
    # stops within 1e-5 of that.
    generalised = float(np.squeeze(q_gen(y, se**2, ones, found.tau2)))
    if found.tau2 > 0:
        assert generalised == pytest.approx(found.k - 1, abs=2e-5)
    else:
        assert generalised <= found.k - 1 + 1e-9
    # PyMARE has no Paule-Mandel: it is given tau2, and from there all is arithmetic.
    reference = WeightedLeastSquares(
        tau2=found.tau2, small_sample_correction="knapp-hartung-conservative"
    ).fit(y, ones, v=se**2)
    mean, covariance = (
        float(np.squeeze(reference.params_[key])) for key in ("fe_params", "inv_cov")
    )
    assert found.mean == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert found.se == pytest.approx(math.sqrt(covariance), rel=1e-9)


@given(effects_of_studies.filter(lambda effects: len(effects) >= 3))
def test_a_prediction_is_wider_than_the_mean_is_sure(effects: list[Effect]) -> None:
    found = random_effects(effects)
    mean, new = found.confidence(), found.prediction()
    assert new.low <= mean.low <= found.mean <= mean.high <= new.high
    assert 0 <= found.i2 < 1


def test_the_order_of_studies_changes_nothing(make: Make) -> None:
    results = [make(value=0.7 + 0.05 * step, n_test=50 + 30 * step) for step in range(6)]
    forward, backward = pool(results), pool(results[::-1])
    assert forward.value == pytest.approx(backward.value)
    assert forward.tau2 == pytest.approx(backward.tau2)
