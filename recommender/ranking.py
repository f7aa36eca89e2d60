"""The one place where literature, controlled comparisons, measurements and cost meet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.records import Claim, Corpus, TaskProfile
from evidence.vocabulary import Approach, Initialisation
from recommender.candidates import Asked
from recommender.configuration import Configuration, Observation, Task, asked, kinds, of_run
from recommender.controlled import nearest, pooled
from recommender.errors import RecommendationError
from recommender.grounds import Candidates, Grounds, Limits, candidates, grounds, observed
from recommender.measured import Measured, standard_error, updated
from recommender.parts import PARTS, Literature
from recommender.pricing import Demands
from recommender.records import Goal
from recommender.weights import Weights, load_weights

Array = npt.NDArray[np.float64]

#: Points by which the configuration leads for which trials speak, and by which stands behind what
#: must not lead.
LEAD = 0.01
#: Decimals of a score that decide.
DIGITS = 6


@dataclass(frozen=True)
class Question:
    """What is asked, and what may be answered.

    Attributes
    ----------
    profile : TaskProfile
    goal : str
        What a choice is to be good at.
    data_digest : str
        Of the user's images, where they are given: runs on the same data count as measurements.
    measured : tuple of Measured
        Trials on the user's images.
    favoured : Configuration or None
        For which those trials speak: it comes first before the price of computing.
    untried : str
        Why trials that were asked for measured nothing to go by, as a sentence.
    backbones : frozenset of str or None
        Only these; None for all.
    here : frozenset of str or None
        Backbones whose weights are at hand, where only these may be taken: random initialisation
        needs none.
    approaches : frozenset of str or None
        As in `recommender.candidates.Restriction`.
    memory_mb : float or None
        Of the machine, in 10^6 bytes: what is predicted to take more comes last.
    """

    profile: TaskProfile
    goal: Goal = "balanced"
    data_digest: str = ""
    measured: tuple[Measured, ...] = ()
    favoured: Configuration | None = None
    untried: str = ""
    backbones: frozenset[str] | None = None
    here: frozenset[str] | None = None
    approaches: frozenset[Asked] | None = None
    class_sizes: tuple[int, ...] | None = None
    memory_mb: float | None = None


class Unmeasured(NamedTuple):
    """Whose method was never measured, but for the one that trials speak for.

    Attributes
    ----------
    unknown : ndarray of bool, shape (N,)
    borrowed : ndarray, shape (N,)
        Of these the standard deviation of the difference to what is most like them of what was
        measured; else 0.
    """

    unknown: npt.NDArray[np.bool_]
    borrowed: Array

    @classmethod
    def of(
        cls,
        configurations: Sequence[Configuration],
        covariance: Array,
        compared: frozenset[tuple[Approach, Initialisation]],
        favoured: Configuration | None,
    ) -> "Unmeasured":
        """Of candidates with the covariance of their expectations."""
        methods = kinds(tuple(configurations)).methods
        unknown = np.array([method not in compared for method in methods.words])[methods.codes]
        if favoured in configurations:
            unknown[configurations.index(favoured)] = False
        borrowed = np.zeros(len(unknown))
        if unknown.any() and not unknown.all():
            c, own = covariance, covariance.diagonal()
            apart = own[unknown, None] + own[~unknown] - 2 * c[np.ix_(unknown, ~unknown)]
            borrowed[unknown] = np.sqrt(np.maximum(apart.min(1), 0.0))
        return cls(unknown, borrowed)


@dataclass(frozen=True)
class Standing:
    """What the evidence says of every candidate, before the price of computing.

    Attributes
    ----------
    configurations : tuple of Configuration
        The N candidates.
    parts : dict of str to ndarray, each of shape (N,)
        Weighted, in points of AUC; they add up to the expectation.
    covariance : ndarray, shape (N, N)
        Of the expectations, in points squared.
    compared : frozenset of (approach, initialisation)
        Methods of which anything was measured.
    unmeasured : Unmeasured
    favoured : Configuration or None
        For which trials on the user's images speak.
    """

    configurations: tuple[Configuration, ...]
    parts: Mapping[str, Array]
    covariance: Array
    compared: frozenset[tuple[Approach, Initialisation]]
    unmeasured: Unmeasured
    favoured: Configuration | None = None

    @cached_property
    def expected(self) -> Array:
        """Points of AUC beside the average candidate, shape (N,)."""
        total: Array = np.sum([*self.parts.values()], axis=0)
        return total

    @cached_property
    def decided(self) -> Array:
        """What puts the favoured candidate before all others, 0 for these; shape (N,).

        No points of AUC are behind it, so it counts in the order and nowhere else.
        """
        lead = np.zeros(len(self.configurations))
        if self.favoured is not None and self.favoured in self.configurations:
            n = self.configurations.index(self.favoured)
            others = np.delete(self.expected, n).max(initial=self.expected[n] - LEAD)
            lead[n] = max(float(others - self.expected[n]) + LEAD, 0.0)
        return lead

    def doubt(self, scores: Array) -> Array:
        """What is taken from the scores of methods of which nothing was measured, shape (N,).

        Their expectation is borrowed from other methods. So it counts for a standard deviation
        less, of the difference to what is most like them of what was measured, and never comes
        before the best of that; where nothing was measured of any method there is none.
        """
        unknown, borrowed = self.unmeasured
        if unknown.all() or not unknown.any():
            return np.zeros(len(scores))
        less = 0.0 - borrowed
        return less + behind(scores + less, unknown, float(scores[~unknown].max()))

    @cached_property
    def tells_apart(self) -> bool:
        """Whether anything but cost differs between the candidates."""
        spreads = [np.ptp(part) for part in (*self.parts.values(), self.decided)]
        return bool(max(spreads) > 10**-DIGITS)

    def without(self, part: str) -> "Standing":
        """The same had a part said nothing; the trials decide nothing without ``measured``."""
        found = replace(self, parts={**self.parts, part: np.zeros(len(self.configurations))})
        if part != "measured" or self.favoured is None:
            return found
        known = self.configurations, self.covariance, self.compared
        return replace(found, favoured=None, unmeasured=Unmeasured.of(*known, None))

    def chance(self, first: int, second: int) -> float:
        """That one candidate does better than another, in [0, 1]."""
        gap = float(self.expected[first] - self.expected[second])
        c = self.covariance
        variance = float(c[first, first] + c[second, second] - 2 * c[first, second])
        return 1 - NormalDist(gap, math.sqrt(max(variance, 1e-12))).cdf(0.0)


@dataclass(frozen=True, eq=False)
class Gathered:
    """All that one answer rests on."""

    question: Question
    corpus: Corpus
    candidates: Candidates
    literature: Literature
    standing: Standing
    weights: Weights
    observations: tuple[Observation, ...]
    measured: tuple[Measured, ...]
    demands: Demands
    known: Grounds

    @property
    def claims(self) -> Mapping[str, Claim]:
        """Claims of the reviews by their keys."""
        return self.known.claims

    @property
    def too_large(self) -> npt.NDArray[np.bool_]:
        """Which candidates are predicted not to fit into the machine's memory, shape (N,)."""
        return self.demands.too_large

    @cached_property
    def _beside(self) -> dict[Goal, dict[str, Array]]:
        """What `beside` found before."""
        return {}


def gather(question: Question, corpus: Corpus, weights: Weights | None = None) -> Gathered:
    """Bring together what an answer rests on.

    Parameters
    ----------
    weights : Weights or None
        None for those that ship with evtl.
    """
    known, fitted = grounds(corpus), weights or load_weights()
    ranked = _candidates(question, corpus)
    literature = Literature.on(question.profile, corpus)
    besides = question.data_digest
    observations = observed(corpus, besides) if besides else known.observations
    measured = (*question.measured, *own_measurements(corpus, question.data_digest))
    return Gathered(
        question=question,
        corpus=corpus,
        candidates=ranked,
        literature=literature,
        standing=stand(
            asked(question.profile, question.data_digest),
            ranked.configurations,
            observations,
            literature.parts(ranked.configurations),
            fitted,
            measured,
            favoured=question.favoured,
        ),
        weights=fitted,
        observations=observations,
        measured=measured,
        demands=Demands(
            trainings=ranked.trainings,
            of=ranked.training_of,
            n_images=question.profile.n_images,
            learned=known.learned,
            limit_mb=question.memory_mb,
        ),
        known=known,
    )


def _candidates(question: Question, corpus: Corpus) -> Candidates:
    """Every configuration that can be carried out and is asked for."""
    asked_for = question.backbones, question.here, question.approaches
    found = candidates(grounds(corpus), Limits(question.profile.task, *asked_for))
    if not found.configurations:
        msg = "the store holds no backbone that a library carries out; reload the corpus"
        if any(backbone.library for backbone in corpus.backbones):
            msg = (
                "nothing that was asked for can be carried out: name other candidates or approaches"
            )
        raise RecommendationError(msg)
    return found


def own_measurements(corpus: Corpus, digest: str) -> tuple[Measured, ...]:
    """Own finished runs on the data set of this digest, each seed with a split of its own."""
    families, found = grounds(corpus).families, []
    for run in corpus.runs if digest else ():
        one = of_run(run, families.get(run.backbone, run.backbone))
        if one is not None and one.task.name == digest:
            interval = run.metrics["test"][one.metric]
            error = standard_error(interval["low"], interval["high"])
            found.append(Measured(one.configuration, 100 * one.value, error, "/".join(one.block)))
    return tuple(found)


def stand(
    task: Task,
    configurations: Sequence[Configuration],
    observations: Sequence[Observation],
    literature: Mapping[str, Array],
    weights: Weights,
    measured: Sequence[Measured] = (),
    table: str = "",
    favoured: Configuration | None = None,
) -> Standing:
    """What the evidence says of each configuration, in points of AUC.

    Parameters
    ----------
    observations : sequence of Observation
        From `observed`.
    literature : mapping of str to ndarray, shape (N,)
        The parts that the reviews give.
    table : str
        The table that the answer is for, where it is one.
    favoured : Configuration or None
        For which the measurements speak.
    """
    model = pooled(nearest(observations, task), weights.settings)
    mean, covariance = model.predict(task, configurations, table)
    unit = weights.points or 1.0
    values = {"controlled": mean, **literature}
    parts = {
        name: unit * weights.parts[name] * (values[name] - values[name].mean()) for name in PARTS
    }
    before = np.sum([*parts.values()], axis=0)
    scaled = covariance * (unit * weights.parts["controlled"]) ** 2
    after, spread = updated(configurations, before, scaled, measured)
    known = [*(o.configuration for o in observations), *(m.configuration for m in measured)]
    compared = frozenset(one.method for one in known)
    return Standing(
        configurations=tuple(configurations),
        parts={**parts, "measured": after - before},
        covariance=spread,
        compared=compared,
        unmeasured=Unmeasured.of(configurations, spread, compared, favoured),
        favoured=favoured,
    )


def behind(scores: Array, marked: npt.NDArray[np.bool_], bound: float) -> Array:
    """What puts the marked, in their own order, behind a bound where one is not; shape (N,)."""
    lead = max(float(scores[marked].max(initial=bound - LEAD)) - bound + LEAD, 0.0)
    return np.where(marked, 0.0 - lead, 0.0)


def scores(evidence: Gathered, goal: Goal) -> Array:
    """Expected points of AUC and what is `beside` them, shape (N,)."""
    found: Array = evidence.standing.expected + np.sum([*beside(evidence, goal).values()], axis=0)
    return found


def beside(evidence: Gathered, goal: Goal) -> dict[str, Array]:
    """Parts of the scores that are no expectation, each of shape (N,).

    ``decided`` by trials on the user's images, the prices of time (``cost``) and ``memory``, the
    doubt about what was never measured (``unmeasured``), and what puts those that are predicted
    not to fit into the memory behind all others (``too_large``).
    """
    if goal not in evidence._beside:
        evidence._beside[goal] = _found_beside(evidence, goal)
    return evidence._beside[goal]


def _found_beside(evidence: Gathered, goal: Goal) -> dict[str, Array]:
    standing, too_large = evidence.standing, evidence.too_large
    time, memory = evidence.demands.prices(goal)
    found = {"decided": standing.decided, "cost": time, "memory": memory}
    total = standing.expected + np.sum([*found.values()], axis=0)
    found["unmeasured"] = standing.doubt(total)
    total = total + found["unmeasured"]
    bound = float(total[~too_large].min(initial=np.inf))
    fit = np.isfinite(bound)
    found["too_large"] = behind(total, too_large, bound) if fit else np.zeros(len(total))
    return found


def order(evidence: Gathered, goal: Goal) -> tuple[int, ...]:
    """Candidates, best first; ties go to the cheaper, to pretrained weights, then to the name."""
    values = np.round(scores(evidence, goal), DIGITS)
    return tuple(_best_first(evidence, -values).tolist())


def first(evidence: Gathered, goal: Goal) -> int:
    """The first of `order`."""
    values = np.round(scores(evidence, goal), DIGITS)
    tied = np.flatnonzero(values == values.max())
    return int(tied[_best_first(evidence, -values[tied], tied)[0]])


def _best_first(
    evidence: Gathered, losses: Array, among: npt.NDArray[np.int64] | slice = slice(None)
) -> npt.NDArray[np.int64]:
    places, n_macs = evidence.candidates.places[among], evidence.demands.n_macs[among]
    return np.lexsort((places, n_macs, losses))
