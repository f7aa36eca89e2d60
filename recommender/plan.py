"""The training plan: all that training needs beside the images. A person may edit it."""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from evidence.records import Backbone, Record, TaskProfile
from evidence.vocabulary import Approach, Head, Initialisation
from recommender.errors import RecommendationError

#: Epochs of fine-tuning: those at which the shipped grid compared it with frozen backbones; the
#: reviews extracted no schedules.
EPOCHS = 6
BATCH_SIZE = 32
#: Share of images (or of groups) held out for the final test, and for choices while training.
TEST_FRACTION = 0.2
VALIDATION_FRACTION = 0.2
#: Kim 2022 (Conclusion) asks for a low learning rate; the new head learns faster.
BACKBONE_LEARNING_RATE = 3e-4
HEAD_LEARNING_RATE = 3e-3

#: Training images that offline augmentation makes of one, itself among them.
COPIES = 5
MOST_COPIES = 1000
#: Blocks from the top that partial fine-tuning trains where the plan does not say.
BLOCKS = 2
#: Share of images that may be unreadable before training stops.
MAX_UNREADABLE = 0.05

TransformKind = Literal[
    "horizontal_flip", "vertical_flip", "quarter_turn", "small_rotation", "shift", "zoom",
    "contrast", "colour",
]  # fmt: skip
#: What is learned: one class of several, several labels at once, ordered grades, a number.
Target = Literal["classes", "multi_label", "ordinal", "number"]

#: How a run that took no weights says so.
RANDOM_WEIGHTS = "random initialisation"


class Way(NamedTuple):
    """One way to carry out a backbone: approach, head and the weights that it begins with."""

    approach: Approach
    head: Head
    initialisation: Initialisation = "pretrained"


#: Ways of which a probe knows what to make on little: all of the network is trained, or none of it.
PROBED: tuple[tuple[Approach, Head], ...] = (
    ("feature_extractor", "linear"),
    ("feature_extractor_hybrid", "svm"),
    ("feature_extractor_hybrid", "random_forest"),
    ("feature_extractor_hybrid", "knn"),
    ("feature_extractor_hybrid", "lda"),
    ("fine_tuning_from_scratch", "linear"),
)
#: Ways that the recommender chooses among: those, the last `BLOCKS` blocks, and random weights.
CARRIED_OUT: tuple[Way, ...] = (
    *(Way(*pair) for pair in PROBED),
    Way("fine_tuning", "linear"),
    Way("fine_tuning_from_scratch", "linear", "random"),
)
#: All that the trainer carries out: those above, and what a person may ask for.
TRAINABLE: tuple[tuple[Approach, Head], ...] = (
    *PROBED,
    ("fine_tuning", "linear"),
    ("feature_extractor_hybrid", "svr"),
)
#: Where a frozen backbone is read: at the ends of its last stages, or before its classifier.
FeatureDepth = Literal["stages", "last"]
#: Heads that learn each kind of target.
HEADS: dict[Target, frozenset[Head]] = {
    "classes": frozenset({"linear", "svm", "random_forest", "knn", "lda"}),
    "multi_label": frozenset({"linear", "svm", "random_forest", "knn"}),
    "ordinal": frozenset({"linear", "svm", "random_forest", "knn", "lda", "svr"}),
    "number": frozenset({"linear", "random_forest", "knn", "svr"}),
}
#: Kinds of change that are mild enough for nearly any image, with which the shipped comparisons of
#: our own trained.
MILD: tuple[TransformKind, ...] = ("small_rotation", "shift", "zoom", "contrast")


class PlannedBackbone(Record):
    """A backbone and the library model that carries it out; ``evtl`` for our own LeNet-5."""

    name: str
    library: Literal["timm", "torchvision", "evtl"]
    model: str
    input_px: int = Field(ge=16, le=2048)

    @classmethod
    def of(cls, backbone: Backbone) -> "PlannedBackbone":
        """A backbone of the store that a library carries out."""
        return _planned(backbone.name, backbone.library, backbone.model, backbone.input_px)


@lru_cache(maxsize=1000)
def _planned(*values: object) -> PlannedBackbone:
    """Made once: nearly every answer plans for nearly every network."""
    fields = dict(zip(PlannedBackbone.model_fields, values, strict=True))
    return PlannedBackbone.model_validate(fields)


class PlannedWeights(Record):
    """A weights file that a person names; `sha256` is checked before it is read."""

    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class PlanEvidence(Record):
    """On whose evidence the plan was chosen."""

    rules: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    corpus_digest: str = ""


class TrainingPlan(Record):
    """What is trained, how, and on which evidence.

    Attributes
    ----------
    target : str
        What is learned of an image: ``classes``, ``multi_label``, ``ordinal`` or ``number``.
    order : tuple of str
        Names of ordinal grades, from the mildest to the worst; empty where they are numbers.
    backbone : PlannedBackbone
        The recommended backbone.
    fallbacks : tuple of PlannedBackbone
        Taken in this order where the weights of the ones before cannot be had.
    initialisation : str
        ``random`` takes no weights at all.
    weights : PlannedWeights or None
        A file of the backbone's weights, else they are looked for (`trainer.backbones`).
    approach, head : str
        One of the pairs in `TRAINABLE`.
    features : str
        Of a frozen backbone: ``stages`` are means of its last three stages, ``last`` what its own
        classifier was given, which is also taken of networks without stages.
    n_blocks : int or None
        Of ``fine_tuning``: how many blocks from the top are trained.
    gradual : bool
        Fine-tuning begins with the head and unfreezes block by block, from top to bottom.
    layer_decay : float
        Factor in (0, 1] from the learning rate of a block to that of the block below it.
    lora_rank : int or None
        Train low-rank updates of a transformer's attention instead of its weights.
    ladder : bool
        Climb from frozen to full fine-tuning, block by block, while cross-validation says it pays.
    augmentation : str
        ``none``, ``online`` (drawn anew each epoch) or ``offline`` (kept on disk, counted).
    transforms : tuple of str
        Kinds of change that augmentation may make.
    n_copies : int
        Offline: training images made of one, itself among them.
    class_weights : bool
        Weigh classes by inverse frequency.
    epochs, batch_size, backbone_learning_rate, head_learning_rate
        For fine-tuning; the frozen approaches see every image once.
    test_fraction, validation_fraction : float
        Shares in (0, 1) of all images and of the rest, unless the data come with their own split.
    n_folds : int
        0 for a single hold-out, else folds of a cross-validation that is reported beside it.
    n_repeats : int
        Times that the hold-out or the cross-validation is repeated with another seed.
    sensitivity : float or None
        An operating point is chosen on validation images to reach this sensitivity.
    max_unreadable : float
        Share of images that may be unreadable; they are listed and left out.
    allow_leakage : bool
        Train on a given split although images or groups cross it; the report says so.
    budget_min : float or None
        Minutes that the whole training may take, from reading the images to the report; of one
        that was stopped, from each time that it is gone on with.
    """

    schema_version: Literal[1] = 1
    profile: TaskProfile
    target: Target = "classes"
    order: tuple[str, ...] = ()
    backbone: PlannedBackbone
    fallbacks: tuple[PlannedBackbone, ...] = ()
    initialisation: Literal["pretrained", "random"] = "pretrained"
    weights: PlannedWeights | None = None
    approach: Approach
    head: Head
    features: FeatureDepth = "stages"
    n_blocks: int | None = Field(default=None, ge=1, le=1000)
    gradual: bool = False
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    lora_rank: int | None = Field(default=None, ge=1, le=1024)
    ladder: bool = False
    augmentation: Literal["none", "online", "offline"]
    transforms: tuple[TransformKind, ...] = MILD
    n_copies: int = Field(default=COPIES, ge=2, le=MOST_COPIES)
    class_weights: bool = True
    epochs: int = Field(default=EPOCHS, ge=1, le=10_000)
    batch_size: int = Field(default=BATCH_SIZE, ge=1, le=65_536)
    backbone_learning_rate: float = Field(default=BACKBONE_LEARNING_RATE, gt=0, le=10)
    head_learning_rate: float = Field(default=HEAD_LEARNING_RATE, gt=0, le=10)
    test_fraction: float = Field(default=TEST_FRACTION, gt=0, lt=1)
    validation_fraction: float = Field(default=VALIDATION_FRACTION, gt=0, lt=1)
    n_folds: int = Field(default=0, ge=0, le=100)
    n_repeats: int = Field(default=1, ge=1, le=100)
    sensitivity: float | None = Field(default=None, gt=0, le=1)
    max_unreadable: float = Field(default=MAX_UNREADABLE, ge=0, lt=1)
    allow_leakage: bool = False
    budget_min: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0, lt=2**31)
    evidence: PlanEvidence = PlanEvidence()

    @property
    def frozen(self) -> bool:
        """The backbone stays as it is."""
        return self.approach.startswith("feature_extractor")

    @property
    def is_single(self) -> bool:
        """One training on images as they are: no folds, repeats, ladder or changed copies."""
        is_split = self.n_folds > 0 or self.n_repeats > 1
        return not (is_split or self.ladder or self.augmentation == "offline")

    @model_validator(mode="after")
    def _carried_out(self) -> "TrainingPlan":
        if (self.approach, self.head) not in TRAINABLE:
            pairs = ", ".join(f"{approach} with {head}" for approach, head in TRAINABLE)
            msg = f"{self.approach} with {self.head} is not carried out; allowed: {pairs}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "TrainingPlan":
        if problem := self._contradiction():
            raise ValueError(problem)
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of what was written; a later version, which knows more fields, finds the same."""
        return hashlib.sha256(self.model_dump_json(exclude_unset=True).encode()).hexdigest()

    def _contradiction(self) -> str:
        """What of the plan excludes something else of it; empty where nothing does."""
        partial, heads = self.approach == "fine_tuning", HEADS[self.target]
        found = {
            "n_blocks is for the approach fine_tuning only": self.n_blocks and not partial,
            "fine_tuning needs n_blocks, unless lora_rank is given": (
                partial and not (self.n_blocks or self.lora_rank)
            ),
            "lora_rank is for the approach fine_tuning, without n_blocks": (
                self.lora_rank and (not partial or self.n_blocks)
            ),
            "gradual and layer_decay are for fine-tuning": (
                self.frozen and (self.gradual or self.layer_decay < 1)
            ),
            "gradual unfreezing and lora_rank exclude each other": self.gradual and self.lora_rank,
            "a ladder begins with feature_extractor and chooses the rest itself": (
                self.ladder and self.approach != "feature_extractor"
            ),
            "random initialisation is for fine_tuning_from_scratch, without weights": (
                self.initialisation == "random"
                and (self.approach != "fine_tuning_from_scratch" or self.weights)
            ),
            f"the target {self.target} is learned by the heads {', '.join(sorted(heads))}": (
                self.head not in heads
            ),
            "an order names each grade of the target ordinal once": (
                self.order and (self.target != "ordinal" or len(set(self.order)) < len(self.order))
            ),
            "sensitivity is for the targets classes and multi_label": (
                self.sensitivity and self.target not in {"classes", "multi_label"}
            ),
        }
        return next((problem for problem, holds in found.items() if holds), "")


def carried_out(task: str) -> tuple[Way, ...]:
    """Ways that are chosen among for a task."""
    if task == "classification":
        return CARRIED_OUT
    ways = (*CARRIED_OUT, Way("feature_extractor_hybrid", "svr"))
    return tuple(way for way in ways if way.head in HEADS["number"])


def how(approach: Approach, initialisation: Initialisation) -> str:
    """An approach as it is told: random initialisation is never left unsaid."""
    return f"{approach}, {RANDOM_WEIGHTS}" if initialisation == "random" else approach


def make_plan(
    profile: TaskProfile,
    backbones: Sequence[Backbone],
    approach: Approach,
    head: Head,
    evidence: PlanEvidence,
    *,
    initialisation: Initialisation = "pretrained",
    transforms: tuple[TransformKind, ...] = MILD,
    class_weights: bool = True,
) -> TrainingPlan:
    """Plan for the first of `backbones`, the others as fallbacks in their order.

    Random initialisation takes no weights, so that nothing has to stand in for any that are
    missing: it has no fallbacks.

    Where more images are planned than there are, they are made beforehand. Otherwise frozen
    features are extracted once, so nothing is augmented, and fine-tuning augments online
    (Morid 2022, Results: 72% of fine-tuning against 15% of feature-extracting studies augment).

    Parameters
    ----------
    transforms : tuple of str
        Kinds of change that leave the label true.
    class_weights : bool
        Whether the small classes must be weighed.
    """
    planned = tuple(map(PlannedBackbone.of, backbones))
    copies = round((profile.n_augmented or 0) / profile.n_images)
    online, is_random = not approach.startswith("feature_extractor"), initialisation == "random"
    return TrainingPlan(
        profile=profile,
        target="number" if profile.task == "regression" else "classes",
        backbone=planned[0],
        fallbacks=() if is_random else planned[1:],
        initialisation="random" if is_random else "pretrained",
        approach=approach,
        head=head,
        n_blocks=BLOCKS if approach == "fine_tuning" else None,
        augmentation="offline" if copies > 1 else "online" if online else "none",
        transforms=transforms,
        n_copies=min(max(copies, 2), MOST_COPIES) if copies > 1 else COPIES,
        class_weights=class_weights,
        evidence=evidence,
    )


def read_plan(path: Path) -> TrainingPlan:
    """Read a plan file, edited or not.

    Raises
    ------
    RecommendationError
        The file is missing, no JSON, or a field is unknown or out of range.
    """
    try:
        return parse_plan(path.read_text(encoding="utf-8"), f"plan {path}")
    except OSError as error:
        msg = f"plan {path}: {error.strerror}"
        raise RecommendationError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"plan {path} is no UTF-8 text"
        raise RecommendationError(msg) from error


def parse_plan(text: str, name: str) -> TrainingPlan:
    """A plan from JSON, edited or not.

    Parameters
    ----------
    name : str
        What the plan is called where it is not valid.

    Raises
    ------
    RecommendationError
        It is no JSON, or a field is unknown or out of range.
    """
    try:
        return TrainingPlan.model_validate_json(text)
    except ValidationError as error:
        lines = (
            f"  {'.'.join(map(str, detail['loc'])) or 'plan'}: {detail['msg']}"
            f"; found {json.dumps(detail['input'], default=str)[:80]}"
            for detail in error.errors()
        )
        raise RecommendationError("\n".join([f"{name} is not valid:", *lines])) from error
