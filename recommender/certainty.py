"""How sure an answer is, by domain."""

from typing import Literal

from evidence.vocabulary import MODALITY
from recommender.headtohead import family_record
from recommender.ranking import Gathered
from recommender.records import Certainty, Choice, RunnerUp
from recommender.similarity import CLOSE

Level = Literal["high", "moderate", "low", "insufficient evidence"]

#: Chance of the runner-up above which the choice is next to a coin, and below which it is clear.
OPEN, CLEAR = 0.35, 0.10
#: Data sets on which a choice's family must have been compared for more than low certainty.
FEW_DATASETS = 5


def certainty(best: Choice, second: RunnerUp | None, evidence: Gathered) -> Certainty:
    """Level with a reason per domain: directness, comparison, precision, agreement, reporting.

    The domains follow GRADE (doi:10.1136/bmj.39489.470347.AD); the levels are this software's
    proposal. High takes measurements on the user's own images.
    """
    near, n_near = evidence.literature.near, _controlled_near(evidence)
    n_close = sum(neighbour.similarity >= CLOSE for neighbour in near)
    n_compared = _compared(best, evidence)
    n_measured = len(evidence.measured)
    reasons = (
        f"directness: {n_close} of the {len(near)} nearest studies are close to this task, and "
        f"{_data_sets(n_near)} of controlled comparisons {'is' if n_near == 1 else 'are'} of its "
        "modality",
        f"comparison: {best.family} was compared with others under equal conditions on "
        f"{_data_sets(n_compared)} with this approach; {_studies(best, evidence)}",
        _precision(second),
        _agreement(evidence),
        "reporting: studies report their authors' best result; most compare with nothing",
        f"weights: fitted by leaving out {evidence.weights.n_origins} origins of data sets in turn",
        f"own data: {n_measured} measurements on these images"
        if n_measured
        else "own data: nothing was measured on these images (--data DIR --probe)",
    )
    return Certainty(
        level=_level(n_close + n_near, n_compared, n_measured, second), reasons=reasons
    )


def _data_sets(n: int) -> str:
    return f"{n} data set{'' if n == 1 else 's'}"


def _controlled_near(evidence: Gathered) -> int:
    """Data sets of controlled comparisons whose modality is the asked one, broader or narrower."""
    asked = evidence.question.profile.modality
    tasks = {one.task for one in evidence.observations}
    return len(
        {
            task.source
            for task in tasks
            if task.modality
            and (
                MODALITY.is_within(task.modality, asked) or MODALITY.is_within(asked, task.modality)
            )
        }
    )


def _compared(best: Choice, evidence: Gathered) -> int:
    return len(
        {
            one.task.source
            for one in evidence.observations
            if one.configuration.family == best.family
            and one.configuration.approach == best.approach
        }
    )


def _studies(best: Choice, evidence: Gathered) -> str:
    wins, losses = family_record(evidence.literature.pairs, best.family)
    if not wins + losses:
        return "no study in the reviews compares it"
    return f"in the reviews' studies it won {wins:.1f} and lost {losses:.1f} (weighted by likeness)"


def _precision(second: RunnerUp | None) -> str:
    if second is None:
        return "precision: nothing else was asked for"
    return (
        f"precision: {second.backbone}, {second.approach}, is {second.behind_points:.2f} points "
        f"behind; the chance that it reaches the higher AUC is {second.chance:.0%}"
    )


def _agreement(evidence: Gathered) -> str:
    rules = evidence.literature.rules
    contested = sorted(rule.id for rule in rules if rule.against and not rule.is_setting)
    named = f" ({', '.join(contested)})" if contested else ""
    return (
        f"agreement: claims in the reviews speak against {len(contested)} of the rules that "
        f"apply{named}"
    )


def _level(n_direct: int, n_compared: int, n_measured: int, second: RunnerUp | None) -> Level:
    chance = 0.0 if second is None else second.chance
    if n_measured:
        return "high" if chance <= CLEAR else "moderate" if chance <= OPEN else "low"
    if not n_direct:
        return "insufficient evidence"
    return "moderate" if n_compared >= FEW_DATASETS and chance <= OPEN else "low"
