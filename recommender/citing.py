"""Claims, rules and studies as they are shown: with the place where they stand."""

from collections.abc import Iterable, Mapping, Sequence

from evidence.records import ArmRecord, Claim
from recommender.neighbours import Neighbour
from recommender.plan import how
from recommender.records import CitedClaim, CitedRule, CitedStudy
from recommender.rules import Rule

#: Published studies shown with a choice.
SHOWN_STUDIES = 5

#: Said of every reason that is no claim of a review.
OWN = "not from the reviews"


def cited(keys: Iterable[str], claims: Mapping[str, Claim]) -> tuple[CitedClaim, ...]:
    """The claims of these keys, in their order; keys that the store does not hold are left out."""
    return tuple(
        CitedClaim(claim=key, review=c.review, section=c.section, statement=c.statement)
        for key in keys
        if (c := claims.get(key)) is not None
    )


def cited_rule(rule: Rule, claims: Mapping[str, Claim]) -> CitedRule:
    """A rule with the claims that it rests on."""
    return CitedRule(
        id=rule.id,
        statement=rule.statement,
        strength=rule.strength,
        claims=cited(rule.claims, claims),
    )


def used(arm: ArmRecord) -> str:
    """What a study used, in words."""
    return f"{arm.backbone}, {how(arm.approach, arm.initialisation)}, {arm.head}"


def supporting(family: str, approach: str, near: Sequence[Neighbour]) -> tuple[CitedStudy, ...]:
    """The nearest studies that used a family, those of the same approach first."""

    def rank(item: tuple[Neighbour, ArmRecord]) -> tuple[bool, float, str]:
        neighbour, arm = item
        return arm.approach != approach, -neighbour.similarity, neighbour.key

    same = {
        neighbour.key: (neighbour, arm)
        for neighbour in near
        for arm in neighbour.arms
        if arm.family == family
    }
    return tuple(
        CitedStudy(
            key=neighbour.key,
            citation=arm.study.citation,
            locator=arm.locator,
            similarity=round(neighbour.similarity, 4),
            used=used(arm),
        )
        for neighbour, arm in sorted(same.values(), key=rank)[:SHOWN_STUDIES]
    )
