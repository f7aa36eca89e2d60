"""How sure an answer says that it is, and what it says that it rests on."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.arm_table import ArmTable
from evidence.records import Corpus, TaskProfile
from recommender.answering import recommend
from recommender.certainty import CLEAR, FEW_DATASETS, FEW_DIRECT, OPEN, behind, certainty, level_of
from recommender.doubt import counted, warnings
from recommender.measured import Measured
from recommender.ranking import Question, gather
from recommender.records import RunnerUp
from recommender.weights import load_weights
from tests.unit.recommender.planted import network

ULTRASOUND = TaskProfile(modality="ultrasound", anatomy="breast", n_images=800)
ENOUGH = {"n_known": 9, "n_direct": FEW_DIRECT, "n_compared": FEW_DATASETS, "n_measured": 0}
ORDER = ("insufficient evidence", "low", "moderate", "high")
counts = st.integers(0, 9)


@pytest.mark.parametrize(
    ("chance", "less", "level"),
    [
        (OPEN, {}, "moderate"),
        (OPEN + 0.01, {}, "low"),
        (0.5, {}, "low"),
        (0.0, {"n_direct": FEW_DIRECT - 1}, "low"),
        (0.0, {"n_compared": FEW_DATASETS - 1}, "low"),
        (0.0, {"n_known": 0}, "insufficient evidence"),
        (CLEAR, {"n_measured": 1}, "high"),
        (CLEAR + 0.01, {"n_measured": 1}, "moderate"),
        (OPEN + 0.01, {"n_measured": 1}, "low"),
    ],
)
def test_a_level_takes_all_that_it_asks_for(
    chance: float, less: dict[str, int], level: str
) -> None:
    assert level_of(chance, **(ENOUGH | less)) == level


@given(st.floats(0, 1), counts, counts, counts, st.sampled_from(["n_known", "n_direct"]))
def test_knowing_more_never_makes_an_answer_less_sure(
    chance: float, known: int, direct: int, compared: int, more: str
) -> None:
    told = {"n_known": known, "n_direct": direct, "n_compared": compared, "n_measured": 0}
    rank = ORDER.index(level_of(chance, **told))
    assert ORDER.index(level_of(chance, **(told | {more: told[more] + 1}))) >= rank


def test_where_nothing_but_cost_differs_nothing_is_known(corpus: Corpus) -> None:
    """Close studies are told, but weigh nothing."""
    bare = replace(corpus, controlled=(), runs=(), shipped=())
    found = recommend(Question(ULTRASOUND), bare)
    assert found.certainty.level == "insufficient evidence"
    assert not found.certainty.reasons[0].startswith("directness: 0 of")
    assert "their order is that of cost alone" in found.warnings[0]
    assert not any("rests on" in text or "did not count" in text for text in found.warnings)
    costs = [choice.cost.n_macs for choice in found.ranking]
    assert costs == sorted(costs)


def test_a_single_candidate_is_in_no_order(corpus: Corpus) -> None:
    asked = Question(
        ULTRASOUND, backbones=frozenset({"ResNet-18"}), approaches=frozenset({"feature_extractor"})
    )
    found = recommend(asked, corpus)
    assert len(found.ranking) == 1
    assert found.certainty.level != "insufficient evidence"
    assert not any("order is that of cost" in text for text in found.warnings)


def test_close_studies_make_an_answer_surer_only_where_they_weigh(corpus: Corpus) -> None:
    """No controlled data set is of this modality, and many close studies are."""
    mri = Question(TaskProfile(modality="mri", anatomy="brain", n_images=300))
    weights = load_weights()
    assert weights.parts["neighbours"] == 0
    weighed = weights.model_copy(update={"parts": weights.parts | {"neighbours": 1.0}})
    evidence = gather(mri, corpus)
    tasks = {(o.configuration.family, o.configuration.approach, o.task.source)
             for o in evidence.observations}  # fmt: skip
    often = Counter((family, approach) for family, approach, _ in tasks)
    ranking = recommend(mri, corpus).ranking
    best = max(ranking, key=lambda choice: often[choice.family, choice.approach])
    ahead = runner_up(chance=0.0)
    without = certainty(best, ahead, evidence)
    counting = certainty(best, ahead, gather(mri, corpus, weighed))
    assert (without.level, counting.level) == ("low", "moderate")
    assert "count for nothing in the order" in without.reasons[0]
    assert "count for nothing" not in counting.reasons[0]


def test_a_choice_that_was_not_compared_is_said_to_be_inferred(corpus: Corpus) -> None:
    evidence = gather(Question(ULTRASOUND), corpus)
    compared = {
        o.configuration.family
        for o in evidence.observations
        if o.configuration.approach == "feature_extractor"
    }
    ranking = recommend(Question(ULTRASOUND), corpus).ranking
    for choice in ranking:
        if choice.approach == "feature_extractor":
            reason = certainty(choice, None, evidence).reasons[1]
            assert ("is inferred" in reason) == (choice.family not in compared)
    bare = gather(Question(ULTRASOUND), replace(corpus, controlled=(), runs=()))
    assert "nothing was compared" in certainty(ranking[0], None, bare).reasons[1]


def test_the_weights_are_said_to_come_from_the_tables_that_ship_with_evtl(corpus: Corpus) -> None:
    reasons = recommend(Question(ULTRASOUND), corpus).certainty.reasons
    assert any(r.startswith("weights") and "ship with evtl" in r for r in reasons)


def test_a_probe_that_measured_nothing_is_never_advised_again(corpus: Corpus) -> None:
    plain = recommend(Question(ULTRASOUND), corpus).certainty.reasons[-1]
    assert "(--data DIR --probe)" in plain
    tried = recommend(Question(ULTRASOUND, untried="nothing could be read"), corpus)
    assert tried.certainty.reasons[-1] == "own data: nothing could be read"


def test_configurations_that_were_measured_are_counted_once(corpus: Corpus) -> None:
    lite, vgg = network("EfficientNet-Lite0", "EfficientNet"), network("VGG-16", "VGGNet")
    rows = tuple(Measured(one, 90, 1, block) for block in "ab" for one in (lite, vgg))
    found = recommend(Question(ULTRASOUND, measured=rows), corpus)
    assert found.certainty.reasons[-1].startswith("own data: 2 configurations were measured")
    assert "what was tried on these images" in found.warnings[0]


def runner_up(**fields: Any) -> RunnerUp:
    usual = {"backbone": "VGG-16", "approach": "feature_extractor", "head": "linear"}
    return RunnerUp.model_validate({**usual, "behind_points": 1.0, "chance": 0.3, **fields})


@pytest.mark.parametrize(
    ("behind_points", "tried", "words"),
    [
        (1.25, None, "1.25 points behind"),
        (None, 2.0, r"trials on these images decide \(2.0 points behind there\)"),
        (None, -2.0, r"2.0 points ahead, which did not rule out chance"),
        (None, None, r"none compared the two"),
    ],
)
def test_a_place_that_trials_decide_is_not_told_in_points_of_the_score(
    behind_points: float | None, tried: float | None, words: str
) -> None:
    told = behind(runner_up(behind_points=behind_points, tried_points=tried))
    assert words.replace("\\", "") in told


@pytest.mark.parametrize("part", ["neighbours", "rules"])
def test_the_order_is_said_to_rest_on_what_weighs_in_it(corpus: Corpus, part: str) -> None:
    shipped = load_weights()
    weights = shipped.model_copy(update={"settings": shipped.settings._replace(own=0.0)})
    names = {"neighbours": "what similar studies used", "rules": "the rules of the reviews"}
    best = recommend(Question(ULTRASOUND), corpus).ranking[0]
    without = warnings(best, gather(Question(ULTRASOUND), corpus, weights))
    assert without[0] == "The order rests on controlled comparisons."
    assert names[part] in without[1]
    assert any("the same for every modality" in text for text in without)
    more = weights.model_copy(update={"parts": weights.parts | {part: 1.0}})
    counting = warnings(best, gather(Question(ULTRASOUND), corpus, more))
    assert names[part] in counting[0]
    assert names[part] not in counting[1]
    assert not any("the same for every modality" in text for text in counting)


def test_tasks_that_have_effects_of_their_own_have_an_order_of_their_own(corpus: Corpus) -> None:
    best = recommend(Question(ULTRASOUND), corpus).ranking[0]
    weights = load_weights()
    own = weights.model_copy(update={"settings": weights.settings._replace(own=0.3)})
    told = warnings(best, gather(Question(ULTRASOUND), corpus, own))
    assert not any("the same for every modality" in text for text in told)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_interval_takes_three_studies(corpus: Corpus, arms: Any, n: int) -> None:
    plain = {a.study.key: a for a in arms
             if a.modality == "ultrasound" and any(e.metric == "accuracy" and e.operator == "="
                                                   for e in a.evaluations)}  # fmt: skip
    few = replace(corpus, arms=ArmTable.of(tuple(plain.values())[:n]))
    found = recommend(Question(TaskProfile(modality="ultrasound", n_images=800)), few).expected
    assert found.n_studies == n
    assert (found.metric is None, found.low is None, found.high is None) == (n < 3,) * 3


def test_a_noun_follows_its_number() -> None:
    told = [counted(n, noun) for noun in ("study", "data set") for n in (0, 1, 2)]
    assert told == ["0 studies", "1 study", "2 studies", "0 data sets", "1 data set", "2 data sets"]
