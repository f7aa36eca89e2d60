"""How an answer came about, in full."""

from evidence.records import ArmRecord
from recommender.citing import used
from recommender.configuration import SIDES, Configuration, asked
from recommender.controlled import alike, nearest, pooled
from recommender.neighbours import Neighbour
from recommender.pricing import MEMORY_PRICES, PRICES
from recommender.ranking import Gathered
from recommender.records import CitedStudy, ControlledEvidence, Derivation

#: Parts of the controlled evidence below this many points are left out.
LEAST_POINTS = 0.001


def derivation(evidence: Gathered, best: int) -> Derivation:
    """Every number that decided, and all that was looked at."""
    settings = evidence.weights.settings
    return Derivation(
        weights=evidence.weights.parts,
        points=evidence.weights.points,
        own=settings.own,
        sides=dict(zip(SIDES, settings.sides, strict=True)),
        price=PRICES[evidence.question.goal],
        memory_price=MEMORY_PRICES[evidence.question.goal],
        controlled=_controlled(evidence, evidence.standing.configurations[best]),
        studies=tuple(
            _study(neighbour, arm)
            for neighbour in evidence.literature.near
            for arm in neighbour.arms[:1]
        ),
        rules=tuple(evidence.known.rules[rule.id] for rule in evidence.literature.rules),
    )


def _controlled(evidence: Gathered, one: Configuration) -> tuple[ControlledEvidence, ...]:
    """What each data set says for a configuration, the weightiest first."""
    task = asked(evidence.question.profile, evidence.question.data_digest)
    settings = evidence.weights.settings
    model = pooled(nearest(evidence.observations, task), settings)
    tasks = {(o.table, o.task.name): o.task for o in evidence.observations}
    unit = (evidence.weights.points or 1.0) * evidence.weights.parts["controlled"]
    counting = {
        place: unit * part
        for place, part in model.contributions(task, one).items()
        if abs(unit * part) >= LEAST_POINTS
    }
    if not counting:
        return ()
    near = alike([task], [tasks[place] for place in counting], settings.sides)[0]
    found = [
        ControlledEvidence(
            table=table,
            dataset=dataset,
            modality=tasks[table, dataset].modality,
            likeness=round(float(likeness), 3),
            points=round(points, 4),
        )
        for ((table, dataset), points), likeness in zip(counting.items(), near, strict=True)
    ]
    return tuple(sorted(found, key=lambda e: (-abs(e.points), e.table, e.dataset)))


def _study(neighbour: Neighbour, arm: ArmRecord) -> CitedStudy:
    return CitedStudy(
        key=neighbour.key,
        citation=arm.study.citation,
        locator=arm.locator,
        similarity=round(neighbour.similarity, 4),
        used=used(arm),
    )
