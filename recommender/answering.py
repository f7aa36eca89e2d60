"""A question -> the recommendation: an order, what it rests on, and what would change it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np

from evidence.records import Corpus
from recommender import doubt
from recommender.advice import advise
from recommender.certainty import certainty
from recommender.citing import supporting
from recommender.configuration import Configuration, kinds
from recommender.derivation import derivation
from recommender.disagreements import disagreements, size_bins
from recommender.measured import Measured
from recommender.plan import MILD, PlanEvidence, TrainingPlan, make_plan
from recommender.ranking import Gathered, Question, beside, first, gather, order, scores
from recommender.records import (
    Advice,
    Alternative,
    Choice,
    CitedStudy,
    Cost,
    Goal,
    Recommendation,
    RunnerUp,
)

GOALS: tuple[Goal, ...] = ("accuracy", "balanced", "cost")


def recommend(question: Question, corpus: Corpus, top: int | None = None) -> Recommendation:
    """Rank every configuration that can be carried out and is asked for.

    Parameters
    ----------
    question : Question
    corpus : Corpus
        Arms, claims, backbones, controlled results and runs; their order does not matter.
    top : int or None
        Choices to tell of, of all that are ranked; at least 1. None for all.

    Returns
    -------
    Recommendation
        Candidates, best first; ties go to the cheaper, then to the name.

    Raises
    ------
    RecommendationError
        No configuration can be carried out, or none that is asked for.
    """
    evidence = gather(question, corpus)
    literature, ranked = evidence.literature, order(evidence, question.goal)
    choices, second = _choices(evidence, ranked[:top]), _runner_up(evidence, ranked)
    best, chosen = choices[0], evidence.candidates.backbones[ranked[0]]
    advice = advise(
        question.profile,
        chosen,
        best.approach,
        best.head,
        literature.rules,
        evidence.claims,
        question.class_sizes,
        best.initialisation,
    )
    return Recommendation(
        profile=question.profile,
        goal=question.goal,
        ranking=choices,
        n_choices=len(ranked),
        runner_up=second,
        alternatives=_alternatives(evidence, ranked[0]),
        plan=_plan(evidence, ranked, best, advice),
        expected=doubt.expected(literature.reporting),
        certainty=certainty(best, second, evidence),
        disagreements=disagreements(
            question.profile,
            best,
            literature.rules,
            literature.pairs.standing,
            evidence.claims,
            size_bins(corpus.arms),
            evidence.known.families,
        ),
        advice=advice,
        warnings=doubt.warnings(best, evidence),
        derivation=derivation(evidence, ranked[0]),
        corpus_digest=corpus.digest,
    )


def _choices(evidence: Gathered, ranked: tuple[int, ...]) -> tuple[Choice, ...]:
    standing, goal = evidence.standing, evidence.question.goal
    parts = {**standing.parts, **beside(evidence, goal)}
    values = scores(evidence, goal)

    literature, cited = evidence.literature, evidence.known.cited

    @cache
    def studies_of(family: str, approach: str) -> tuple[CitedStudy, ...]:
        return supporting(family, approach, literature.near)

    return tuple(
        Choice(
            rank=rank,
            backbone=one.backbone,
            family=one.family,
            approach=one.approach,
            initialisation=one.initialisation,
            head=one.head,
            score=round(float(values[n]), 6),
            parts={name: round(float(part[n]), 6) for name, part in parts.items()},
            rules=tuple(cited[rule.id] for rule in literature.prefer(one)),
            studies=studies_of(one.family, one.approach),
            cost=_cost(evidence, n),
        )
        for rank, n in enumerate(ranked, 1)
        for one in (standing.configurations[n],)
    )


def _cost(evidence: Gathered, n: int) -> Cost:
    n_macs, _, seconds, memory = evidence.demands[n]
    return Cost(
        n_macs=n_macs,
        relative=round(float(n_macs / evidence.demands.n_macs.min()), 2),
        seconds=None if seconds is None else round(seconds.value, 1),
        memory_mb=None if memory is None else round(memory.value),
        n_runs=0 if seconds is None else seconds.n_runs,
        spread=None if seconds is None or seconds.spread is None else round(seconds.spread, 2),
        source=None if seconds is None else seconds.source,
        priced_by="operations" if seconds is None else "seconds",
        too_large=_too_large(evidence, n),
    )


def _too_large(evidence: Gathered, n: int) -> str:
    limit, predicted = evidence.question.memory_mb, evidence.demands[n].memory_mb
    if limit is None or predicted is None or not evidence.too_large[n]:
        return ""
    return (
        f"it is predicted to take {predicted.value:,.0f} MB, and this machine has {limit:,.0f} MB"
    )


def _runner_up(evidence: Gathered, ranked: tuple[int, ...]) -> RunnerUp | None:
    """The best choice of another backbone or method; heads alone are no alternative."""
    found = evidence.standing.configurations
    first = found[ranked[0]]
    others = (
        n for n in ranked if (found[n].backbone, found[n].method) != (first.backbone, first.method)
    )
    second = next(others, None)
    if second is None:
        return None
    values, decided = scores(evidence, evidence.question.goal), evidence.standing.decided
    behind = round(float(values[ranked[0]] - values[second]), 3)
    return RunnerUp(
        backbone=found[second].backbone,
        approach=found[second].approach,
        initialisation=found[second].initialisation,
        head=found[second].head,
        behind_points=None if decided[ranked[0]] or decided[second] else behind,
        chance=round(evidence.standing.chance(second, ranked[0]), 3),
        tried_points=_tried_apart(evidence.question.measured, first, found[second]),
    )


def _tried_apart(
    measured: Iterable[Measured], first: Configuration, second: Configuration
) -> float | None:
    """Points by which one was before another in the last trial of both."""
    blocks: dict[str, dict[Configuration, float]] = defaultdict(dict)
    for one in measured:
        blocks[one.block][one.configuration] = one.points
    apart = [b[first] - b[second] for b in blocks.values() if first in b and second in b]
    return round(apart[-1], 3) if apart else None


def _alternatives(evidence: Gathered, best: int) -> tuple[Alternative, ...]:
    """The choice for each other goal, and without each part, where it is another one.

    Where nothing but cost would be left to go by, that part decides alone: no alternative.
    """
    goal = evidence.question.goal
    cases = {f"the goal were {other}": first(evidence, other) for other in GOALS if other != goal}
    for name in (name for name, part in evidence.standing.parts.items() if part.any()):
        rest = replace(evidence, standing=evidence.standing.without(name))
        if rest.standing.tells_apart:
            cases[f"{name.replace('_', ' ')} did not count"] = first(rest, goal)
    return tuple(_alternative(evidence, when, n, best) for when, n in cases.items() if n != best)


def _alternative(evidence: Gathered, when: str, n: int, best: int) -> Alternative:
    one = evidence.standing.configurations[n]
    expected = evidence.standing.expected
    return Alternative(
        when=when,
        backbone=one.backbone,
        approach=one.approach,
        initialisation=one.initialisation,
        head=one.head,
        gain_points=round(float(expected[n] - expected[best]), 3),
        relative_cost=round(float(evidence.demands.n_macs[n] / evidence.demands.n_macs[best]), 2),
    )


def _plan(
    evidence: Gathered, ranked: tuple[int, ...], best: Choice, advice: Advice
) -> TrainingPlan:
    """Plan of the best as advised, the other backbones in the order of their best choice.

    Of the safe changes of images only those are made with which the shipped comparisons trained:
    a person may add more.
    """
    ways = kinds(evidence.standing.configurations).ways.codes
    order = np.array(ranked)
    alike = order[ways[order] == ways[ranked[0]]].tolist()
    return make_plan(
        evidence.question.profile,
        [evidence.candidates.backbones[n] for n in alike],
        best.approach,
        best.head,
        PlanEvidence(
            rules=tuple(rule.id for rule in best.rules),
            studies=tuple(study.key for study in best.studies),
            corpus_digest=evidence.corpus.digest,
        ),
        initialisation=best.initialisation,
        transforms=tuple(t.kind for t in advice.transforms if t.use != "no" and t.kind in MILD),
        class_weights=advice.class_weighting.value == "on",
    )
