"""How sure an answer is, by domain."""

from typing import Literal

from evidence.vocabulary import MODALITY
from recommender.doubt import counted
from recommender.headtohead import family_record
from recommender.plan import how
from recommender.ranking import Gathered
from recommender.records import Certainty, Choice, RunnerUp
from recommender.similarity import CLOSE

Level = Literal["high", "moderate", "low", "insufficient evidence"]

#: Chance of the runner-up above which the choice is next to a coin, and below which it is clear.
OPEN, CLEAR = 0.35, 0.10
#: Data sets on which a choice's family must have been compared for more than low certainty, and
#: those among all comparisons that must be of the task's modality: one alone may be an exception.
FEW_DATASETS, FEW_DIRECT = 5, 2


def certainty(best: Choice, second: RunnerUp | None, evidence: Gathered) -> Certainty:
    """Level with a reason per domain: directness, comparison, precision, agreement, reporting.

    The domains follow GRADE (doi:10.1136/bmj.39489.470347.AD); the levels are this software's
    proposal (`level_of`).
    """
    n_near, n_compared = _controlled_near(evidence), _compared(best, evidence)
    n_close = sum(neighbour.similarity >= CLOSE for neighbour in evidence.literature.near)
    n_measured = len({one.configuration for one in evidence.measured})
    reasons = (
        _directness(n_close, n_near, evidence),
        f"comparison: {_comparison(best, n_compared, evidence)}; {_studies(best, evidence)}",
        _precision(second),
        _agreement(evidence),
        "reporting: studies report their authors' best result; most compare with nothing",
        f"weights: fitted by leaving out {counted(evidence.weights.n_origins, 'origin')} of data "
        "sets in turn, in the tables that ship with evtl",
        f"own data: {_own_data(n_measured, evidence)}",
    )
    known = evidence.standing.tells_apart or len(evidence.standing.configurations) == 1
    weighed = n_close if evidence.weights.parts["neighbours"] else 0
    level = level_of(
        second.chance if second else 0.0,
        n_known=n_close + n_near if known else 0,
        n_direct=n_near + weighed,
        n_compared=n_compared,
        n_measured=n_measured,
    )
    return Certainty(level=level, reasons=reasons)


def level_of(
    chance: float, *, n_known: int, n_direct: int, n_compared: int, n_measured: int
) -> Level:
    """How sure a choice is.

    ``high`` takes measurements on the user's own images, and a clear first. Without them a choice
    is ``moderate`` at best: where its family was compared on `FEW_DATASETS` data sets, at least
    `FEW_DIRECT` direct ones were compared, and its lead is no coin's. All else is ``low``, but
    ``insufficient evidence`` where nothing is known.

    Parameters
    ----------
    chance : float
        Of the runner-up to do better, in [0, 1].
    n_known : int
        Close studies and controlled data sets of the modality; 0 where nothing tells candidates
        apart.
    n_direct : int
        Those of them that weigh in the order: without a weight for what similar studies used, a
        close study is told, but makes the order no surer.
    n_compared : int
        Data sets on which the family of the choice was compared, carried out like it.
    n_measured : int
        Configurations measured on the user's images.
    """
    if n_measured:
        return "high" if chance <= CLEAR else "moderate" if chance <= OPEN else "low"
    if not n_known:
        return "insufficient evidence"
    enough = n_direct >= FEW_DIRECT and n_compared >= FEW_DATASETS
    return "moderate" if enough and chance <= OPEN else "low"


def _directness(n_close: int, n_near: int, evidence: Gathered) -> str:
    n, weigh = len(evidence.literature.near), evidence.weights.parts["neighbours"]
    aside = "" if weigh or not n_close else " (but count for nothing in the order)"
    return (
        f"directness: {n_close} of the {counted(n, 'nearest study')} {_are(n_close)} close to this "
        f"task{aside}, and {counted(n_near, 'data set')} of controlled comparisons {_are(n_near)} "
        "of its modality"
    )


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _comparison(best: Choice, n_compared: int, evidence: Gathered) -> str:
    if n_compared:
        return (
            f"{best.family} was compared with others under equal conditions on "
            f"{counted(n_compared, 'data set')} with this approach"
        )
    if not evidence.observations:
        return "nothing was compared under equal conditions"
    return (
        f"{best.family} was compared under equal conditions on no data set with this approach: "
        "its place is inferred from other approaches or networks"
    )


def _own_data(n_measured: int, evidence: Gathered) -> str:
    if n_measured:
        were = "was" if n_measured == 1 else "were"
        return f"{counted(n_measured, 'configuration')} {were} measured on these images"
    return evidence.question.untried or "nothing was measured on these images (--data DIR --probe)"


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
            and one.configuration.method == (best.approach, best.initialisation)
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
        f"precision: {second.backbone}, {how(second.approach, second.initialisation)}, is "
        f"{behind(second)}; the chance that it reaches the higher AUC is {second.chance:.0%}"
    )


def behind(second: RunnerUp) -> str:
    """How far the runner-up is behind, in words; no points where trials decide that it is."""
    if second.behind_points is not None:
        return f"{second.behind_points:.2f} points behind"
    return f"behind, as the trials on these images decide ({_tried(second.tried_points)})"


def _tried(points: float | None) -> str:
    if points is None:
        return "none compared the two"
    if points < 0:
        return f"there it was {-points:.1f} points ahead, which did not rule out chance"
    return f"{points:.1f} points behind there"


def _agreement(evidence: Gathered) -> str:
    rules = evidence.literature.rules
    contested = sorted(rule.id for rule in rules if rule.against and not rule.is_setting)
    named = f" ({', '.join(contested)})" if contested else ""
    return (
        f"agreement: claims in the reviews speak against {len(contested)} of the rules that "
        f"apply{named}"
    )
