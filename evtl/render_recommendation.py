"""A recommendation in words."""

from collections.abc import Iterator, Sequence

from evtl import wording
from evtl.render import table, wrapped
from recommender.certainty import behind
from recommender.plan import how
from recommender.records import Choice, Disagreement, Recommendation

#: Sides of a disagreement, and rules, that a short answer shows.
SHOWN = 3


def recommendation(found: Recommendation, top: int) -> str:
    """The whole answer in words, at most `WIDTH` columns but for tables."""
    return "\n".join(
        line if "\n" in line.strip("\n") else wrapped(line) for line in _paragraphs(found, top)
    )


def _paragraphs(found: Recommendation, top: int) -> Iterator[str]:
    shown = found.ranking[:top]
    yield f"Question: {wording.question(found)}"
    yield f"\nRanking (best {len(shown)} of {found.n_choices})"
    yield _ranking(shown)
    yield from wording.about_scores(shown)
    if found.probe is not None:
        from evtl.render_probe import tried  # noqa: PLC0415  (only where images were tried)

        yield from tried(found.probe)
    yield from _plan(found)
    yield "\nWhy"
    yield from _why(found)
    yield from _otherwise(found)
    yield "\nWhat similar studies report (their authors' best, so optimistic)"
    yield f"  {wording.expected(found.expected)}"
    yield f"\nCertainty: {found.certainty.level}"
    yield from (f"  - {reason}" for reason in found.certainty.reasons)
    if found.disagreements:
        yield "\nWhere the reviews disagree here"
        for item in found.disagreements:
            yield from _disagreement(item)
    yield "\nMind"
    yield from (f"  - {text}" for text in wording.mind(found))
    yield "\nEverything that it rests on: evtl explain with the same options"


def _ranking(shown: Sequence[Choice]) -> str:
    """Choices with the parts that count in any of them."""
    parts = wording.parts(shown)
    rows = [
        [
            str(c.rank), c.backbone, how(c.approach, c.initialisation), c.head, f"{c.score:+.2f}",
            *(f"{c.parts[name]:+.2f}" for name in parts), f"{c.cost.relative:g}x",
        ]
        for c in shown
    ]  # fmt: skip
    return table(["", "backbone", "approach", "head", "score", *parts, "compute"], rows)


def _plan(found: Recommendation) -> Iterator[str]:
    advice = found.advice
    yield f"\nPlan: {wording.plan(found)}"
    yield f"Cost: {wording.cost(found.ranking[0].cost)}"
    yield f"Augmentation: {advice.augmentation.value}. {advice.augmentation.reason}"
    yield f"  {wording.transforms(advice.transforms)}"
    yield f"Class weights: {advice.class_weighting.value}. {advice.class_weighting.reason}"
    yield f"Visualisation: {advice.visualization.value}. {advice.visualization.reason}"


def _otherwise(found: Recommendation) -> Iterator[str]:
    """The runner-up, and what would change the choice."""
    yield "\nWhat would change the choice"
    if (second := found.runner_up) is not None:
        yield (
            f"  runner-up: {second.backbone}, {wording.told(second)}, head {second.head}: "
            f"{behind(second)}; chance of the higher AUC {second.chance:.0%}"
        )
    yield from (f"  {wording.alternative(one)}" for one in found.alternatives)


def _why(found: Recommendation) -> Iterator[str]:
    best = found.ranking[0]
    yield f"  {wording.controlled(found)}"
    for rule in best.rules[:SHOWN]:
        yield (
            f"  rule {rule.id} (rules weigh {found.derivation.weights['rules']:g} in the score): "
            f"{rule.statement}"
        )
        places = dict.fromkeys(f"{claim.review}, {claim.section}" for claim in rule.claims)
        yield f"    [{' | '.join(places)}]"
    if not best.studies:
        yield f"  no near study used {best.family}; the nearest used something else:"
    for study in (best.studies or found.derivation.studies)[:SHOWN]:
        yield f"  study {study.similarity:.2f} alike: {study.citation}"
        yield f"    [{study.locator}] used {study.used}"


def _disagreement(item: Disagreement) -> Iterator[str]:
    yield f"  {item.topic}"
    for word, sides in (("for    ", item.supports), ("against", item.opposes)):
        yield from (f"    {word} [{s.review}, {s.section}] {s.statement}" for s in sides[:SHOWN])
        if len(sides) > SHOWN:
            yield f"    {word} and {len(sides) - SHOWN} more"
