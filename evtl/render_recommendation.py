"""A recommendation in words."""

from collections.abc import Iterator

from evtl.render import table, wrapped
from recommender.certainty import behind
from recommender.doubt import counted
from recommender.plan import BLOCKS, how
from recommender.records import Alternative, Cost, Disagreement, Recommendation, RunnerUp

#: Sides of a disagreement, and rules, that a short answer shows.
SHOWN = 3
#: A part that moves no score by more than this many points is not shown.
LEAST_PART = 0.005


def recommendation(found: Recommendation, top: int) -> str:
    """The whole answer in words, at most `WIDTH` columns but for tables."""
    return "\n".join(
        line if "\n" in line.strip("\n") else wrapped(line) for line in _paragraphs(found, top)
    )


def _paragraphs(found: Recommendation, top: int) -> Iterator[str]:
    yield f"Question: {_question(found)}"
    yield f"\nRanking (best {min(top, len(found.ranking))} of {len(found.ranking)})"
    yield _ranking(found, top)
    yield (
        "Score and parts are points of AUC beside the average candidate; cost is the price of "
        f"computing, {_priced_by(found)}{_memory(found)}."
    )
    if any(choice.parts["unmeasured"] for choice in found.ranking[:top]):
        yield (
            "The part unmeasured is doubt: of that way to train nothing was measured, so that what "
            "is expected of it counts for less, and it does not come first."
        )
    if any(choice.parts["decided"] for choice in found.ranking):
        yield (
            "The part decided is no measured points but the first place before the cost: for what "
            "the trials on your images speak for, or for what was ahead before where they were "
            "too short to tell. Only networks whose weights are here compete for it."
        )
    if found.probe is not None:
        from evtl.render_probe import tried  # noqa: PLC0415  (only where images were tried)

        yield from tried(found.probe)
    yield from _plan(found)
    yield "\nWhy"
    yield from _why(found)
    yield from _otherwise(found)
    yield "\nWhat similar studies report (their authors' best, so optimistic)"
    yield f"  {_expected(found)}"
    yield f"\nCertainty: {found.certainty.level}"
    yield from (f"  - {reason}" for reason in found.certainty.reasons)
    if found.disagreements:
        yield "\nWhere the reviews disagree here"
        for item in found.disagreements:
            yield from _disagreement(item)
    yield "\nMind"
    yield from (f"  - {text}" for text in found.warnings)
    yield from (f"  - {check.reason}" for check in found.advice.checks)
    yield "\nEverything that it rests on: evtl explain with the same options"


def _question(found: Recommendation) -> str:
    profile = found.profile
    task = [profile.modality, profile.anatomy, f"{profile.n_images} images"]
    task += [f"{profile.n_classes} classes"] if profile.n_classes else []
    task += [profile.task] if profile.task == "regression" else []
    return f"{', '.join(word for word in task if word)}; goal {found.goal}"


def _ranking(found: Recommendation, top: int) -> str:
    """The best choices with the parts that count in any of them."""
    shown = found.ranking[:top]
    parts = [n for n in shown[0].parts if any(abs(c.parts[n]) > LEAST_PART for c in shown)]
    rows = [
        [
            str(c.rank), c.backbone, how(c.approach, c.initialisation), c.head, f"{c.score:+.2f}",
            *(f"{c.parts[name]:+.2f}" for name in parts), f"{c.cost.relative:g}x",
        ]
        for c in shown
    ]  # fmt: skip
    return table(["", "backbone", "approach", "head", "score", *parts, "compute"], rows)


def _plan(found: Recommendation) -> Iterator[str]:
    best, advice = found.ranking[0], found.advice
    yield (
        f"\nPlan: {best.backbone}, {_weights(best.initialisation)}, {_words(best.approach)}, head "
        f"{best.head}, {found.plan.backbone.input_px} px"
    )
    yield f"Cost: {_cost(best.cost)}"
    yield f"Augmentation: {advice.augmentation.value}. {advice.augmentation.reason}"
    kinds = {
        use: [t.kind.replace("_", " ") for t in advice.transforms if t.use == use]
        for use in ("yes", "small", "no")
    }
    yield (
        f"  safe: {', '.join(kinds['yes']) or 'none'}; within narrow limits: "
        f"{', '.join(kinds['small']) or 'none'}; not: {', '.join(kinds['no']) or 'none'}"
    )
    yield f"Class weights: {advice.class_weighting.value}. {advice.class_weighting.reason}"
    yield f"Visualisation: {advice.visualization.value}. {advice.visualization.reason}"


def _otherwise(found: Recommendation) -> Iterator[str]:
    """The runner-up, and what would change the choice."""
    yield "\nWhat would change the choice"
    if (second := found.runner_up) is not None:
        yield (
            f"  runner-up: {second.backbone}, {_told(second)}, head {second.head}: "
            f"{behind(second)}; chance of the higher AUC {second.chance:.0%}"
        )
    yield from (
        f"  if {a.when}: {a.backbone}, {_told(a)}, head {a.head} "
        f"({a.gain_points:+.1f} points of AUC for {a.relative_cost:g} times the computation)"
        for a in found.alternatives
    )


def _words(approach: str) -> str:
    names = {
        "feature_extractor": "frozen as feature extractor",
        "feature_extractor_hybrid": "frozen, classical classifier on its features",
        "fine_tuning": f"fine-tuning of the last {BLOCKS} blocks",
        "fine_tuning_from_scratch": "full fine-tuning",
    }
    return names.get(approach, approach)


def _told(one: RunnerUp | Alternative) -> str:
    """The approach in words; random weights are never left unsaid."""
    random = one.initialisation == "random"
    return _words(one.approach) + " from random weights" * random


def _weights(initialisation: str) -> str:
    return "random weights" if initialisation == "random" else "pretrained on ImageNet"


def _priced_by(found: Recommendation) -> str:
    """What the part cost goes by, of those that are ranked."""
    ways = {choice.cost.priced_by for choice in found.ranking}
    words = {
        "seconds": "by the seconds that runs foretell",
        "operations": "by counted operations where no run foretells the seconds",
    }
    return " and ".join(words[way] for way in sorted(ways, reverse=True))


def _memory(found: Recommendation) -> str:
    return ", memory that of memory" if found.ranking[0].parts["memory"] else ""


def _cost(cost: Cost) -> str:
    text = (
        f"{cost.n_macs / 1e12:.1f} T multiply-accumulates, "
        f"{cost.relative:g} times the cheapest choice"
    )
    if cost.seconds is not None:
        memory = f" and {cost.memory_mb:g} MB" if cost.memory_mb is not None else ""
        spread = f", each within a factor {cost.spread:g}" if cost.spread is not None else ""
        text += f"; about {cost.seconds:g} s{memory}, {judged(cost)}{spread}"
    if cost.too_large:
        text += f"; mind that {cost.too_large}"
    return text


def judged(cost: Cost) -> str:
    """What the seconds were learned from."""
    if cost.source == "own":
        return f"judged by {counted(cost.n_runs, 'run')} recorded here"
    pace = ", at the pace of the runs recorded here" * (cost.source == "shipped_at_own_pace")
    return f"learned from {counted(cost.n_runs, 'shipped run')} on another machine{pace}"


def _why(found: Recommendation) -> Iterator[str]:
    best, weights = found.ranking[0], found.derivation.weights
    measured = sum(e.points > 0 for e in found.derivation.controlled)
    yield (
        f"  controlled comparisons (weight {weights['controlled']:g}): "
        f"{best.parts['controlled']:+.2f} points, from "
        f"{counted(len(found.derivation.controlled), 'data set')}, {measured} of them for it"
    )
    for rule in best.rules[:SHOWN]:
        yield (
            f"  rule {rule.id} (rules weigh {weights['rules']:g} in the score): {rule.statement}"
        )
        places = dict.fromkeys(f"{claim.review}, {claim.section}" for claim in rule.claims)
        yield f"    [{' | '.join(places)}]"
    if not best.studies:
        yield f"  no near study used {best.family}; the nearest used something else:"
    for study in (best.studies or found.derivation.studies)[:SHOWN]:
        yield f"  study {study.similarity:.2f} alike: {study.citation}"
        yield f"    [{study.locator}] used {study.used}"


def _expected(found: Recommendation) -> str:
    expected = found.expected
    if expected.metric is None:
        if not expected.n_studies:
            return "no close study reports a plain number"
        return (
            f"too few for an interval: {counted(expected.n_studies, 'study')} with a plain number"
        )
    return (
        f"{expected.metric} {expected.low:g} to {expected.high:g} (four of five further studies), "
        f"median {expected.median:g}, {counted(expected.n_studies, 'study')}"
    )


def _disagreement(item: Disagreement) -> Iterator[str]:
    yield f"  {item.topic}"
    for word, sides in (("for    ", item.supports), ("against", item.opposes)):
        yield from (f"    {word} [{s.review}, {s.section}] {s.statement}" for s in sides[:SHOWN])
        if len(sides) > SHOWN:
            yield f"    {word} and {len(sides) - SHOWN} more"
