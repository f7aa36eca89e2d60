"""The training plan: all that training needs beside the images. A person may edit it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from evidence.records import Backbone, Record, TaskProfile
from evidence.vocabulary import Approach, Head
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

#: Approaches and their heads that the trainer carries out.
CARRIED_OUT: tuple[tuple[Approach, Head], ...] = (
    ("feature_extractor", "linear"),
    ("feature_extractor_hybrid", "svm"),
    ("feature_extractor_hybrid", "random_forest"),
    ("feature_extractor_hybrid", "knn"),
    ("feature_extractor_hybrid", "lda"),
    ("fine_tuning_from_scratch", "linear"),
)


class PlannedBackbone(Record):
    """A backbone and the library model that carries it out."""

    name: str
    library: Literal["timm", "torchvision"]
    model: str
    input_px: int = Field(ge=16, le=2048)

    @classmethod
    def of(cls, backbone: Backbone) -> "PlannedBackbone":
        """A backbone of the store that a library carries out."""
        return cls.model_validate({name: getattr(backbone, name) for name in cls.model_fields})


class PlanEvidence(Record):
    """On whose evidence the plan was chosen."""

    rules: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    corpus_digest: str = ""


class TrainingPlan(Record):
    """What is trained, how, and on which evidence.

    Attributes
    ----------
    backbone : PlannedBackbone
        The recommended backbone.
    fallbacks : tuple of PlannedBackbone
        Taken in this order where the weights of the ones before cannot be had.
    approach, head : str
        One of the pairs in `CARRIED_OUT`.
    epochs, batch_size, backbone_learning_rate, head_learning_rate
        For fine-tuning; the frozen approaches see every image once.
    test_fraction, validation_fraction : float
        Shares in (0, 1) of all images and of the rest, unless the data come with their own split.
    """

    schema_version: Literal[1] = 1
    profile: TaskProfile
    backbone: PlannedBackbone
    fallbacks: tuple[PlannedBackbone, ...] = ()
    weights: Literal["pretrained"] = "pretrained"
    approach: Approach
    head: Head
    augmentation: Literal["none", "online"]
    epochs: int = Field(default=EPOCHS, ge=1, le=10_000)
    batch_size: int = Field(default=BATCH_SIZE, ge=1, le=65_536)
    backbone_learning_rate: float = Field(default=BACKBONE_LEARNING_RATE, gt=0, le=10)
    head_learning_rate: float = Field(default=HEAD_LEARNING_RATE, gt=0, le=10)
    test_fraction: float = Field(default=TEST_FRACTION, gt=0, lt=1)
    validation_fraction: float = Field(default=VALIDATION_FRACTION, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    evidence: PlanEvidence = PlanEvidence()

    @model_validator(mode="after")
    def _carried_out(self) -> "TrainingPlan":
        if (self.approach, self.head) not in CARRIED_OUT:
            pairs = ", ".join(f"{approach} with {head}" for approach, head in CARRIED_OUT)
            msg = f"{self.approach} with {self.head} is not carried out; allowed: {pairs}"
            raise ValueError(msg)
        return self


def make_plan(
    profile: TaskProfile,
    backbones: Sequence[Backbone],
    approach: Approach,
    head: Head,
    evidence: PlanEvidence,
) -> TrainingPlan:
    """Plan for the first of `backbones`, the others as fallbacks in their order.

    Frozen features are extracted once, so nothing is augmented; fine-tuning augments online
    (Morid 2022, Results: 72% of fine-tuning against 15% of feature-extracting studies augment).
    """
    planned = tuple(map(PlannedBackbone.of, backbones))
    return TrainingPlan(
        profile=profile,
        backbone=planned[0],
        fallbacks=planned[1:],
        approach=approach,
        head=head,
        augmentation="online" if approach == "fine_tuning_from_scratch" else "none",
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
        return TrainingPlan.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"plan {path}: {error.strerror}"
        raise RecommendationError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"plan {path} is no UTF-8 text"
        raise RecommendationError(msg) from error
    except ValidationError as error:
        lines = (
            f"  {'.'.join(map(str, detail['loc'])) or 'plan'}: {detail['msg']}"
            f"; found {json.dumps(detail['input'], default=str)[:80]}"
            for detail in error.errors()
        )
        raise RecommendationError("\n".join([f"plan {path} is not valid:", *lines])) from error
