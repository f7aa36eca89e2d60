"""What a recommendation says: ranked choices, each with its evidence, and the doubt."""

from typing import Literal

from pydantic import JsonValue

from evidence.records import Record, TaskProfile
from evidence.vocabulary import Approach, Head, Initialisation
from recommender.cost import Source
from recommender.plan import TrainingPlan, TransformKind

Goal = Literal["accuracy", "balanced", "cost"]


class CitedClaim(Record):
    """A claim of a review with the place where it stands."""

    claim: str
    review: str
    section: str
    statement: str


class CitedRule(Record):
    """A rule that speaks for a choice, with the claims it rests on."""

    id: str
    statement: str
    strength: float
    claims: tuple[CitedClaim, ...]


class CitedStudy(Record):
    """A published study near the question that used what the choice uses."""

    key: str
    citation: str
    locator: str
    similarity: float
    used: str


class Cost(Record):
    """What training a choice takes.

    Attributes
    ----------
    n_macs : int
        Multiply-accumulates of all forward and backward passes, counted, not measured.
    relative : float
        The same, as a multiple of the cheapest choice.
    seconds, memory_mb : float or None
        Learned from runs of the same kind (frozen, partly or wholly trained): our own on the device
        used last, else those that ship with evtl; None where there are none. Memory is in 10^6
        bytes.
    n_runs : int
        Runs that `seconds` rests on.
    spread : float or None
        Each of these runs took what the others predict within this factor; None below two.
    source : str or None
        What runs these are: ``own``, ``shipped`` (with evtl, on another machine), or
        ``shipped_at_own_pace``, times what our own runs of other kinds took beside them.
    priced_by : str
        What the part ``cost`` of the score goes by: predicted ``seconds``, or counted
        ``operations`` where no run tells them.
    too_large : str
        Why it is predicted not to fit into the memory of the machine; empty where it fits, or
        where no run tells.
    """

    n_macs: int
    relative: float
    seconds: float | None = None
    memory_mb: float | None = None
    n_runs: int = 0
    spread: float | None = None
    source: Source | None = None
    priced_by: Literal["seconds", "operations"] = "operations"
    too_large: str = ""


class Choice(Record):
    """One ranked configuration; `parts` add up to `score`, in points of AUC beside the average.

    Some parts are no expectation: ``decided`` is the place that trials on the user's images decide,
    ``cost`` and ``memory`` are prices, ``unmeasured`` is doubt where no result was ever measured of
    an approach with its initialisation, and ``too_large`` puts behind all others what is predicted
    not to fit into the memory of the machine.
    """

    rank: int
    backbone: str
    family: str
    approach: Approach
    initialisation: Initialisation
    head: Head
    score: float
    parts: dict[str, float]
    rules: tuple[CitedRule, ...]
    studies: tuple[CitedStudy, ...]
    cost: Cost


class Expected(Record):
    """What similar studies report: best values by their own authors, so optimistic.

    Only values printed as such count; lower bounds and ranges are left out. From `low` to `high`
    the value of a further study lies four times out of five (a bound of 0 or 1 says nothing). All
    but `n_studies` is None where too few report the metric.
    """

    metric: str | None
    low: float | None
    median: float | None
    high: float | None
    n_studies: int


class Certainty(Record):
    """How far the advice can be trusted, and why."""

    level: Literal["high", "moderate", "low", "insufficient evidence"]
    reasons: tuple[str, ...]


class Side(Record):
    """One side of a disagreement: a claim with its source, or what the store's rows show."""

    review: str
    section: str
    statement: str


class Disagreement(Record):
    """Reviews, or a review and its own rows, that point different ways."""

    topic: str
    supports: tuple[Side, ...]
    opposes: tuple[Side, ...]


class RunnerUp(Record):
    """The next best backbone or approach, and how near it is.

    Attributes
    ----------
    behind_points : float or None
        How far its score is behind, in points of AUC; None where trials on the user's images
        decide which of the two comes first.
    chance : float
        That it would reach a higher AUC than the first, cost aside, in [0, 1].
    tried_points : float or None
        AUC of the first less its own, in points, in the last trial that compared the two.
    """

    backbone: str
    approach: Approach
    initialisation: Initialisation = "pretrained"
    head: Head
    behind_points: float | None
    chance: float
    tried_points: float | None = None


class Alternative(Record):
    """What would be chosen if something were otherwise.

    Attributes
    ----------
    when : str
        What would have to be otherwise.
    gain_points : float
        Expected AUC beside that of the choice, in points.
    relative_cost : float
        Computation as a multiple of the choice's.
    """

    when: str
    backbone: str
    approach: Approach
    initialisation: Initialisation = "pretrained"
    head: Head
    gain_points: float
    relative_cost: float


class Setting(Record):
    """A setting beside backbone and approach, why, and on which rules and claims it rests.

    Without rules and claims the reason is this software's own, and says so.
    """

    value: str | int
    reason: str
    rules: tuple[str, ...] = ()
    claims: tuple[CitedClaim, ...] = ()


class Transform(Record):
    """Whether a kind of augmentation leaves the label true for the question's images.

    `use` is ``small`` where only a narrow range does.
    """

    kind: TransformKind
    use: Literal["yes", "small", "no"]
    reason: str
    claims: tuple[CitedClaim, ...] = ()


class Advice(Record):
    """How to set up one choice, and what to look at before trusting it.

    Attributes
    ----------
    augmentation : Setting
        ``none``, ``online`` or ``offline``.
    transforms : tuple of Transform
        One per kind: what is safe where images are augmented.
    image_px : Setting
        Side of the square image that goes in.
    head, initialisation, visualization : Setting
        Words of `evidence.vocabulary`.
    class_weighting : Setting
        ``on`` or ``off``.
    checks : tuple of Setting
        What only the user can look at, e.g. who gave the labels.
    """

    augmentation: Setting
    transforms: tuple[Transform, ...]
    image_px: Setting
    head: Setting
    initialisation: Setting
    visualization: Setting
    class_weighting: Setting
    checks: tuple[Setting, ...]


class ControlledEvidence(Record):
    """What one data set of a controlled table says for the choice.

    Attributes
    ----------
    likeness : float
        How far the data set's own effects are shared with the question, in [0, 1].
    points : float
        Its part of the expected score of the choice, in points of AUC, before centring.
    """

    table: str
    dataset: str
    modality: str | None
    likeness: float
    points: float


class FiredRule(CitedRule):
    """A rule whose conditions hold, with the claims against it."""

    against: tuple[CitedClaim, ...]


class Derivation(Record):
    """How the order came about: every number that decided, and all that was looked at.

    Attributes
    ----------
    weights : dict of str to float
        Of each part; fitted, 0 where a part added nothing on data sets that were left out.
    points : float
        Points of AUC per unit of score.
    own, sides : float and dict
        Share of an effect that a task has to itself, and what makes tasks alike.
    price, memory_price : float
        Points that ten times the time, and ten times the memory, must bring for the goal.
    controlled : tuple of ControlledEvidence
        Of the choice, the weightiest first.
    studies : tuple of CitedStudy
        The nearest published studies.
    rules : tuple of FiredRule
        All whose conditions hold.
    """

    weights: dict[str, float]
    points: float
    own: float
    sides: dict[str, float]
    price: float
    memory_price: float = 0.0
    controlled: tuple[ControlledEvidence, ...]
    studies: tuple[CitedStudy, ...]
    rules: tuple[FiredRule, ...]


class Recommendation(Record):
    """The whole answer; `corpus_digest` says on which corpus it rests.

    `ranking` holds the best of the `n_choices` configurations that were ranked, or all of them;
    `fingerprint` and `probe` are what was seen of and measured on the user's images.
    """

    schema_version: Literal[1] = 1
    profile: TaskProfile
    goal: Goal
    ranking: tuple[Choice, ...]
    n_choices: int
    runner_up: RunnerUp | None
    alternatives: tuple[Alternative, ...]
    plan: TrainingPlan
    expected: Expected
    certainty: Certainty
    disagreements: tuple[Disagreement, ...]
    advice: Advice
    warnings: tuple[str, ...]
    derivation: Derivation
    corpus_digest: str
    fingerprint: JsonValue = None
    probe: JsonValue = None
