"""Measurements on the user's images move what was expected as Bayes' theorem says."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.controlled import Array
from recommender.measured import UNKNOWN_ERROR, Measured, standard_error, updated
from tests.unit.recommender.planted import network

NETWORKS = tuple(map(network, ("a1", "a2", "b1", "c1")))
#: In points squared: two relatives of correlation 0.8, and others apart.
PRIOR = 4.0 * np.array([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, 0.1], [0, 0, 0.1, 1]])
EXPECTED = np.array([1.0, 0.0, -1.0, 0.5])

measurements = st.lists(
    st.builds(
        Measured,
        configuration=st.sampled_from(NETWORKS),
        points=st.floats(50, 100),
        error=st.floats(0.5, 8),
        block=st.sampled_from(["seed 0", "seed 1"]),
    ),
    min_size=1,
    max_size=8,
)


def textbook(measured: list[Measured]) -> tuple[Array, Array]:
    """The posterior in its information form, the level of each block with a flat prior.

    Rasmussen and Williams 2006, equations 2.41 and 2.42: a flat level takes the weighted mean of
    its block out of the precision of the measurements.
    """
    rows = [NETWORKS.index(one.configuration) for one in measured]
    seen = np.eye(len(NETWORKS))[rows]
    precision = np.diag([one.error**-2 for one in measured])
    for block in {one.block for one in measured}:
        level = precision @ np.array([float(one.block == block) for one in measured])
        precision -= np.outer(level, level) / level.sum()
    spread = np.linalg.inv(np.linalg.inv(PRIOR) + seen.T @ precision @ seen)
    points = np.array([one.points for one in measured])
    mean = EXPECTED + spread @ seen.T @ precision @ (points - EXPECTED[rows])
    return np.asarray(mean, float), np.asarray(spread, float)


@given(measurements)
def test_the_update_is_that_of_the_textbook(measured: list[Measured]) -> None:
    """Within 0.02 points: the level of a block has a variance of 100 points squared, not infinity.

    What remains is about the prior variance of 4 in 10,000 of a difference of up to 50 points.
    """
    mean, spread = updated(NETWORKS, EXPECTED, PRIOR, measured)
    wanted_mean, wanted_spread = textbook(measured)
    assert mean == pytest.approx(wanted_mean, abs=0.02)
    assert spread == pytest.approx(wanted_spread, abs=0.02)


@given(measurements, st.randoms(use_true_random=False), st.floats(-30, 30))
def test_neither_order_nor_level_of_a_block_matters(
    measured: list[Measured], shuffler: random.Random, level: float
) -> None:
    shifted = [
        one._replace(points=one.points + level) if one.block == "seed 1" else one
        for one in shuffler.sample(measured, len(measured))
    ]
    mean, spread = updated(NETWORKS, EXPECTED, PRIOR, shifted)
    wanted_mean, wanted_spread = updated(NETWORKS, EXPECTED, PRIOR, measured)
    assert mean == pytest.approx(wanted_mean, abs=1e-7)
    assert spread == pytest.approx(wanted_spread, abs=1e-7)


def test_measuring_one_network_moves_its_relatives() -> None:
    measured = [
        Measured(NETWORKS[0], 90, 1.0, "seed 0"),
        Measured(NETWORKS[2], 80, 1.0, "seed 0"),
    ]
    mean, spread = updated(NETWORKS, EXPECTED, PRIOR, measured)
    moved = mean - EXPECTED
    assert moved[0] > moved[1] > 1
    assert moved[2] < moved[3] < 0
    assert abs(moved[3]) < 0.2 * abs(moved[1])
    assert (np.diag(spread) < np.diag(PRIOR)).all()


def test_many_exact_measurements_outweigh_every_expectation() -> None:
    points = [70.0, 74.0, 79.0, 72.0]
    measured = [
        Measured(one, value, 0.05, f"seed {seed}")
        for seed in range(10)
        for one, value in zip(NETWORKS, points, strict=True)
    ]
    mean, _ = updated(NETWORKS, EXPECTED, PRIOR, measured)
    assert mean - mean.mean() == pytest.approx(np.array(points) - np.mean(points), abs=0.01)
    assert EXPECTED.argmax() != mean.argmax() == 2


def test_what_is_no_candidate_or_alone_in_its_block_moves_nothing() -> None:
    measured = [
        Measured(network("other"), 99, 1.0, "seed 0"),
        Measured(NETWORKS[1], 99, 1.0, "seed 0"),
    ]
    mean, _ = updated(NETWORKS, EXPECTED, PRIOR, measured)
    assert list(mean) == list(EXPECTED)
    mean, spread = updated(NETWORKS, EXPECTED, PRIOR, measured[:1])
    assert (list(mean), spread.tolist()) == (list(EXPECTED), PRIOR.tolist())


def test_the_standard_error_is_a_quarter_of_a_95_percent_interval() -> None:
    assert standard_error(0.8, 0.9) == pytest.approx(10 / 3.92)
    for low, high in ((None, 0.9), (0.9, None), (0.9, 0.9)):
        assert standard_error(low, high) == UNKNOWN_ERROR
