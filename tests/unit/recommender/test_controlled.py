"""Pooled comparisons: left-out data sets are really left out, and one ranking is the mean rank."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evidence.vocabulary import ANATOMY, MODALITY
from recommender import controlled
from recommender.configuration import Configuration, Observation, Task
from recommender.controlled import (
    EFFECTS,
    GRID,
    PROTOCOL,
    SIDE_WEIGHTS,
    Controlled,
    Settings,
    alike,
    fit,
    nearest,
    scores_of,
    thinned,
    usable,
)
from tests.unit.recommender.planted import FAMILIES, network, table, tables

NETWORKS = tuple(map(network, FAMILIES))
ELSEWHERE = Task("elsewhere", modality="ultrasound", anatomy="breast", n_images=500, n_classes=2)
#: Effects that networks of two families share, all else equal.
SHARED = sum(share for share, of in EFFECTS.values() if of(network("b1")) == of(network("c1")))
grid = st.sampled_from(GRID)


def expected(
    rows: Sequence[Observation],
    settings: Settings = GRID[0],
    asked: Sequence[Configuration] = NETWORKS,
    name: str = "",
) -> dict[str, float]:
    means, _ = Controlled(usable(rows), settings).predict(ELSEWHERE, asked, name)
    return dict(zip((one.backbone for one in asked), means.tolist(), strict=True))


@given(tables(), grid)
def test_what_is_left_out_is_what_a_model_without_the_origin_expects(
    rows: tuple[Observation, ...], settings: Settings
) -> None:
    """The inverse of matrices of a condition below 1e4 is exact to 1e-9; so are rounded means."""
    model = Controlled(usable(rows), settings)
    for one, found in zip(model.observations, model.left_out(), strict=True):
        rest = tuple(o for o in model.observations if o.task.source != one.task.source)
        refitted, _ = Controlled(rest, settings).predict(one.task, [one.configuration], one.table)
        assert found == pytest.approx(refitted[0], abs=1e-7)


@given(
    st.lists(
        st.lists(st.integers(0, 6), min_size=4, max_size=4).filter(lambda row: len({*row}) > 1),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.3, 1.0]),
)
def test_one_ranking_for_all_is_the_mean_rank_drawn_towards_the_average(
    values: list[list[int]], noise: float
) -> None:
    """With families of one network each and a complete table, worked out by hand.

    A contrast of two networks has the variance of what they do not share; D data sets shrink it
    by v D / (v D + noise). Another table shares all but `PROTOCOL`. The common level of a block
    has a variance of 100, not of infinity: it matters for no contrast.
    """
    names = ["p", "q", "r", "s"]
    rows = table({f"set {n}": dict(zip(names, row, strict=True)) for n, row in enumerate(values)})
    mean_rank = np.mean([scores_of(row) for row in values], axis=0)
    own = (1 - SHARED) * len(values)
    settings = Settings(own=0.0, noise=noise)
    asked = [network(name) for name in names]
    for place, part in (("made up", 1.0), ("", 1 - PROTOCOL)):
        found = expected(rows, settings, asked, place)
        wanted = part * own / (own + noise) * mean_rank
        assert list(found.values()) == pytest.approx(list(wanted), abs=1e-8)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=9))
def test_scores_are_standardised_ranks_of_scipy(values: list[int]) -> None:
    ranks = stats.rankdata(values)
    spread = ranks.std()
    wanted = (ranks - ranks.mean()) / spread if spread else np.zeros(len(values))
    assert scores_of(values) == pytest.approx(wanted, abs=1e-12)


def test_networks_that_always_tie_are_expected_to_tie() -> None:
    rows = table(
        {f"set {n}": {"b1": 0.8, "c1": 0.8, "e1": 0.7 + n / 10, "f1": 0.6} for n in range(3)}
    )
    found = expected(rows, asked=[network(name) for name in ("b1", "c1", "e1", "f1")])
    assert found["b1"] == found["c1"] > found["f1"]


@given(tables(), grid, st.randoms(use_true_random=False))
def test_the_order_of_observations_and_of_candidates_never_matters(
    rows: tuple[Observation, ...], settings: Settings, shuffler: random.Random
) -> None:
    mixed = shuffler.sample(rows, len(rows))
    assert usable(mixed) == usable(rows)
    turned = expected(mixed, settings, NETWORKS[::-1])
    assert turned == pytest.approx(expected(rows, settings), abs=1e-8)


def test_settings_do_not_depend_on_the_order_of_observations() -> None:
    rows = by_modality()
    assert fit(random.Random(4).sample(rows, len(rows))) == fit(rows)


def test_a_network_that_nobody_measured_is_drawn_to_its_family() -> None:
    rows = table({f"set {n}": {"a1": 0.9, "a2": 0.85, "b1": 0.7, "c1": 0.6} for n in range(4)})
    found = expected(rows)
    assert found["a1"] > found["a3"] > found["d1"] > found["c2"] > found["c1"]


def test_a_network_alone_in_its_block_says_nothing() -> None:
    rows = table({"alone": {"a1": 0.9}, "set": {"a1": 0.7, "b1": 0.8}})
    assert {one.task.name for one in usable(rows)} == {"set"}
    assert set(expected(table({"alone": {"a1": 0.9}})).values()) == {0.0}


@given(tables(), grid)
def test_the_parts_of_tables_and_data_sets_add_up_to_the_expectation(
    rows: tuple[Observation, ...], settings: Settings
) -> None:
    model = Controlled(usable(rows), settings)
    for one, value in zip(NETWORKS, expected(rows, settings).values(), strict=True):
        parts = model.contributions(ELSEWHERE, one)
        assert sum(parts.values()) == pytest.approx(value, abs=1e-8)


@given(tables(), grid)
def test_evidence_only_ever_narrows_what_is_expected(
    rows: tuple[Observation, ...], settings: Settings
) -> None:
    before = Controlled((), settings).predict(ELSEWHERE, NETWORKS)[1]
    after = Controlled(usable(rows), settings).predict(ELSEWHERE, NETWORKS)[1]
    assert np.linalg.eigvalsh(after).min() > -1e-9
    assert (np.diag(after) <= np.diag(before) + 1e-9).all()


@pytest.mark.parametrize("sides", SIDE_WEIGHTS)
def test_likeness_is_a_covariance_whatever_is_not_known_of_the_tasks(
    sides: tuple[float, ...],
) -> None:
    rng = np.random.default_rng(0)
    modalities = [None, *(term.key for term in MODALITY.terms)]
    places = [None, *(term.key for term in ANATOMY.terms)]
    tasks = [
        Task(
            f"set {n}",
            modality=modalities[rng.integers(len(modalities))],
            anatomy=places[rng.integers(len(places))],
            n_images=(None, 100, 5000, 100_000)[rng.integers(4)],
            n_classes=(None, 2, 3, 7)[rng.integers(4)],
        )
        for n in range(120)
    ]
    assert np.linalg.eigvalsh(alike(tasks, tasks, sides)).min() > 0


def by_modality() -> tuple[Observation, ...]:
    """What does best on X-rays does worst on fundus photographs."""
    order = {"a1": 0.9, "b1": 0.8, "c1": 0.7}
    turned = dict(zip(order, reversed(order.values()), strict=True))
    return tuple(
        one._replace(task=one.task._replace(modality=modality))
        for modality, row in (("xray", order), ("fundus", turned))
        for one in table({f"{modality} {n}": row for n in range(5)})
    )


def test_tasks_go_their_own_ways_only_where_left_out_data_sets_show_it() -> None:
    settings = fit(by_modality())
    assert settings.own > 0
    assert settings.sides[0] == 1
    same = table({f"set {n}": {"a1": 0.9, "b1": 0.8, "c1": 0.7} for n in range(10)})
    assert fit(same).own == 0
    assert fit(()) == GRID[0]


def test_noise_is_seldom_taken_for_tasks_that_go_their_own_ways() -> None:
    """Of nineteen settings the best beats the plain one by luck alone, nearly always a little."""

    def noise(seed: int) -> tuple[Observation, ...]:
        values = np.random.default_rng(seed).uniform(0.5, 1, (8, 4))
        rows = {f"set {n}": dict(zip("abcd", row, strict=True)) for n, row in enumerate(values)}
        return tuple(
            one._replace(task=one.task._replace(modality=("xray", "fundus")[n // 4 % 2]))
            for n, one in enumerate(table(rows))
        )

    assert np.mean([fit(noise(seed)).own > 0 for seed in range(30)]) <= 0.25


def test_a_task_like_the_measured_ones_gets_their_ranking() -> None:
    rows = by_modality()
    model = Controlled(usable(rows), fit(rows))
    asked = [network(name) for name in ("a1", "b1", "c1")]
    xray, _ = model.predict(Task("new", modality="xray"), asked)
    fundus, _ = model.predict(Task("new", modality="fundus"), asked)
    assert xray[0] > xray[1] > xray[2]
    assert fundus[0] < fundus[1] < fundus[2]


def test_of_many_observations_whole_configurations_are_kept() -> None:
    rows = usable(table({f"set {n}": {f"n{m:02}": m / 100 for m in range(40)} for n in range(5)}))
    assert thinned(rows, 200) == rows
    kept = thinned(rows, 50)
    assert len(kept) == 50
    names = {one.configuration.backbone for one in kept}
    assert len(names) == 10
    assert set(kept) == {one for one in rows if one.configuration.backbone in names}


def test_of_many_observations_the_data_sets_most_like_the_task_are_pooled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = usable(by_modality())
    task = Task("new", modality="fundus")
    assert nearest(rows, task) == rows
    monkeypatch.setattr(controlled, "POOLED", 16)
    found = nearest(rows, task)
    assert len(found) == 15
    assert {one.task.modality for one in found} == {"fundus"}
    assert nearest(random.Random(5).sample(rows, len(rows)), task) == found
