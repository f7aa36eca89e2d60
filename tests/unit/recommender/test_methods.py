"""Partial fine-tuning and random weights: ranked by what was measured of them, else with doubt."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.arm_table import ArmTable
from evidence.records import ControlledResult, Corpus, TaskProfile
from recommender.answering import recommend
from recommender.candidates import Asked
from recommender.configuration import Configuration
from recommender.grounds import observed
from recommender.measured import Measured
from recommender.plan import BLOCKS, Way
from recommender.ranking import LEAD, Question, beside, gather
from recommender.records import Choice, Goal, Recommendation
from tests.unit.recommender.methods import without_new_methods
from tests.unit.recommender.test_trials import a_run

PROFILE = TaskProfile(modality="ultrasound", anatomy="breast", n_images=800)
LITE = "EfficientNet-Lite0"
GOALS: tuple[Goal, ...] = ("accuracy", "balanced", "cost")
FULL, PARTIAL = Way("fine_tuning_from_scratch", "linear"), Way("fine_tuning", "linear")
RANDOM = FULL._replace(initialisation="random")
NEW = {PARTIAL[0::2], RANDOM[0::2]}


@pytest.fixture(scope="module")
def corpus(corpus: Corpus) -> Corpus:
    """Whatever was measured since of other ways to train."""
    return without_new_methods(corpus)


def with_rows(corpus: Corpus, **points: float) -> Corpus:
    """The grid with rows of a way, so many points of AUC beside full fine-tuning."""
    ways = {"partial": PARTIAL, "random": RANDOM}
    full = [
        one
        for one in corpus.controlled
        if one.table == "evtl2026" and one.approach == FULL.approach
    ]
    made = [moved(one, ways[name], by) for name, by in points.items() for one in full]
    return replace(corpus, controlled=(*corpus.controlled, *made))


def moved(one: ControlledResult, way: Way, points: float) -> ControlledResult:
    changes = {
        **way._asdict(), "value": one.value + points / 100,
        "pretraining": "" if way.initialisation == "random" else one.pretraining,
    }  # fmt: skip
    return one.model_copy(update=changes)


def method(one: Choice) -> tuple[str, str]:
    return one.approach, one.initialisation


def of(found: Recommendation, way: Way, backbone: str = LITE) -> Choice:
    return next(c for c in found.ranking if (c.backbone, method(c)) == (backbone, way[0::2]))


@pytest.mark.parametrize("goal", GOALS)
def test_without_rows_of_them_neither_comes_first_and_the_doubt_is_said(
    corpus: Corpus, goal: Goal
) -> None:
    found = recommend(Question(PROFILE, goal=goal), corpus)
    assert method(found.ranking[0]) not in NEW
    for choice in found.ranking:
        assert (choice.parts["unmeasured"] < 0) == (method(choice) in NEW)
    assert any(
        "Nothing was measured of: fine_tuning; fine_tuning_from_scratch, random init" in text
        for text in found.warnings
    )


@settings(max_examples=15, deadline=None)
@given(data=st.data(), goal=st.sampled_from(GOALS))
def test_what_nothing_measured_never_comes_first_however_good_it_may_look(
    corpus: Corpus, data: st.DataObject, goal: Goal
) -> None:
    every = with_rows(corpus, partial=2, random=1).controlled
    rows = data.draw(st.lists(st.sampled_from(every), min_size=2, max_size=6))
    known = replace(corpus, controlled=tuple(rows), runs=())
    compared = {one.configuration.method for one in observed(known)}
    found = recommend(Question(PROFILE, goal=goal), known)
    assert not compared or method(found.ranking[0]) in compared


def test_where_no_method_was_measured_nothing_is_behind_another_for_it(corpus: Corpus) -> None:
    bare = replace(corpus, arms=ArmTable.of(()), claims=(), controlled=(), runs=())
    found = recommend(Question(PROFILE), bare)
    assert all(choice.parts["unmeasured"] == 0 for choice in found.ranking)
    assert found.certainty.level == "insufficient evidence"
    assert of(found, FULL).rank < of(found, RANDOM).rank


def test_rows_where_random_is_clearly_worse_push_it_down_and_nothing_else(corpus: Corpus) -> None:
    asked = Question(PROFILE, goal="accuracy")
    before, after = recommend(asked, corpus), recommend(asked, with_rows(corpus, random=-20))
    assert after.ranking[0].backbone == before.ranking[0].backbone
    assert method(after.ranking[0]) == method(before.ranking[0]) == FULL[0::2]
    for backbone in (LITE, "EfficientNet-Lite1", "ResNet-50", "ConvNeXt-Tiny"):
        full, random = of(after, FULL, backbone), of(after, RANDOM, backbone)
        frozen = of(after, Way("feature_extractor", "linear"), backbone)
        assert random.parts["unmeasured"] == 0
        assert random.score < frozen.score < full.score
    assert of(after, RANDOM).score < min(c.score for c in after.ranking if method(c) not in NEW)
    # How bad random weights are says nothing of how good it is to tune pretrained ones.
    assert of(after, FULL).rank <= of(before, FULL).rank + 1


def test_rows_where_partial_is_clearly_better_bring_it_up(corpus: Corpus) -> None:
    for goal in GOALS[:2]:
        asked = Question(PROFILE, goal=goal)
        better = recommend(asked, with_rows(corpus, partial=2))
        assert method(better.ranking[0]) == PARTIAL[0::2]
        assert better.plan.n_blocks == BLOCKS
        assert better.plan.augmentation == "online"
        worse = recommend(asked, with_rows(corpus, partial=-5))
        assert method(worse.ranking[0]) != PARTIAL[0::2]
        assert of(worse, PARTIAL).rank > of(better, PARTIAL).rank
        assert of(worse, PARTIAL).parts["unmeasured"] == 0


def test_runs_from_random_weights_are_not_taken_for_pretrained_ones(corpus: Corpus) -> None:
    changes = {"initialisation": "random", "approach": FULL.approach}
    runs = tuple(
        a_run("mine", name, auc).model_copy(update=changes)
        for name, auc in (("ResNet-50", 0.6), ("VGG-16", 0.5))
    )
    found = [o.configuration for o in observed(replace(corpus, controlled=(), runs=runs))]
    assert {(one.method, one.pretraining) for one in found} == {(RANDOM[0::2], "")}


def test_what_was_tried_on_these_images_is_measured(corpus: Corpus) -> None:
    ways = {LITE: PARTIAL, "ResNet-50": PARTIAL}
    tried = tuple(
        Measured(
            Configuration.of(name, "EfficientNet" if name == LITE else "ResNet", way), 90, 1, "x"
        )
        for name, way in ways.items()
    )
    evidence = gather(Question(PROFILE, measured=tried), corpus)
    doubt = beside(evidence, "balanced")["unmeasured"]
    doubted = {c.method for c, d in zip(evidence.standing.configurations, doubt, strict=True) if d}
    assert doubted == {RANDOM[0::2]}


def test_a_plan_from_random_weights_says_so_and_has_nothing_to_fall_back_on(
    corpus: Corpus,
) -> None:
    asked = Question(PROFILE, approaches=only("random_initialisation"))
    found = recommend(asked, corpus)
    assert {method(choice) for choice in found.ranking} == {RANDOM[0::2]}
    assert (found.plan.initialisation, found.plan.approach) == ("random", FULL.approach)
    assert found.plan.fallbacks == ()
    assert found.plan.weights is None
    assert found.advice.initialisation.value == "random"
    assert "natural images" in found.advice.initialisation.reason
    assert found.runner_up is not None
    assert found.runner_up.initialisation == "random"
    assert any(", random initialisation, is" in reason for reason in found.certainty.reasons)
    assert not any(rule.id == "large-fine-tuned" for c in found.ranking for rule in c.rules)


def only(*words: Asked) -> frozenset[Asked]:
    return frozenset(words)


def test_the_fallbacks_of_pretrained_weights_are_pretrained(corpus: Corpus) -> None:
    both = only("fine_tuning_from_scratch", "random_initialisation")
    found = recommend(Question(PROFILE, approaches=both), corpus)
    names = [one.name for one in (found.plan.backbone, *found.plan.fallbacks)]
    assert found.plan.initialisation == "pretrained"
    assert len(names) == len(set(names))


@pytest.mark.parametrize("here", [frozenset({LITE}), frozenset()])
def test_random_weights_are_always_at_hand(corpus: Corpus, here: frozenset[str]) -> None:
    found = recommend(Question(PROFILE, here=here), corpus)
    assert {c.backbone for c in pretrained(found.ranking)} == here
    assert len({c.backbone for c in found.ranking}) > 20
    if not here:
        assert "No pretrained weights of these networks are on this machine." in found.warnings


def pretrained(choices: Iterable[Choice]) -> list[Choice]:
    return [choice for choice in choices if choice.initialisation == "pretrained"]


def test_what_is_doubted_leads_by_no_more_than_a_hair(corpus: Corpus) -> None:
    """However cheap partial fine-tuning is, the doubt takes its lead."""
    networks = frozenset({LITE, "VGG-16"})
    ways = only("fine_tuning", "fine_tuning_from_scratch")
    evidence = gather(Question(PROFILE, backbones=networks, approaches=ways), corpus)
    standing = evidence.standing
    scores = standing.expected * 0
    names = standing.configurations
    for n, one in enumerate(names):
        scores[n] = 100 if one.method == PARTIAL[0::2] else 0
    after = scores + standing.doubt(scores)
    best = max(after[n] for n, one in enumerate(names) if one.method == PARTIAL[0::2])
    assert best == pytest.approx(-LEAD)
