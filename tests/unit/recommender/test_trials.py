"""Trials on the user's images: what they measured, and the place that they decide."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evidence.records import Corpus, RunRecord, TaskProfile
from recommender.answering import recommend
from recommender.configuration import OWN_RUNS, Configuration
from recommender.grounds import observed
from recommender.measured import Measured
from recommender.ranking import LEAD, Question, gather
from recommender.records import Recommendation
from tests.unit.recommender.methods import without_new_methods
from tests.unit.recommender.planted import network

PROFILE = TaskProfile(modality="ultrasound", n_images=800)
LITE, VGG = network("EfficientNet-Lite0", "EfficientNet"), network("VGG-16", "VGGNet")
FREE = Question(PROFILE, goal="accuracy")
#: Of the two only, frozen under a linear head.
PAIR = replace(
    FREE,
    backbones=frozenset({LITE.backbone, VGG.backbone}),
    approaches=frozenset({"feature_extractor"}),
)


@pytest.fixture(scope="module")
def corpus(corpus: Corpus) -> Corpus:
    """Whatever was measured since of other ways to train."""
    return without_new_methods(corpus)


def tried(first: Configuration, second: Configuration, apart: float) -> tuple[Measured, ...]:
    """A trial of two, so exact that nothing else matters."""
    return Measured(first, 90, 0.1, "trial"), Measured(second, 90 - apart, 0.1, "trial")


def place(one: Configuration, found: Recommendation) -> int:
    return [(c.backbone, c.approach, c.head) for c in found.ranking].index(
        (one.backbone, one.approach, one.head)
    )


def test_whatever_the_trials_speak_for_comes_first_from_wherever_it_stood(corpus: Corpus) -> None:
    before = recommend(FREE, corpus)
    last = before.ranking[-1]
    favoured = Configuration(last.backbone, last.family, last.approach, last.head)
    assert before.ranking[0].score - last.score > 100 * LEAD
    after = recommend(replace(FREE, favoured=favoured), corpus)
    assert place(favoured, after) == 0
    assert after.ranking[0].score - after.ranking[1].score == pytest.approx(LEAD, abs=1e-5)


def test_what_leads_already_needs_no_place_decided(corpus: Corpus) -> None:
    asked = replace(PAIR, approaches=frozenset({"fine_tuning_from_scratch"}))
    first, second = recommend(asked, corpus).ranking
    assert first.score - second.score > LEAD
    favoured = Configuration(first.backbone, first.family, first.approach, first.head)
    found = recommend(replace(asked, favoured=favoured), corpus)
    assert [choice.parts["decided"] for choice in found.ranking] == [0.0, 0.0]
    assert found.runner_up is not None
    assert found.runner_up.behind_points is not None


def test_the_place_that_trials_decide_is_no_measured_points(corpus: Corpus) -> None:
    asked = replace(PAIR, measured=tried(LITE, VGG, 2))
    plain, decided = gather(asked, corpus), gather(replace(asked, favoured=VGG), corpus)
    assert not plain.standing.decided.any()
    assert plain.standing.parts["measured"].any()
    np.testing.assert_array_equal(
        plain.standing.parts["measured"], decided.standing.parts["measured"]
    )
    np.testing.assert_array_equal(plain.standing.expected, decided.standing.expected)
    assert decided.standing.chance(0, 1) == plain.standing.chance(0, 1)
    found = recommend(replace(asked, favoured=VGG), corpus)
    assert found.ranking[0].backbone == VGG.backbone
    for choice in found.ranking:
        assert (choice.parts["decided"] > 0) == (choice.backbone == VGG.backbone)
        assert choice.score == pytest.approx(sum(choice.parts.values()), abs=1e-5)


@pytest.mark.parametrize("goal", ["accuracy", "balanced", "cost"])
def test_the_price_of_computing_still_counts_against_what_trials_decide(
    corpus: Corpus, goal: Any
) -> None:
    favoured = replace(FREE, goal=goal, favoured=VGG._replace(approach="fine_tuning_from_scratch"))
    first = recommend(favoured, corpus).ranking[0].backbone
    assert (first == VGG.backbone) == (goal == "accuracy")


def untried(corpus: Corpus) -> tuple[Configuration, Configuration]:
    """The two in the order that they have before any trial."""
    lite_first = recommend(PAIR, corpus).ranking[0].backbone == LITE.backbone
    return (LITE, VGG) if lite_first else (VGG, LITE)


def test_a_runner_up_that_trials_put_there_is_behind_by_what_they_measured(corpus: Corpus) -> None:
    before, other = untried(corpus)
    moved = replace(PAIR, measured=tried(before, other, 2), favoured=other)
    found = recommend(moved, corpus).runner_up
    assert found is not None
    assert (found.backbone, found.behind_points) == (before.backbone, None)
    assert found.tried_points == pytest.approx(-2)
    alone = recommend(replace(PAIR, favoured=other), corpus).runner_up
    assert alone is not None
    assert (alone.behind_points, alone.tried_points) == (None, None)


def test_the_chance_of_the_runner_up_is_its_own(corpus: Corpus) -> None:
    for first, second in ((LITE, VGG), (VGG, LITE)):
        found = recommend(replace(PAIR, measured=tried(first, second, 5)), corpus)
        assert found.ranking[0].backbone == first.backbone
        assert found.runner_up is not None
        assert found.runner_up.chance < 0.01


def test_had_nothing_been_measured_the_choice_would_be_the_one_before(corpus: Corpus) -> None:
    before, other = untried(corpus)
    for favoured in (None, other):
        asked = replace(PAIR, measured=tried(other, before, 5), favoured=favoured)
        cases = {a.when: a for a in recommend(asked, corpus).alternatives}
        assert cases["measured did not count"].backbone == before.backbone
        assert cases["measured did not count"].gain_points < 0


def test_a_part_that_decides_alone_has_no_alternative(corpus: Corpus) -> None:
    """Without it nothing but cost is left, and the cheapest is no advice."""
    found = recommend(replace(FREE, goal="balanced"), corpus)
    assert all(a.when.startswith("the goal were") for a in found.alternatives)


def test_runs_on_the_asked_images_are_measurements_and_no_comparison_beside(
    corpus: Corpus,
) -> None:
    rows = [
        a_run(data, backbone, auc)
        for data in ("mine", "other")
        for backbone, auc in (("ResNet-50", 0.9), ("VGG-16", 0.8))
    ]
    known = replace(corpus, runs=tuple(rows))

    def on(besides: str) -> set[str]:
        return {o.task.name for o in observed(known, besides) if o.table == OWN_RUNS}

    assert on("") == {"mine", "other"}
    assert on("mine") == {"other"}
    evidence = gather(replace(FREE, data_digest="mine"), known)
    assert "mine" not in {o.task.name for o in evidence.observations}
    assert [one.points for one in evidence.measured] == pytest.approx([90, 80])


def a_run(data: str, backbone: str, auc: float) -> RunRecord:
    return RunRecord.model_validate({
        "run_id": f"{data} {backbone}", "started_at": "2026-01-01", "status": "finished",
        "folder": "x", "modality": "ultrasound", "anatomy": None, "task": "classification",
        "n_images": 100, "n_classes": 2, "backbone_recommended": backbone, "backbone": backbone,
        "weights": "x", "approach": "feature_extractor", "head": "linear", "seed": 0,
        "device": "cpu", "seconds": 10.0, "digests": {"data": data}, "versions": {},
        "metrics": {"test": {"auc": {"value": auc, "low": auc - 0.05, "high": auc + 0.05}}},
    })  # fmt: skip
