"""What a training takes counts by what runs foretell, and by what is counted where none does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.records import Corpus, RunRecord, TaskProfile
from recommender.answering import recommend
from recommender.cost import Estimate, Learned, Line, held_bytes
from recommender.grounds import Limits, candidates, grounds
from recommender.pricing import (
    FREE_MACS,
    FREE_MB,
    FREE_SECONDS,
    MEMORY_PRICES,
    PRICES,
    Demand,
    Demands,
    memory_prices,
)
from recommender.ranking import LEAD, Question
from recommender.records import Choice, Goal, Recommendation
from tests.unit.recommender.methods import without_new_methods
from tests.unit.recommender.test_trials import a_run

PROFILE = TaskProfile(modality="ultrasound", n_images=800)
GOALS: tuple[Goal, ...] = ("accuracy", "balanced", "cost")
#: Frozen, and trained.
APPROACHES = ("feature_extractor", "fine_tuning_from_scratch")
EVERY = (*APPROACHES, "fine_tuning")
amounts = st.floats(0, 1e6)


@pytest.fixture(scope="module")
def corpus(corpus: Corpus) -> Corpus:
    """Whatever was measured since of other ways to train."""
    return without_new_methods(corpus)


def demand(
    seconds: float | None = None,
    mb: float | None = None,
    n_macs: float = FREE_MACS,
    held: float = 9,
) -> Demand:
    def known(value: float | None) -> Estimate | None:
        return None if value is None else Estimate(value, 1, None)

    return Demand(round(n_macs), held, known(seconds), known(mb))


def run(approach: str, backbone: str, seconds: float, mb: float | None) -> RunRecord:
    changes = {"approach": approach, "seconds": seconds, "peak_memory_mb": mb}
    return a_run(f"{approach} {backbone}", backbone, 0.9).model_copy(update=changes)


def with_runs(corpus: Corpus, *runs: RunRecord) -> Corpus:
    """A store whose only comparisons are its controlled ones: each run has data of its own."""
    return replace(corpus, runs=runs)


@pytest.mark.parametrize("goal", GOALS)
def test_time_counts_by_seconds_where_runs_tell_them(goal: Goal) -> None:
    dear = demand(seconds=9 * FREE_SECONDS, n_macs=0)
    assert dear.price(goal) == pytest.approx(-PRICES[goal])
    assert demand(n_macs=9 * FREE_MACS).price(goal) == pytest.approx(-PRICES[goal])
    assert str(demand(seconds=0).price(goal)) == "0.0"


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("n_images", [1, 800, 12_345, 10**9])
def test_all_candidates_at_once_are_what_each_is_alone(
    corpus: Corpus, goal: Goal, n_images: int
) -> None:
    own = Line(100.0, 1e-6, 3, None)
    others = replace(own, source="shipped_at_own_pace")
    memory_lines = {"frozen": own, "fine_tuning": others, "fine_tuning_from_scratch": own}
    learned = Learned({"frozen": own, "fine_tuning": others}, memory_lines)
    found = candidates(grounds(corpus), Limits("classification"))
    asked = Demands(found.trainings, found.training_of, n_images, learned, 1000.0)
    pairs = zip(found.backbones, found.configurations, strict=True)
    alone = [Demand.of(b, c.approach, n_images, learned) for b, c in pairs]
    time, memory = asked.prices(goal)
    assert asked.n_macs == pytest.approx([one.n_macs for one in alone])
    assert time == pytest.approx([one.price(goal) for one in alone])
    assert memory == pytest.approx(memory_prices(alone, goal))
    # Those that others' runs foretell, at the pace of ours, may have been on another device.
    taken = [one.memory_mb for one in alone]
    sure = [mb is not None and mb.source == "own" and mb.value > 1000 for mb in taken]
    assert asked.too_large.tolist() == sure
    assert any(sure)
    assert [asked[n] for n in range(len(alone))] == alone


@given(st.lists(st.tuples(amounts, amounts), min_size=2, max_size=5))
def test_predicted_and_counted_memory_are_never_mixed(pairs: list[tuple[float, float]]) -> None:
    known = [demand(mb=predicted, held=held) for predicted, held in pairs]
    some = [*known[:-1], demand(held=pairs[-1][1])]
    for found, amounts_mb in ((known, [mb for mb, _ in pairs]), (some, [mb for _, mb in pairs])):
        prices = dict(zip(amounts_mb, memory_prices(found, "cost"), strict=True))
        assert [prices[mb] for mb in sorted(prices)] == sorted(prices.values(), reverse=True)
    assert memory_prices([demand(mb=9 * FREE_MB)], "cost") == [-MEMORY_PRICES["cost"]]
    assert set(memory_prices(known, "accuracy")) == {0.0}


def test_the_goal_cost_asks_for_memory_and_no_other_does(corpus: Corpus) -> None:
    for goal in GOALS:
        found = recommend(Question(PROFILE, goal=goal), corpus)
        assert all((choice.parts["memory"] < 0) == (goal == "cost") for choice in found.ranking)
        assert found.derivation.memory_price == MEMORY_PRICES[goal]


def test_every_choice_says_what_its_price_goes_by(corpus: Corpus) -> None:
    for choice in recommend(Question(PROFILE), with_runs(corpus)).ranking:
        assert (choice.cost.priced_by == "seconds") == (choice.cost.seconds is not None)
    known = with_runs(corpus, *(run(a, "ResNet-50", 100.0, 900.0) for a in EVERY))
    for choice in recommend(Question(PROFILE), known).ranking:
        assert choice.cost.priced_by == "seconds"
        assert choice.cost.seconds is not None
        assert choice.cost.memory_mb is not None
        by_hand = demand(seconds=choice.cost.seconds).price("balanced")
        assert choice.parts["cost"] == pytest.approx(by_hand, abs=0.002)


def test_slow_runs_of_fine_tuning_make_the_frozen_backbone_worth_it(corpus: Corpus) -> None:
    """The same operations: only the seconds of the runs differ."""
    asked = Question(PROFILE, goal="balanced", backbones=frozenset({"EfficientNet-Lite0"}))

    def first(tuned_s: float) -> Choice:
        times = zip(APPROACHES, (5.0, tuned_s), strict=True)
        known = with_runs(corpus, *(run(a, "EfficientNet-Lite0", s, None) for a, s in times))
        return recommend(asked, known).ranking[0]

    assert first(20).approach == "fine_tuning_from_scratch"
    assert first(20_000).approach.startswith("feature_extractor")


def large(corpus: Corpus, memory_mb: float | None) -> Recommendation:
    """Asked on a machine with so much memory, where fine-tuning takes much of it."""
    frozen = run(APPROACHES[0], "ResNet-50", 10, 500)
    tuned = run(APPROACHES[1], "ResNet-50", 10, 9000)
    asked = Question(PROFILE, goal="accuracy", memory_mb=memory_mb)
    partly = run("fine_tuning", "ResNet-50", 10, 5000)
    return recommend(asked, with_runs(corpus, frozen, partly, tuned))


def test_what_is_predicted_not_to_fit_comes_last_with_its_reason(corpus: Corpus) -> None:
    free, tight = large(corpus, None), large(corpus, 4000)
    assert free.ranking[0].approach == "fine_tuning_from_scratch"
    assert not any(c.cost.too_large or c.parts["too_large"] for c in free.ranking)
    fits = [not c.cost.too_large for c in tight.ranking]
    assert fits == sorted(fits, reverse=True)
    assert 0 < sum(fits) < len(fits)
    last = tight.ranking[-1]
    assert last.parts["too_large"] < 0
    assert "is predicted to take" in last.cost.too_large
    assert last.cost.too_large.endswith("this machine has 4,000 MB")
    told = f"{len(fits) - sum(fits)} of {len(fits)} choices would not fit into the 4,000 MB"
    assert any(told in text for text in tight.warnings)
    for choice in tight.ranking:
        assert choice.score == pytest.approx(sum(choice.parts.values()), abs=1e-5)
        assert choice.cost.memory_mb is not None
        assert bool(choice.cost.too_large) == (choice.cost.memory_mb > 4000)
    best = next(n for n, fit in enumerate(fits) if not fit)
    assert tight.ranking[best - 1].score - tight.ranking[best].score == pytest.approx(
        LEAD, abs=1e-5
    )


def test_those_that_do_not_fit_keep_their_own_order(corpus: Corpus) -> None:
    def names(found: Recommendation) -> list[tuple[str, ...]]:
        tuned = {"fine_tuning", "fine_tuning_from_scratch"}
        rows = [c for c in found.ranking if c.approach in tuned]
        return [(c.backbone, c.approach, c.initialisation) for c in rows]

    assert names(large(corpus, 100)) == names(large(corpus, None))


def test_where_nothing_fits_it_is_said_and_nothing_moves(corpus: Corpus) -> None:
    none = large(corpus, 1)
    assert all(c.cost.too_large and c.parts["too_large"] == 0 for c in none.ranking)
    assert [c.backbone for c in none.ranking] == [c.backbone for c in large(corpus, None).ranking]
    assert any("would not fit into the 1 MB" in text for text in none.warnings)


def test_partial_fine_tuning_counts_fewer_operations_than_full(corpus: Corpus) -> None:
    found = recommend(Question(PROFILE, backbones=frozenset({"ResNet-50"})), corpus)
    macs = {str(c.approach): c.cost.n_macs for c in found.ranking}
    order = ("feature_extractor", "fine_tuning", "fine_tuning_from_scratch")
    assert [macs[one] for one in order] == sorted(macs[one] for one in order)
    assert len({macs[one] for one in order}) == 3
    resnet = next(b for b in corpus.backbones if b.name == "ResNet-50")
    assert held_bytes(resnet, "fine_tuning", 1) > held_bytes(resnet, "feature_extractor", 1)
