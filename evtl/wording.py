"""Sentences of a recommendation, which every face says alike."""

from collections.abc import Iterator, Sequence

from recommender.doubt import counted
from recommender.plan import BLOCKS
from recommender.records import (
    Alternative,
    Choice,
    Cost,
    Derivation,
    Expected,
    Recommendation,
    RunnerUp,
    Transform,
)

#: A part that moves no score by more than this many points is not shown.
LEAST_PART = 0.005
#: What each part of a score is, in words.
PART_WORDS = {
    "controlled": "controlled comparisons",
    "neighbours": "what similar studies used",
    "rules": "rules of the reviews",
    "head_to_head": "wins within published studies",
    "measured": "measured on your images",
    "decided": "decided by trials",
    "cost": "price of computing",
    "memory": "price of memory",
    "unmeasured": "doubt: never measured",
    "too_large": "does not fit into memory",
}


def question(found: Recommendation) -> str:
    """What was asked."""
    profile = found.profile
    task = [profile.modality, profile.anatomy, f"{profile.n_images} images"]
    task += [f"{profile.n_classes} classes"] if profile.n_classes else []
    task += [profile.task] if profile.task == "regression" else []
    return f"{', '.join(word for word in task if word)}; goal {found.goal}"


def parts(shown: Sequence[Choice]) -> tuple[str, ...]:
    """Names of the parts that count in any of these choices."""
    names = shown[0].parts
    return tuple(n for n in names if any(abs(choice.parts[n]) > LEAST_PART for choice in shown))


def about_scores(shown: Sequence[Choice]) -> Iterator[str]:
    """What the scores of these choices are, and what parts of them are that are no points."""
    memory = ", memory that of memory" if shown[0].parts["memory"] else ""
    yield (
        "Score and parts are points of AUC beside the average candidate; cost is the price of "
        f"computing, {_priced_by(shown)}{memory}."
    )
    if any(choice.parts["unmeasured"] for choice in shown):
        yield (
            "The part unmeasured is doubt: of that way to train nothing was measured, so that what "
            "is expected of it counts for less, and it does not come first."
        )
    if any(choice.parts["decided"] for choice in shown):
        yield (
            "The part decided is no measured points but the first place before the cost: for what "
            "the trials on your images speak for, or for what was ahead before where they were "
            "too short to tell. Only networks whose weights are here compete for it."
        )


def _priced_by(shown: Sequence[Choice]) -> str:
    """What the part cost goes by."""
    ways = {choice.cost.priced_by for choice in shown}
    words = {
        "seconds": "by the seconds that runs foretell",
        "operations": "by counted operations where no run foretells the seconds",
    }
    return " and ".join(words[way] for way in sorted(ways, reverse=True))


def plan(found: Recommendation) -> str:
    """What is to be trained."""
    best = found.ranking[0]
    return (
        f"{best.backbone}, {weights(best.initialisation)}, {approach(best.approach)}, head "
        f"{best.head}, {found.plan.backbone.input_px} px"
    )


def approach(key: str) -> str:
    """What is done with a network."""
    names = {
        "feature_extractor": "frozen as feature extractor",
        "feature_extractor_hybrid": "frozen, classical classifier on its features",
        "fine_tuning": f"fine-tuning of the last {BLOCKS} blocks",
        "fine_tuning_from_scratch": "full fine-tuning",
    }
    return names.get(key, key)


def told(one: RunnerUp | Alternative) -> str:
    """The approach in words; random weights are never left unsaid."""
    return approach(one.approach) + " from random weights" * (one.initialisation == "random")


def weights(initialisation: str) -> str:
    """Where training begins."""
    return "random weights" if initialisation == "random" else "pretrained on ImageNet"


def cost(one: Cost) -> str:
    """What a training takes."""
    text = (
        f"{one.n_macs / 1e12:.1f} T multiply-accumulates, "
        f"{one.relative:g} times the cheapest choice"
    )
    if one.seconds is not None:
        memory = f" and {one.memory_mb:g} MB" if one.memory_mb is not None else ""
        spread = f", each within a factor {one.spread:g}" if one.spread is not None else ""
        text += f"; about {one.seconds:g} s{memory}, {judged(one)}{spread}"
    if one.too_large:
        text += f"; mind that {one.too_large}"
    return text


def judged(one: Cost) -> str:
    """What the seconds were learned from."""
    if one.source == "own":
        return f"judged by {counted(one.n_runs, 'run')} recorded here"
    pace = ", at the pace of the runs recorded here" * (one.source == "shipped_at_own_pace")
    return f"learned from {counted(one.n_runs, 'shipped run')} on another machine{pace}"


def transforms(given: Sequence[Transform]) -> str:
    """Which kinds of augmentation are safe."""

    def kinds(use: str) -> str:
        return ", ".join(t.kind.replace("_", " ") for t in given if t.use == use) or "none"

    return f"safe: {kinds('yes')}; within narrow limits: {kinds('small')}; not: {kinds('no')}"


def alternative(one: Alternative) -> str:
    """What would be chosen if something were otherwise."""
    return (
        f"if {one.when}: {one.backbone}, {told(one)}, head {one.head} "
        f"({one.gain_points:+.1f} points of AUC for {one.relative_cost:g} times the computation)"
    )


def controlled(found: Recommendation) -> str:
    """What the controlled comparisons give the first choice."""
    derived = found.derivation
    measured = sum(each.points > 0 for each in derived.controlled)
    return (
        f"controlled comparisons (weight {derived.weights['controlled']:g}): "
        f"{found.ranking[0].parts['controlled']:+.2f} points, from "
        f"{counted(len(derived.controlled), 'data set')}, {measured} of them for it"
    )


def expected(found: Expected) -> str:
    """What similar studies report."""
    if found.metric is None:
        if not found.n_studies:
            return "no close study reports a plain number"
        return f"too few for an interval: {counted(found.n_studies, 'study')} with a plain number"
    return (
        f"{found.metric} {found.low:g} to {found.high:g} (four of five further studies), "
        f"median {found.median:g}, {counted(found.n_studies, 'study')}"
    )


def mind(found: Recommendation) -> tuple[str, ...]:
    """What to look at before following the advice."""
    return (*found.warnings, *(check.reason for check in found.advice.checks))


def derivation(found: Recommendation) -> str:
    """How the parts of a score are weighted."""
    d = found.derivation
    named = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in d.weights.items())
    return (
        f"weights of the parts: {named}; fitted on data sets that were left out, 0 where a "
        "part added nothing there. A unit of score was worth "
        f"{d.points:g} points of AUC. The goal {found.goal} asks {d.price:g} points of ten times "
        f"the time and {d.memory_price:g} of ten times the memory."
    )


def likeness(found: Derivation) -> str:
    """How far tasks are unlike."""
    named = ", ".join(f"{name} {value:g}" for name, value in found.sides.items())
    return (
        f"tasks have {found.own:.0%} of each effect to themselves, as far as they are unlike "
        f"(likeness: {named})"
    )
