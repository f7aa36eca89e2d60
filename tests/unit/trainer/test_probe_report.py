"""How trials decide: equals keep their order, a short fine-tuning is given the benefit of doubt."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.vocabulary import Head
from recommender.plan import PROBED
from trainer.probing.probe_report import (
    Configuration,
    Fidelity,
    Paired,
    ProbeReport,
    Trial,
    decide,
)

ALL = tuple(
    Configuration(backbone=backbone, approach=approach, head=head)
    for backbone in ("one", "two", "three")
    for approach, head in PROBED
)


def frozen(backbone: str, head: Head = "linear") -> Configuration:
    approach = "feature_extractor" if head == "linear" else "feature_extractor_hybrid"
    return next(c for c in ALL if (c.backbone, c.approach, c.head) == (backbone, approach, head))


def tuned(backbone: str) -> Configuration:
    return next(c for c in ALL if c.backbone == backbone and not c.frozen)


def trial(
    what: Configuration, value: float, *, difference: float | None = None, se: float = 0.01,
    images: int = 100, folds: int = 3, share: float = 1.0,
) -> Trial:  # fmt: skip
    pair = None
    if difference is not None:
        pair = Paired(against=frozen("one"), difference=difference, se=se)
    used = Fidelity(images=images, epochs=0 if what.frozen else 3, folds=folds, share=share)
    return Trial(**what.model_dump(), fidelity=used, value=value, se=0.02, paired=pair, seconds=1.0)


def report(*trials: Trial, candidates: tuple[Configuration, ...] = ALL) -> ProbeReport:
    return ProbeReport(
        seed=0, n_images=100, budget_s=1, spent_s=1, wall_s=1, cpu_s=1, candidates=candidates,
        trials=trials, skipped=(),
    )  # fmt: skip


def test_without_trials_the_order_stays() -> None:
    assert decide(report()) == ALL


def test_what_lies_below_the_best_by_chance_keeps_its_order() -> None:
    trials = (
        trial(frozen("three"), 0.92),
        trial(frozen("two"), 0.915, difference=-0.005, se=0.006),
        trial(frozen("one"), 0.90, difference=-0.02, se=0.006),
    )
    assert decide(report(*trials))[:3] == (frozen("two"), frozen("three"), frozen("one"))


def test_what_was_tried_on_more_comes_before_what_was_dropped_earlier() -> None:
    trials = (
        trial(frozen("one"), 0.99, images=30),
        trial(frozen("two"), 0.90, images=100),
        trial(frozen("two", "knn"), 0.95, images=100, folds=1),
        trial(frozen("two"), 0.91, images=100, folds=1, difference=-0.04),
    )
    order = decide(report(*trials))
    assert order[:3] == (frozen("two"), frozen("two", "knn"), frozen("one"))


@pytest.mark.parametrize(
    ("difference", "share", "leads"),
    [(0.001, 0.01, True), (-0.001, 0.5, False), (-0.3, 0.49, None)],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_fine_tuning_tells_where_it_is_ahead_or_long_enough(
    difference: float, share: float, leads: bool | None, before: bool
) -> None:
    """Ahead, behind, and too short to tell: then what was ahead before stays ahead."""
    order = (tuned("two"), frozen("one")) if before else (frozen("one"), tuned("two"))
    found = trial(tuned("two"), 0.8, difference=difference, folds=1, share=share)
    first = decide(report(trial(frozen("one"), 0.9), found, candidates=order))[0]
    assert (first == tuned("two")) is (before if leads is None else leads)


def test_a_fine_tuning_that_tells_nothing_leaves_fine_tunings_in_their_order() -> None:
    candidates = (tuned("two"), tuned("one"), frozen("one"))
    short = trial(tuned("one"), 0.6, difference=-0.3, folds=1, share=0.1)
    found = report(trial(frozen("one"), 0.9), short, candidates=candidates)
    assert decide(found) == candidates


def test_a_fine_tuning_that_survived_more_rungs_comes_first() -> None:
    trials = (
        trial(frozen("one"), 0.9),
        trial(tuned("one"), 0.95, difference=0.05, folds=1, share=0.2),
        trial(tuned("two"), 0.93, difference=0.03, folds=1, share=0.2),
        trial(tuned("two"), 0.94, difference=0.02, folds=1, share=0.4),
        trial(tuned("three"), 0.96, difference=0.06, folds=1, share=0.2),
    )
    assert decide(report(*trials))[:3] == (tuned("two"), tuned("three"), tuned("one"))


def test_an_approach_that_was_ahead_and_not_tried_stays_ahead() -> None:
    candidates = (tuned("two"), frozen("one"), tuned("one"), frozen("two"))
    found = report(trial(frozen("two"), 0.9), candidates=candidates)
    assert decide(found) == (tuned("two"), tuned("one"), frozen("two"), frozen("one"))
    found = report(trial(frozen("two"), 0.9), candidates=candidates[1:])
    assert decide(found)[0] == frozen("two")


def test_what_was_only_a_reference_is_not_proposed() -> None:
    candidates = (tuned("one"), tuned("two"))
    trials = trial(frozen("one"), 0.9), trial(tuned("two"), 0.5, difference=-0.4, folds=1)
    assert decide(report(*trials, candidates=candidates)) == (tuned("two"), tuned("one"))


@given(st.permutations(ALL), st.lists(st.sampled_from(ALL), max_size=12), st.randoms())
def test_every_candidate_stands_in_the_order_once(
    candidates: list[Configuration], tried: list[Configuration], rng: Random
) -> None:
    trials = [
        trial(each, rng.random(), difference=rng.random() - 0.5, se=rng.random() / 10,
              images=rng.choice([30, 100]), folds=1)
        for each in tried
    ]  # fmt: skip
    found = decide(report(*trials, candidates=tuple(candidates)))
    assert sorted(found, key=repr) == sorted(candidates, key=repr)
