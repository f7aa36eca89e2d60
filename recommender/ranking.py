"""The one place where rules, neighbours, head-to-head comparisons and cost meet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from evidence.records import ArmRecord, Backbone, Claim, Corpus, TaskProfile
from evidence.vocabulary import Approach, Head
from recommender import doubt
from recommender.cost import seconds_per_mac, training_macs
from recommender.errors import RecommendationError
from recommender.headtohead import Comparisons, comparisons, strength
from recommender.neighbours import Neighbour, by_study, shares
from recommender.plan import CARRIED_OUT, PlanEvidence, make_plan
from recommender.records import (
    Choice,
    CitedClaim,
    CitedRule,
    CitedStudy,
    Cost,
    Recommendation,
)
from recommender.rules import Rule, load_rules

#: What each part counts. Set by hand: prevalence least, because what was used is not what works.
#: They have not been fitted to outcomes.
WEIGHTS = {"neighbours": 0.5, "rules": 1.0, "head_to_head": 1.0, "cost": 0.1}
#: Published studies shown with a choice.
SHOWN_STUDIES = 5


@dataclass(frozen=True)
class _Evidence:
    """What the question brings together once, before any choice is scored."""

    profile: TaskProfile
    rules: tuple[Rule, ...]
    near: tuple[Neighbour, ...]
    pairs: Comparisons
    prevalence: Mapping[str, Mapping[str, float]]
    claims: Mapping[str, Claim]
    cheapest_macs: int
    speed: Mapping[str, float]


@dataclass(frozen=True)
class _Candidate:
    backbone: Backbone
    approach: Approach
    head: Head


def recommend(profile: TaskProfile, corpus: Corpus) -> Recommendation:
    """Rank every configuration that can be carried out.

    Parameters
    ----------
    profile : TaskProfile
        The question.
    corpus : Corpus
        Arms, claims, backbones and runs of the store; their order does not matter.

    Returns
    -------
    Recommendation
        Every candidate, best first; ties go to the cheaper, then to the name.

    Raises
    ------
    RecommendationError
        No backbone of the store can be carried out.
    """
    candidates = [
        _Candidate(backbone, approach, head)
        for backbone in corpus.backbones
        if backbone.library
        for approach, head in CARRIED_OUT
    ]
    if not candidates:
        msg = "the store holds no backbone that a library carries out; reload the corpus"
        raise RecommendationError(msg)
    evidence = _gather(profile, corpus, candidates)
    choices = [_choice(candidate, evidence) for candidate in candidates]
    choices.sort(key=lambda c: (-c.score, c.cost.n_macs, c.backbone, c.approach, c.head))
    ranking = tuple(c.model_copy(update={"rank": n}) for n, c in enumerate(choices, 1))
    return _answer(ranking, evidence, corpus)


def _gather(profile: TaskProfile, corpus: Corpus, candidates: Sequence[_Candidate]) -> _Evidence:
    near = by_study(profile, corpus.arms)
    by_name = {backbone.name: backbone for backbone in corpus.backbones}
    return _Evidence(
        profile=profile,
        rules=tuple(rule for rule in load_rules() if rule.fires(profile)),
        near=near,
        pairs=comparisons(profile, corpus.arms),
        prevalence={
            "backbone": shares(near, corpus.arms, "backbone"),
            "family": shares(near, corpus.arms, "family"),
            "approach": shares(near, corpus.arms, "approach"),
            "head": shares(near, corpus.arms, "head"),
        },
        claims={claim.key: claim for claim in corpus.claims},
        cheapest_macs=min(
            training_macs(c.backbone, c.approach, profile.n_images) for c in candidates
        ),
        speed=seconds_per_mac(corpus.runs, by_name),
    )


def _choice(candidate: _Candidate, evidence: _Evidence) -> Choice:
    backbone, approach, head = candidate.backbone, candidate.approach, candidate.head
    rules = [rule for rule in evidence.rules if rule.prefers(backbone, approach, head)]
    cost = _cost(candidate, evidence)
    parts = {
        "neighbours": _prevalence(candidate, evidence.prevalence),
        "rules": sum(rule.strength for rule in rules),
        "head_to_head": strength(evidence.pairs, backbone.name, backbone.family),
        "cost": -math.log10(cost.relative),
    }
    weighted = {name: round(WEIGHTS[name] * value, 6) for name, value in parts.items()}
    return Choice(
        rank=0,
        backbone=backbone.name,
        family=backbone.family,
        approach=approach,
        initialisation="pretrained",
        head=head,
        score=round(sum(weighted.values()), 6),
        parts=weighted,
        rules=tuple(_cited(rule, evidence.claims) for rule in rules),
        studies=_supporting(candidate, evidence.near),
        cost=cost,
    )


def _prevalence(candidate: _Candidate, prevalence: Mapping[str, Mapping[str, float]]) -> float:
    """Mean share of the choice's backbone, family, approach and head among the neighbours."""
    words = {
        "backbone": candidate.backbone.name,
        "family": candidate.backbone.family,
        "approach": candidate.approach,
        "head": candidate.head,
    }
    return fmean(prevalence[kind].get(word, 0.0) for kind, word in words.items())


def _cost(candidate: _Candidate, evidence: _Evidence) -> Cost:
    macs = training_macs(candidate.backbone, candidate.approach, evidence.profile.n_images)
    speed = evidence.speed.get(candidate.approach)
    return Cost(
        n_macs=macs,
        relative=round(macs / evidence.cheapest_macs, 2),
        seconds=None if speed is None else round(speed * macs, 1),
    )


def _cited(rule: Rule, claims: Mapping[str, Claim]) -> CitedRule:
    return CitedRule(
        id=rule.id,
        statement=rule.statement,
        strength=rule.strength,
        claims=tuple(
            CitedClaim(claim=key, review=c.review, section=c.section, statement=c.statement)
            for key in rule.claims
            if (c := claims.get(key)) is not None
        ),
    )


def _supporting(candidate: _Candidate, near: Sequence[Neighbour]) -> tuple[CitedStudy, ...]:
    """The nearest studies of the same family, those of the same approach first."""

    def rank(item: tuple[Neighbour, ArmRecord]) -> tuple[bool, float, str]:
        neighbour, arm = item
        return arm.approach != candidate.approach, -neighbour.similarity, neighbour.key

    same = {
        neighbour.key: (neighbour, arm)
        for neighbour in near
        for arm in neighbour.arms
        if arm.family == candidate.backbone.family
    }
    return tuple(
        CitedStudy(
            key=neighbour.key,
            citation=arm.study.citation,
            locator=arm.locator,
            similarity=round(neighbour.similarity, 4),
            used=f"{arm.backbone}, {arm.approach}, {arm.head}",
        )
        for neighbour, arm in sorted(same.values(), key=rank)[:SHOWN_STUDIES]
    )


def _answer(ranking: tuple[Choice, ...], evidence: _Evidence, corpus: Corpus) -> Recommendation:
    best = ranking[0]
    # One backbone after the other, each as high as its best configuration of the chosen approach.
    order = [c.backbone for c in ranking if (c.approach, c.head) == (best.approach, best.head)]
    by_name = {backbone.name: backbone for backbone in corpus.backbones}
    plan = make_plan(
        evidence.profile,
        [by_name[name] for name in order],
        best.approach,
        best.head,
        PlanEvidence(
            rules=tuple(rule.id for rule in best.rules),
            studies=tuple(study.key for study in best.studies),
            corpus_digest=corpus.digest,
        ),
    )
    return Recommendation(
        profile=evidence.profile,
        ranking=ranking,
        plan=plan,
        expected=doubt.expected(evidence.near),
        certainty=doubt.certainty(best, evidence.near, evidence.pairs, evidence.rules),
        disagreements=doubt.disagreements(best, evidence.rules, evidence.pairs, evidence.claims),
        warnings=doubt.warnings(evidence.profile, best, evidence.near),
        corpus_digest=corpus.digest,
    )
