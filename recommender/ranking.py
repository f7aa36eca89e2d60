"""The one place where literature, controlled comparisons, measurements and cost meet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from evidence.records import Backbone, Claim, Corpus, TaskProfile
from evidence.vocabulary import Approach, Initialisation
from recommender.candidates import Asked, asked_as
from recommender.configuration import (
    IMAGENET,
    Configuration,
    Observation,
    Task,
    asked,
    of_run,
    of_table,
)
from recommender.controlled import nearest, pooled, usable
from recommender.cost import learn
from recommender.errors import RecommendationError
from recommender.measured import Measured, standard_error, updated
from recommender.parts import PARTS, Literature
from recommender.plan import carried_out
from recommender.pricing import Demand, memory_prices
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
    favoured : Configuration or None
        For which trials on the user's images speak.
    """

    configurations: tuple[Configuration, ...]
    parts: Mapping[str, Array]
    covariance: Array
    compared: frozenset[tuple[Approach, Initialisation]]
    favoured: Configuration | None = None

    @property
    def expected(self) -> Array:
        """Points of AUC beside the average candidate, shape (N,)."""
        total: Array = np.sum([*self.parts.values()], axis=0)
        return total

    @property
    def decided(self) -> Array:
        """What puts the favoured candidate before all others, 0 for these; shape (N,).

        No points of AUC are behind it, so it counts in the order and nowhere else.
        """
        lead = np.zeros(len(self.configurations))
        if self.favoured in self.configurations:
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
        unknown = self._unknown
        if unknown.all() or not unknown.any():
            return np.zeros(len(scores))
        c, own = self.covariance, self.covariance.diagonal()
        apart = own[unknown, None] + own[~unknown] - 2 * c[np.ix_(unknown, ~unknown)]
        less = np.zeros(len(scores))
        less[unknown] -= np.sqrt(np.maximum(apart.min(1), 0.0))
        return less + behind(scores + less, unknown, float(scores[~unknown].max()))

    @cached_property
    def _unknown(self) -> npt.NDArray[np.bool_]:
        """Whose method was never measured, but for the one that trials speak for."""
        return np.array(
            [c.method not in self.compared and c != self.favoured for c in self.configurations]
        )

    @property
    def tells_apart(self) -> bool:
        """Whether anything but cost differs between the candidates."""
        spreads = [np.ptp(part) for part in (*self.parts.values(), self.decided)]
        return bool(max(spreads) > 10**-DIGITS)

    def without(self, part: str) -> "Standing":
        """The same had a part said nothing; the trials decide nothing without ``measured``."""
        parts = {**self.parts, part: np.zeros(len(self.configurations))}
        favoured = None if part == "measured" else self.favoured
        return replace(self, parts=parts, favoured=favoured)

    def chance(self, first: int, second: int) -> float:
        """That one candidate does better than another, in [0, 1]."""
        gap = float(self.expected[first] - self.expected[second])
        c = self.covariance
        variance = float(c[first, first] + c[second, second] - 2 * c[first, second])
        return 1 - NormalDist(gap, math.sqrt(max(variance, 1e-12))).cdf(0.0)


@dataclass(frozen=True)
class Gathered:
    """All that one answer rests on."""

    question: Question
    corpus: Corpus
    candidates: tuple[Backbone, ...]
    literature: Literature
    standing: Standing
    weights: Weights
    observations: tuple[Observation, ...]
    measured: tuple[Measured, ...]
    demands: tuple[Demand, ...]
    claims: Mapping[str, Claim] = field(repr=False)

    @cached_property
    def n_macs(self) -> Array:
        """Counted operations of each candidate, shape (N,)."""
        return np.array([one.n_macs for one in self.demands], dtype=float)

    @cached_property
    def too_large(self) -> npt.NDArray[np.bool_]:
        """Which candidates are predicted not to fit into the machine's memory, shape (N,)."""
        return np.array([one.exceeds(self.question.memory_mb) for one in self.demands])


def gather(question: Question, corpus: Corpus, weights: Weights | None = None) -> Gathered:
    """Bring together what an answer rests on.

    Parameters
    ----------
    weights : Weights or None
        None for those that ship with evtl.
    """
    pairs = _candidates(question, corpus)
    candidates = tuple(backbone for backbone, _ in pairs)
    configurations = tuple(configuration for _, configuration in pairs)
    fitted = weights or load_weights()
    literature = Literature.on(question.profile, corpus)
    observations = observed(corpus, besides=question.data_digest)
    by_name = {backbone.name: backbone for backbone in corpus.backbones}
    measured = (*question.measured, *own_measurements(corpus, question.data_digest))
    learned, n_images = learn(corpus.runs, by_name, corpus.shipped), question.profile.n_images
    task = asked(question.profile, question.data_digest)
    return Gathered(
        question=question,
        corpus=corpus,
        candidates=candidates,
        literature=literature,
        standing=replace(
            stand(
                task,
                configurations,
                observations,
                literature.parts(configurations),
                fitted,
                measured,
            ),
            favoured=question.favoured,
        ),
        weights=fitted,
        observations=observations,
        measured=measured,
        demands=tuple(Demand.of(b, c.approach, n_images, learned) for b, c in pairs),
        claims={claim.key: claim for claim in corpus.claims},
    )


def _candidates(question: Question, corpus: Corpus) -> tuple[tuple[Backbone, Configuration], ...]:
    """Every configuration that can be carried out and is asked for."""
    found = tuple(
        (backbone, Configuration.of(backbone.name, backbone.family, way))
        for backbone in corpus.backbones
        if backbone.library and (question.backbones is None or backbone.name in question.backbones)
        for way in carried_out(question.profile.task)
        if question.approaches is None or asked_as(way) in question.approaches
        if question.here is None or backbone.name in question.here or way.initialisation == "random"
    )
    if not found:
        msg = "the store holds no backbone that a library carries out; reload the corpus"
        if any(backbone.library for backbone in corpus.backbones):
            msg = (
                "nothing that was asked for can be carried out: name other candidates or approaches"
            )
        raise RecommendationError(msg)
    return found


def observed(corpus: Corpus, besides: str = "") -> tuple[Observation, ...]:
    """Controlled results and own runs, but for runs on the data set of the digest `besides`.

    Results of weights that are not recommended (other than ImageNet's) answer another question.
    """
    families = {backbone.name: backbone.family for backbone in corpus.backbones}
    runs = [
        found
        for run in corpus.runs
        if (found := of_run(run, families.get(run.backbone, run.backbone))) is not None
        and not (besides and found.task.name == besides)
    ]
    ours = [one for one in corpus.controlled if one.pretraining in {IMAGENET, ""}]
    return usable([*map(of_table, ours), *runs])


def own_measurements(corpus: Corpus, digest: str) -> tuple[Measured, ...]:
    """Own finished runs on the data set of this digest, each seed with a split of its own."""
    families = {backbone.name: backbone.family for backbone in corpus.backbones}
    found = []
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
    return Standing(tuple(configurations), {**parts, "measured": after - before}, spread, compared)


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
    standing, too_large = evidence.standing, evidence.too_large
    found = {
        "decided": standing.decided,
        "cost": np.array([one.price(goal) for one in evidence.demands]),
        "memory": np.array(memory_prices(evidence.demands, goal)),
    }
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
    names = evidence.standing.configurations

    def place(n: int) -> tuple[float, float, bool, Configuration]:
        return -values[n], evidence.n_macs[n], names[n].initialisation == "random", names[n]

    return tuple(sorted(range(len(names)), key=place))
