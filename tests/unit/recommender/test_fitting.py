"""Weights are least squares without negatives, and noise earns none."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from recommender.configuration import Configuration, Observation, Task
from recommender.controlled import Array, Controlled, Settings, usable
from recommender.fitting import (
    PartsOf,
    design,
    fit_weights,
    foretold_better,
    nonnegative,
    row_weights,
)
from recommender.parts import LITERATURE, PARTS
from recommender.weights import UNFITTED, Weights
from tests.unit.recommender.planted import table

NETWORKS = [f"n{n}" for n in range(8)]


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(4, 20))
def test_weights_are_those_of_scipys_nonnegative_least_squares(
    seed: int, n_parts: int, n_rows: int
) -> None:
    rng = np.random.default_rng(seed)
    parts, target = rng.normal(size=(n_rows, n_parts)), rng.normal(size=n_rows)
    weight = rng.uniform(0.1, 2, n_rows)
    root = np.sqrt(weight)
    wanted, _ = nnls(root[:, None] * parts, root * target)
    assert nonnegative(parts, target, weight) == pytest.approx(wanted, abs=1e-8)


def test_a_part_that_says_the_same_of_all_gets_no_weight() -> None:
    parts = np.c_[np.zeros(4), [1.0, -1.0, 1.0, -1.0]]
    found = nonnegative(parts, np.array([2.0, -2.0, 2.0, -2.0]), np.ones(4))
    assert list(found) == pytest.approx([0, 2])


def measured(seed: int, n_datasets: int = 12) -> tuple[Observation, ...]:
    """Values without any order that data sets share."""
    values = np.random.default_rng(seed).uniform(0.5, 1, (n_datasets, len(NETWORKS)))
    return table(
        {f"set {n}": dict(zip(NETWORKS, row.tolist(), strict=True)) for n, row in enumerate(values)}
    )


def knowing(rows: Sequence[Observation], part: str, share: float, seed: int = 0) -> PartsOf:
    """A literature of which one part holds a share of the truth; all else is noise."""
    rng = np.random.default_rng(seed)
    values = {(one.task.name, one.configuration.backbone): one.value for one in rows}

    def parts_of(task: Task, networks: Sequence[Configuration]) -> Mapping[str, Array]:
        truth = np.array([values[task.name, one.backbone] for one in networks])
        noise = {name: rng.uniform(0.5, 1, len(truth)) for name in LITERATURE}
        return noise | {part: share * truth + (1 - share) * noise[part]}

    return parts_of


def fitted(rows: Sequence[Observation], parts_of: PartsOf, without: Sequence[str] = ()) -> Weights:
    return fit_weights(rows, parts_of, Settings(), without)


@pytest.mark.parametrize("part", LITERATURE)
def test_a_part_that_is_the_truth_gets_the_weight(part: str) -> None:
    rows = measured(seed=1)
    found = fitted(rows, knowing(rows, part, share=1.0))
    assert found.parts[part] > 0
    assert [name for name in LITERATURE if found.parts[name]] == [part]
    assert found.n_origins == 12
    assert found.points > 0


def test_pure_noise_gets_no_weight() -> None:
    """Nothing is to be known here; the comparisons alone keep a weight, as the mean rank."""
    found = [
        fitted(rows, knowing(rows, "rules", share=0.0, seed=seed + 1000))
        for seed in range(50)
        for rows in (measured(seed),)
    ]
    assert fmean(any(weights.parts[name] for name in LITERATURE) for weights in found) <= 0.1
    assert all(any(weights.parts.values()) for weights in found)


def sharing_an_order(seed: int = 2) -> tuple[Observation, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        one._replace(value=NETWORKS.index(one.configuration.backbone) / 10 + rng.normal(0, 0.02))
        for one in measured(seed)
    )


def test_an_order_that_data_sets_share_gives_weight_to_controlled_comparisons() -> None:
    rows = sharing_an_order()
    noise = knowing(rows, "rules", share=0.0)
    found = fitted(rows, noise)
    assert found.parts["controlled"] > 0.5
    assert found.parts == dict.fromkeys(PARTS, 0.0) | {"controlled": found.parts["controlled"]}
    assert fitted(rows, noise, ["controlled"]).parts["controlled"] == 0


def test_what_a_score_is_worth_is_in_points_of_auc() -> None:
    """A part that is the AUC itself is worth 100 points a unit; weights have three decimals."""
    rows = measured(seed=1)
    found = fitted(rows, knowing(rows, "rules", share=1.0))
    assert found.points * found.parts["rules"] == pytest.approx(100, rel=2e-2)
    assert found.spread_points == pytest.approx(0, abs=0.5)
    other = tuple(one._replace(metric="accuracy") for one in rows)
    assert fitted(other, knowing(other, "rules", share=1.0)).points == 0


def test_fewer_than_three_origins_leave_the_weights_unfitted() -> None:
    two = measured(seed=1, n_datasets=2)
    assert fitted(two, knowing(two, "rules", share=1.0)) == UNFITTED
    assert fitted((), knowing((), "rules", share=1.0)) == UNFITTED
    many = tuple(
        one._replace(task=one.task._replace(origin=f"origin {number_of(one) % 2}"))
        for one in measured(seed=1)
    )
    assert fitted(many, knowing(many, "rules", share=1.0)) == UNFITTED


def number_of(one: Observation) -> int:
    return int(one.task.name.removeprefix("set "))


def test_data_sets_of_one_origin_count_once() -> None:
    rows = tuple(
        one._replace(task=one.task._replace(origin="one" if number_of(one) < 3 else ""))
        for one in measured(seed=1)
    )
    weight = row_weights(rows)
    assert weight.sum() == pytest.approx(10)
    assert {round(float(value), 6) for value in weight} == {
        round(1 / len(NETWORKS), 6),
        round(1 / (3 * len(NETWORKS)), 6),
    }
    assert fitted(rows, knowing(rows, "rules", share=1.0)).n_origins == 10


def test_parts_are_centred_within_their_blocks_and_controlled_is_left_out() -> None:
    rows = sharing_an_order()
    model = Controlled(usable(rows), Settings())
    found = design(model, knowing(rows, "rules", share=1.0))
    n = len(NETWORKS)
    blocks = found.reshape(-1, n, len(PARTS))
    assert blocks.mean(1) == pytest.approx(np.zeros((12, len(PARTS))), abs=1e-12)
    truth = np.array([one.value for one in model.observations]).reshape(-1, n)
    assert blocks[:, :, PARTS.index("rules")] == pytest.approx(truth - truth.mean(1)[:, None])
    left_out = model.left_out().reshape(-1, n)
    assert blocks[:, :, 0] == pytest.approx(left_out - left_out.mean(1)[:, None])


def test_neither_the_order_of_observations_nor_of_blocks_matters() -> None:
    rows = sharing_an_order()
    parts_of = constant_of(rows)
    mixed = [rows[n] for n in np.random.default_rng(3).permutation(len(rows))]
    assert fitted(mixed, parts_of) == fitted(rows, parts_of)


def constant_of(rows: Sequence[Observation]) -> PartsOf:
    """A literature that holds the values of the first data set."""
    first = {one.configuration.backbone: one.value for one in rows[: len(NETWORKS)]}

    def parts_of(task: Task, networks: Sequence[Configuration]) -> Mapping[str, Array]:
        return dict.fromkeys(LITERATURE, np.array([first[one.backbone] for one in networks]))

    return parts_of


def elsewhere(sign: int) -> tuple[Observation, ...]:
    """Twelve data sets without noise, of the order that `sharing_an_order` has, or its reverse."""
    row = {name: 0.5 + sign * n / 100 for n, name in enumerate(NETWORKS)}
    return table({f"other {n}": row for n in range(12)}, "elsewhere")


def test_results_from_elsewhere_help_where_they_hold_what_a_table_is_too_noisy_to_tell() -> None:
    rng = np.random.default_rng(4)
    noisy = [one._replace(value=one.value + rng.normal(0, 0.3)) for one in sharing_an_order()]
    assert foretold_better(noisy, elsewhere(1))
    assert not foretold_better(noisy, elsewhere(-1))


def test_results_from_elsewhere_do_not_help_where_they_add_nothing() -> None:
    assert not foretold_better(sharing_an_order(), ())
    assert not foretold_better(sharing_an_order(), elsewhere(-1))
    noise = [one._replace(table="noise") for one in measured(seed=5)]
    assert not foretold_better(sharing_an_order(), noise)


def test_of_a_single_origin_nothing_shows_that_others_help() -> None:
    (first, *_) = (one.task for one in sharing_an_order())
    rows = [one for one in sharing_an_order() if one.task == first]
    assert not foretold_better(rows, elsewhere(1))
