"""The recommendation is pure, ordered, explained, and honest about thin evidence."""

import random
from dataclasses import replace
from statistics import fmean, median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.arm_table import ArmTable
from evidence.records import ArmRecord, Backbone, Corpus, TaskProfile
from recommender.answering import recommend
from recommender.candidates import Asked, asked_as
from recommender.errors import RecommendationError
from recommender.parts import REPORTING
from recommender.plan import CARRIED_OUT
from recommender.ranking import Question, gather
from recommender.records import Recommendation
from tests.unit.evidence.test_records import profiles
from tests.unit.recommender import reference

ULTRASOUND = TaskProfile(modality="ultrasound", n_images=800)
FROZEN = "feature_extractor"
TUNED = ("fine_tuning_from_scratch", "pretrained")


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_evidence_never_changes_the_answer(
    corpus: Corpus, arms: tuple[ArmRecord, ...], shuffler: random.Random
) -> None:
    def mixed(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(shuffler.sample(rows, len(rows)))

    shuffled = replace(
        corpus,
        arms=ArmTable.of(mixed(arms)),
        claims=mixed(corpus.claims),
        backbones=mixed(corpus.backbones),
    )
    assert recommend(Question(ULTRASOUND), shuffled) == recommend(Question(ULTRASOUND), corpus)


@settings(max_examples=30)
@given(profiles)
def test_every_question_gets_a_whole_ranking(corpus: Corpus, profile: TaskProfile) -> None:
    found = recommend(Question(profile), corpus)
    scores = [choice.score for choice in found.ranking]
    assert scores == sorted(scores, reverse=True)
    assert [choice.rank for choice in found.ranking] == list(range(1, len(scores) + 1))
    for choice in found.ranking:
        assert choice.score == pytest.approx(sum(choice.parts.values()), abs=1e-5)
    assert found.plan.backbone.name == found.ranking[0].backbone
    assert Recommendation.model_validate_json(found.model_dump_json()) == found


def test_the_fallbacks_follow_the_ranking_and_name_every_other_backbone(corpus: Corpus) -> None:
    found = recommend(Question(ULTRASOUND), corpus)
    best = found.ranking[0]
    chosen = best.approach, best.initialisation, best.head
    names = [c.backbone for c in found.ranking if (c.approach, c.initialisation, c.head) == chosen]
    assert [b.name for b in (found.plan.backbone, *found.plan.fallbacks)] == names
    assert "EfficientNet-Lite0" in names


def test_the_choice_shows_rules_with_claims_and_studies_with_citations(corpus: Corpus) -> None:
    ranking = recommend(Question(ULTRASOUND), corpus).ranking
    inception = next(c for c in ranking if (c.family, c.approach) == ("Inception", FROZEN))
    tuned = next(c for c in ranking if (c.approach, c.initialisation) == TUNED)
    assert "fully-connected-when-tuned" in {rule.id for rule in tuned.rules}
    assert {"start-frozen", "inception-ultrasound"} <= {rule.id for rule in inception.rules}
    for choice in (tuned, inception):
        assert all(claim.section for rule in choice.rules for claim in rule.claims)
        assert all("doi:" in study.citation and "[" in study.locator for study in choice.studies)
        similarities = [study.similarity for study in choice.studies if "extractor" in study.used]
        assert similarities == sorted(similarities, reverse=True)


def test_reviews_that_disagree_stand_side_by_side(corpus: Corpus) -> None:
    found = recommend(Question(ULTRASOUND), corpus)
    frozen = next(d for d in found.disagreements if "frozen" in d.topic)
    assert {side.review for side in frozen.supports} == {"kim2022"}
    assert {"kim2022", "morid2022"} <= {side.review for side in frozen.opposes}


def test_prevalence_that_comparisons_do_not_bear_out_is_said(corpus: Corpus) -> None:
    profile = TaskProfile(modality="mri", anatomy="brain", n_images=300)
    evidence = gather(Question(profile), corpus)
    backbones = [one.backbone for one in evidence.standing.configurations]
    won = evidence.literature.parts(evidence.standing.configurations)["head_to_head"]
    assert won[backbones.index("AlexNet")] < 0.3
    assert recommend(Question(profile), corpus).ranking[0].backbone != "AlexNet"


def test_expected_values_leave_out_lower_bounds(
    corpus: Corpus, arms: tuple[ArmRecord, ...]
) -> None:
    """The same studies, read from the records one by one."""
    near = reference.by_study(ULTRASOUND, arms)[:REPORTING]
    told = [[e for arm in study.arms for e in arm.evaluations if e.metric == "accuracy"]
            for study in near]  # fmt: skip
    plain = [[e.value for e in row if e.operator == "="] for row in told]
    assert any(row and not values for row, values in zip(told, plain, strict=True))
    values = [row[0] for row in plain if row]
    found = recommend(Question(ULTRASOUND), corpus).expected
    assert (found.metric, found.n_studies) == ("accuracy", len(values))
    assert found.median == pytest.approx(median(values), abs=5e-5)
    assert found.low is not None
    assert found.high is not None
    assert {found.low, found.high} <= {round(value, 4) for value in values}
    assert fmean(found.low <= value <= found.high for value in values) >= 0.8


def test_a_task_nobody_published_is_insufficient_evidence(corpus: Corpus) -> None:
    found = recommend(Question(TaskProfile(modality="spect", n_images=50)), corpus)
    assert found.certainty.level == "insufficient evidence"
    assert found.expected.n_studies == 0
    assert any("SPECT" in text for text in found.warnings)


def test_an_empty_store_still_answers_and_says_that_it_knows_nothing(corpus: Corpus) -> None:
    bare = replace(corpus, arms=ArmTable.of(()), claims=(), controlled=(), runs=())
    assert recommend(Question(ULTRASOUND), bare).certainty.level == "insufficient evidence"


def test_a_store_without_backbones_is_an_error(corpus: Corpus) -> None:
    bare = replace(corpus, backbones=(Backbone(name="custom", family="custom"),))
    with pytest.raises(RecommendationError, match="no backbone"):
        recommend(Question(ULTRASOUND), bare)


@settings(max_examples=10)
@given(
    st.none() | st.frozensets(st.sampled_from(["ResNet-50", "VGG-16", "AlexNet"]), min_size=1),
    st.none() | st.frozensets(st.sampled_from([*map(asked_as, CARRIED_OUT)]), min_size=1),
)
def test_what_is_ranked_is_exactly_what_was_asked_for(
    corpus: Corpus, backbones: frozenset[str] | None, approaches: frozenset[Asked] | None
) -> None:
    ranked = recommend(Question(ULTRASOUND, backbones=backbones, approaches=approaches), corpus)
    assert {(c.backbone, c.approach, c.head, c.initialisation) for c in ranked.ranking} == {
        (backbone.name, *way)
        for backbone in corpus.backbones
        for way in CARRIED_OUT
        if backbone.library
        if backbones is None or backbone.name in backbones
        if approaches is None or asked_as(way) in approaches
    }


def test_a_question_that_leaves_nothing_is_refused(corpus: Corpus) -> None:
    with pytest.raises(RecommendationError, match="nothing that was asked for"):
        recommend(Question(ULTRASOUND, backbones=frozenset({"custom"})), corpus)


def test_the_cost_of_fine_tuning_is_a_multiple_of_looking_once(corpus: Corpus) -> None:
    costs = {
        c.approach: c.cost.n_macs
        for c in recommend(Question(ULTRASOUND), corpus).ranking
        if c.backbone == "ResNet-50"
    }
    # Six epochs over four fifths of the images, forward and twice as much backward.
    looked = 6 * 0.8 * 3
    assert costs["fine_tuning_from_scratch"] == pytest.approx(looked * costs["feature_extractor"])
