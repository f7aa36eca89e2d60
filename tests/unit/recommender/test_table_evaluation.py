"""Each data set is judged without what is known of it, and constants are what they are by hand."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.configuration import Configuration, Observation, Task
from recommender.controlled import Array
from recommender.parts import LITERATURE
from recommender.table_evaluation import (
    WHOLE,
    Ablation,
    Surroundings,
    TableEvaluation,
    evaluate_table,
)
from tests.unit.recommender.planted import network, table

#: On one data set x is far ahead, on the others it is not: means and ranks tell them apart.
VALUES = {
    "d1": {"x": 0.90, "y": 0.50, "z": 0.40},
    "d2": {"x": 0.50, "y": 0.52, "z": 0.51},
    "d3": {"x": 0.70, "y": 0.80, "z": 0.50},
}
#: Everywhere but on the first, x is best.
MISLEADING = {
    "Breast-MNIST": {"x": 0.6, "y": 0.7, "z": 0.8},
    **{f"set {n}": {"x": 0.8, "y": 0.7, "z": 0.6} for n in range(3)},
}


def silent(task: Task, networks: Sequence[Configuration]) -> Mapping[str, Array]:
    """A literature that holds nothing."""
    return dict.fromkeys(LITERATURE, np.zeros(len(networks)))


def alone(*store: Observation) -> Surroundings:
    """No literature; z is popular, and y less."""
    common = {"z": 0.6, "y": 0.3}
    return Surroundings(store, silent, lambda one: common.get(one.backbone, 0.0))


def judged(
    values: Mapping[str, Mapping[str, float]], *store: Observation, ablation: Ablation = WHOLE
) -> TableEvaluation:
    return evaluate_table(table(values, "theirs"), alone(*store), ablation)


def chosen(found: TableEvaluation, dataset: str) -> str | None:
    (one,) = [one for one in found.datasets if one.dataset == dataset]
    return one.choice.backbone if one.choice else None


# Worked out by hand; "random" is the mean of the regrets of all three, a tie that of those tied.
# best_fixed, on d1: y (1.32 in all), d2: x (1.60), d3: x (1.40).
# mean_rank, on d1: y (1 and 1 places above the middle), d2: x and y (1 and 0, 0 and 1), d3: y (1).
@pytest.mark.parametrize(
    ("constant", "regrets"),
    [
        ("random", (0.3, 0.01, 0.4 / 3)),
        ("most_popular", (0.5, 0.01, 0.3)),
        ("best_fixed", (0.4, 0.02, 0.1)),
        ("mean_rank", (0.4, 0.01, 0.0)),
    ],
)
def test_the_regret_of_constants_is_that_worked_out_by_hand(
    constant: str, regrets: tuple[float, ...]
) -> None:
    found = judged(VALUES).means[constant]
    assert found.regret == pytest.approx(np.mean(regrets))
    assert found.top3 == 1
    low, high = found.regret_interval
    assert min(regrets) <= low + 1e-9
    assert low <= found.regret <= high
    assert high <= max(regrets) + 1e-9


def test_a_constant_that_tells_nothing_apart_has_no_correlation() -> None:
    found = judged(VALUES).means
    assert found["random"].tau == 0
    assert found["most_popular"].tau == pytest.approx(
        np.mean([tau_of_popular(row) for row in VALUES.values()])
    )


def tau_of_popular(row: Mapping[str, float]) -> float:
    """Of z, y, x with weights 1, 1/2, 1/3 by either ranking, and 1/2 + 1 and so on by pairs."""
    weight = {1: 1.0, 2: 0.5, 3: 1 / 3}
    by_value = sorted(row, key=lambda name: -row[name])
    taus = []
    for ranking in (by_value, ["z", "y", "x"]):
        place = {name: n for n, name in enumerate(ranking, 1)}
        pairs = [("z", "y"), ("z", "x"), ("y", "x")]
        sizes = [weight[place[a]] + weight[place[b]] for a, b in pairs]
        signs = [np.sign(row[a] - row[b]) for a, b in pairs]
        taus.append(sum(s * w for s, w in zip(signs, sizes, strict=True)) / sum(sizes))
    return float(np.mean(taus))


@pytest.mark.parametrize("name", ["Breast-MNIST", "breastmnist", "BREAST_mnist ", "breast mnist"])
def test_rows_of_the_left_out_data_set_under_any_spelling_are_not_used(name: str) -> None:
    truth = MISLEADING["Breast-MNIST"]
    leak = [row._replace(split=str(n)) for n in range(24) for row in table({name: truth}, "theirs")]
    without, found = judged(MISLEADING), judged(MISLEADING, *leak)
    assert found.datasets[0] == without.datasets[0]
    assert chosen(found, "Breast-MNIST") == "x"


def test_rows_of_another_data_set_are_used() -> None:
    """What the test above hides would be believed."""
    truth = MISLEADING["Breast-MNIST"]
    other = table({f"other {n}": truth for n in range(24)}, "theirs")
    found = judged(MISLEADING, *other)
    assert chosen(found, "Breast-MNIST") == "z"
    assert chosen(judged(MISLEADING, *other, ablation=Ablation(store=False)), "Breast-MNIST") == "x"


def test_other_tables_are_not_heard_where_a_table_foretells_itself_better() -> None:
    own = {f"set {n}": {"x": 0.8, "y": 0.7, "z": 0.6} for n in range(6)}
    other = table({f"other {n}": {"x": 0.6, "y": 0.7, "z": 0.8} for n in range(24)}, "theirs too")
    assert judged(own, *other).means["recommender"].regret == 0
    assert judged(own, *other).datasets == judged(own).datasets


def test_other_tables_are_heard_where_they_foretell_it_better() -> None:
    """Eight data sets with as much noise as they have in common, 24 with none."""
    rng = random.Random(3)
    truth = {name: n / 100 for n, name in enumerate("uvwxyz")}
    own = {
        f"set {n}": {name: value + rng.gauss(0, 0.02) for name, value in truth.items()}
        for n in range(8)
    }
    other = table({f"other {n}": truth for n in range(24)}, "theirs too")
    with_others, without = judged(own, *other), judged(own)
    assert with_others.means["recommender"].tau > without.means["recommender"].tau


#: Spellings of the left-out data set, each of an origin of its own where none is said.
SPELLINGS = [
    f"breast{sign}{word}" for sign in ("", *" _-./") for word in ("mnist", "Mnist", "MNIST")
]


def of_origin(origin: str, values: Mapping[str, Mapping[str, float]]) -> list[Observation]:
    rows = table(values, "theirs")
    return [one._replace(task=one.task._replace(origin=origin)) for one in rows]


def misled_by(store: Sequence[Observation]) -> str | None:
    return chosen(judged(MISLEADING, *store), "Breast-MNIST")


def test_data_sets_of_the_same_name_are_left_out_of_the_store() -> None:
    truth = MISLEADING["Breast-MNIST"]
    assert misled_by(table(dict.fromkeys(SPELLINGS, truth), "theirs")) == "x"
    others = [f"set {name}" for name in SPELLINGS]
    assert misled_by(table(dict.fromkeys(others, truth), "theirs")) == "z"


def test_the_same_images_under_another_name_are_left_out_with_their_origin() -> None:
    """The store names both sets, and that they share their images."""

    def store(names: Sequence[str]) -> list[Observation]:
        silent_and_true = {"x": 0.6, "y": 0.6}, MISLEADING["Breast-MNIST"]
        pairs = [dict(zip((name, f"BUSI {name}"), silent_and_true, strict=True)) for name in names]
        return [one for n, pair in enumerate(pairs) for one in of_origin(f"origin {n}", pair)]

    assert misled_by(store(SPELLINGS)) == "x"
    assert misled_by(store([f"set {name}" for name in SPELLINGS])) == "z"


def test_what_the_store_made_of_the_left_out_data_set_is_left_out() -> None:
    """Under other names; that they come of it stands in their origin."""
    leak = dict.fromkeys([f"part {n}" for n in range(24)], MISLEADING["Breast-MNIST"])
    assert misled_by(of_origin("Breast-MNIST", leak)) == "x"
    assert misled_by(of_origin("another", leak)) == "z"


def test_nothing_is_chosen_where_nothing_tells_the_configurations_apart() -> None:
    (one, *_) = judged({f"set {n}": {"x": 0.5, "y": 0.5} for n in range(3)}).datasets
    assert (one.choice, one.regret) == (None, None)


def test_a_data_set_that_the_table_spells_in_many_ways_does_not_tell_on_itself() -> None:
    spellings = ("ISIC 2018", "isic2018", "ISIC-2018", "isic_2018", "Isic 2018", "ISIC.2018")
    rows = {name: {"a": 0.9, "x": 0.6} for name in spellings}
    rest = {f"set {n}": {"a": 0.6, "x": 0.9} for n in range(3)}
    assert {chosen(judged(rows | rest), name) for name in spellings} == {"x"}


def test_best_fixed_takes_no_easy_data_set_for_a_good_network() -> None:
    """Of the others, only the easy one measured z, and there it did worse than x."""
    values = {
        "easy": {"x": 0.95, "z": 0.90},
        "hard": {"x": 0.50, "y": 0.40},
        "left out": {"x": 0.70, "y": 0.60, "z": 0.50},
    }
    assert judged(values).means["best_fixed"].regret == 0


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.integers(0, 2**16))
def test_the_order_of_rows_changes_nothing(shuffler: random.Random, seed: int) -> None:
    values = np.random.default_rng(seed).integers(50, 100, (4, 4)) / 100
    rows = table(
        {f"set {n}": dict(zip("wxyz", row.tolist(), strict=True)) for n, row in enumerate(values)},
        "theirs",
    )
    stored = table({f"old {n}": {"w": 0.6, "x": 0.7, "y": 0.8} for n in range(3)}, "ours")
    mixed = shuffler.sample(rows, len(rows))
    there = alone(*shuffler.sample(stored, len(stored)))
    assert evaluate_table(mixed, there) == evaluate_table(rows, alone(*stored))


def test_the_choice_is_what_was_best_elsewhere() -> None:
    found = judged(MISLEADING)
    first = found.datasets[0]
    assert (first.value, first.best_value) == (0.6, 0.8)
    assert first.regret == pytest.approx(0.2)
    assert first.tau == pytest.approx(-1)
    assert found.datasets[1].n_configurations == 3


def test_means_are_those_of_the_data_sets_where_nothing_ties() -> None:
    values = {f"set {n}": {"x": 0.8 + n / 50, "y": 0.82, "z": 0.6} for n in range(6)}
    found = judged(values)
    own = found.means["recommender"]
    for name in ("regret", "top3", "tau"):
        told = [getattr(one, name) for one in found.datasets]
        assert getattr(own, name) == pytest.approx(np.mean(told))


def test_choices_are_told_in_the_words_of_the_table() -> None:
    found = evaluate_table(
        table(MISLEADING), alone(), spelled=lambda name, one: (f"{name} {one.backbone}", "FE", "fc")
    )
    choice = found.datasets[0].choice
    assert choice is not None
    assert (choice.backbone, choice.approach, choice.head) == ("Breast-MNIST x", "FE", "fc")


def test_what_nothing_is_known_of_is_not_ranked_and_named() -> None:
    values = {**VALUES, "d4": {"x": 0.5, "y": 0.6, "new": 0.9}}
    found = judged(values)
    assert found.not_ranked == ("d4: new",)
    assert chosen(found, "d4") in {"x", "y"}
    assert found.datasets[3].best_value == 0.9


def test_without_any_evidence_nothing_is_chosen() -> None:
    found = judged({"d1": {"p": 0.5, "q": 0.6}, "d2": {"r": 0.5, "s": 0.6}})
    assert [one.choice for one in found.datasets] == [None, None]
    assert [one.regret for one in found.datasets] == [None, None]
    assert found.means["recommender"].regret == pytest.approx(found.means["random"].regret)


def test_a_price_moves_the_choice_to_what_is_cheap() -> None:
    free = alone()
    dear = replace(free, price=lambda one: -1000.0 if one == network("x") else 0.0)
    values = {name: row for name, row in MISLEADING.items() if name.startswith("set")}
    assert chosen(evaluate_table(table(values), free), "set 0") == "x"
    assert chosen(evaluate_table(table(values), dear), "set 0") == "y"


#: x and y are the same everywhere but on d1.
TIED = {
    "d1": {"x": 0.5, "y": 0.9, "z": 0.7},
    "d2": {"x": 0.9, "y": 0.9, "z": 0.7},
    "d3": {"x": 0.8, "y": 0.8, "z": 0.7},
}


def test_choices_that_tie_are_judged_by_their_mean() -> None:
    (one, *_) = judged(TIED).datasets
    assert one.choice is not None
    assert one.value is not None
    assert (one.choice.backbone, one.n_tied) == ("x", 2)
    assert one.value == pytest.approx(0.7)
    assert one.regret == pytest.approx(0.2)
    assert one.regret == one.best_value - one.value
    assert one.top3 == 1


def test_how_often_the_choice_was_among_the_best_is_a_mean_over_those_that_tie() -> None:
    values = {name: row | {"v": 0.6, "w": 0.65} for name, row in TIED.items()}
    (one, *_) = judged(values).datasets
    assert (one.n_tied, one.top3) == (2, 0.5)


@pytest.mark.parametrize("swap", [{"x": "y", "y": "x"}, {"x": "b", "y": "a"}])
def test_names_of_those_that_tie_change_no_number(swap: Mapping[str, str]) -> None:
    renamed = {n: {swap.get(b, b): v for b, v in row.items()} for n, row in TIED.items()}
    first, again = judged(TIED), judged(renamed)
    assert first.means["recommender"] == again.means["recommender"]
    assert [one.regret for one in first.datasets] == [one.regret for one in again.datasets]


def test_means_are_those_of_the_data_sets_where_choices_tie() -> None:
    found = judged(TIED)
    for name in ("regret", "top3", "tau"):
        told = [getattr(one, name) for one in found.datasets]
        assert getattr(found.means["recommender"], name) == pytest.approx(np.mean(told))


@given(st.integers(2, 60), st.floats(0.01, 1, allow_subnormal=False))
def test_no_mean_of_those_that_tie_is_above_the_best(n: int, value: float) -> None:
    values = {f"n{m}": value for m in range(n)}
    rows = {name: values | {"last": value / 2} for name in ("d1", "d2")}
    assert [one.regret for one in judged(rows).datasets] == [0, 0]


def test_values_of_which_less_is_better_are_told_as_they_stand() -> None:
    less = {name: {b: -v for b, v in row.items()} for name, row in MISLEADING.items()}
    found = evaluate_table(table(less, "theirs", metric="mae"), alone())
    more = judged(MISLEADING)
    assert found.less_is_better
    assert not more.less_is_better
    first, wanted = found.datasets[0], evaluate_table(table(less, "theirs"), alone()).datasets[0]
    assert first.value is not None
    assert (first.value, first.best_value) == (-(wanted.value or 0), -wanted.best_value)
    assert first.regret == wanted.regret == first.value - first.best_value > 0
