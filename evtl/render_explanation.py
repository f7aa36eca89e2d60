"""How an answer came about, in words."""

from collections.abc import Iterator

from evtl import wording
from evtl.render import table, wrapped
from evtl.render_recommendation import recommendation
from recommender.records import Advice, Recommendation, Setting

#: Choices whose parts are shown.
SHOWN = 20


def explanation(found: Recommendation) -> str:
    """The answer, and after it every number, study, rule and claim that it rests on."""
    lines = [recommendation(found, SHOWN), "", *_derivation(found), *_settings(found.advice)]
    return "\n".join(lines)


def _derivation(found: Recommendation) -> Iterator[str]:
    d = found.derivation
    yield "How the scores come about"
    yield wrapped(f"  {wording.derivation(found)}")
    yield wrapped(f"  {wording.likeness(d)}")
    yield "\nControlled comparisons behind the first choice (points, before centring)\n"
    rows = [
        [e.table, e.dataset, e.modality or "", f"{e.likeness:.2f}", f"{e.points:+.3f}"]
        for e in d.controlled
    ]
    yield table(["table", "data set", "modality", "likeness", "points"], rows) if rows else "  none"
    yield "\nNearest published studies\n"
    rows = [[f"{s.similarity:.2f}", s.citation, s.locator, s.used] for s in d.studies]
    yield table(["alike", "study", "where", "used"], rows) if rows else "  none"
    yield "\nRules whose conditions hold"
    for rule in d.rules:
        yield wrapped(f"  {rule.id} (strength {rule.strength:g}): {rule.statement}")
        yield from (
            wrapped(f"    for [{c.review}, {c.section}] {c.statement}") for c in rule.claims
        )
        yield from (
            wrapped(f"    against [{c.review}, {c.section}] {c.statement}") for c in rule.against
        )


def _settings(advice: Advice) -> Iterator[str]:
    yield "\nSettings, each with its reason"
    named: dict[str, Setting] = {
        "augmentation": advice.augmentation,
        "image size": advice.image_px,
        "head": advice.head,
        "initialisation": advice.initialisation,
        "visualization": advice.visualization,
        "class weights": advice.class_weighting,
    }
    for name, setting in named.items():
        yield wrapped(f"  {name}: {setting.value}. {setting.reason}")
        yield from (wrapped(f"    [{c.review}, {c.section}] {c.statement}") for c in setting.claims)
    yield "\nWhat augmentation may do to these images"
    yield from (wrapped(f"  {t.kind}: {t.use}. {t.reason}") for t in advice.transforms)
    yield "\nWhat to look at before trusting it"
    for check in advice.checks:
        yield wrapped(f"  {check.value}. {check.reason}")
