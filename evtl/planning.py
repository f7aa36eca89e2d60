"""Images and what a user asked for -> the plan that is carried out."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from evidence import queries
from evidence.records import Corpus
from evidence.store import Store
from evidence.vocabulary import Approach, Head
from evtl import snapshot
from evtl.asking import TaskOptions, explain_invalid, question
from recommender.errors import RecommendationError
from recommender.plan import BLOCKS, TrainingPlan
from recommender.records import Recommendation

if TYPE_CHECKING:  # torch must not be imported to recommend
    from trainer.images import ImageSet


@dataclass(frozen=True)
class Wishes:
    """Fields of a plan that a person sets; None leaves what was recommended or planned."""

    approach: Approach | None = None
    head: Head | None = None
    backbone: str | None = None
    weights: str | None = None
    initialisation: str | None = None
    features: str | None = None
    n_blocks: int | None = None
    gradual: bool | None = None
    layer_decay: float | None = None
    lora_rank: int | None = None
    ladder: bool | None = None
    augmentation: str | None = None
    n_copies: int | None = None
    class_weights: bool | None = None
    epochs: int | None = None
    batch_size: int | None = None
    n_folds: int | None = None
    n_repeats: int | None = None
    sensitivity: float | None = None
    max_unreadable: float | None = None
    allow_leakage: bool | None = None
    budget_min: float | None = None
    seed: int | None = None

    def fields(self) -> dict[str, Any]:
        """What was asked for, by the name of its field."""
        named = {"backbone", "weights", "approach", "head"}
        return {
            name: value
            for name, value in asdict(self).items()
            if value is not None and name not in named
        }


def training_plan(
    images: "ImageSet", options: TaskOptions, planned: TrainingPlan | None, wishes: Wishes
) -> tuple[TrainingPlan, tuple[str, ...]]:
    """Plan for images: recommended for them or made before, with what a person asked for.

    Returns
    -------
    TrainingPlan
    tuple of str
        What the person should know of it: a network that stands in for another one, an option
        that changes nothing.

    Raises
    ------
    EvtlError
        The options contradict the data or each other, or a plan file comes with task options.
    """
    corpus = queries.corpus(Store())
    if planned is None:
        plan = _answer(images, options, wishes, corpus).plan
    elif options != TaskOptions():
        msg = "--plan already holds the task: leave out --modality, --anatomy, --classes, ..."
        raise RecommendationError(msg)
    else:
        plan = _for_these(images, planned)
    changes, notes = _named(wishes, corpus)
    learned = {"target": images.target, "order": images.order}
    plan = as_asked(plan, wishes, changes | learned)
    return plan, (*notes, *_idle(plan, wishes))


def outlined(options: TaskOptions, wishes: Wishes) -> TrainingPlan:
    """The plan before any image is read.

    Raises
    ------
    EvtlError
        The options contradict each other.
    """
    found = _answer(None, options, wishes, queries.corpus(Store()))
    return as_asked(found.plan, wishes)


def predicted_s(plan: TrainingPlan) -> float | None:
    """Seconds that a plan is predicted to take; None where no run was alike."""
    from recommender.grounds import grounds  # noqa: PLC0415  (numpy only here)

    corpus = snapshot.current().corpus
    named = {each.name: each for each in corpus.backbones}
    backbone = named.get(plan.backbone.name)
    if not plan.is_single or backbone is None or backbone.n_macs is None:
        return None
    training = backbone, plan.approach, plan.profile.n_images, plan.epochs
    if (found := grounds(corpus).learned.seconds(*training)) is None:
        return None
    return min(found.value, 60 * (plan.budget_min or math.inf))


def as_asked(
    plan: TrainingPlan, wishes: Wishes, changes: Mapping[str, Any] = MappingProxyType({})
) -> TrainingPlan:
    """The plan with what a person asked for, and other changes to its fields.

    Raises
    ------
    RecommendationError
        A wish is out of range or contradicts another, or the plan.
    """
    fields = plan.model_dump() | _with_approach(plan, wishes) | wishes.fields() | dict(changes)
    try:
        return TrainingPlan.model_validate(fields)
    except ValidationError as error:
        raise RecommendationError(explain_invalid(error)) from error


def _answer(
    images: "ImageSet | None", options: TaskOptions, wishes: Wishes, corpus: Corpus
) -> Recommendation:
    """The recommendation for what was asked for."""
    from recommender.answering import recommend  # noqa: PLC0415  (numpy only here)

    approach, limited = asked_approach(wishes), options
    if approach is not None:
        if options.approaches is not None:
            msg = "--approaches restricts what is recommended, --approach sets it: give one of them"
            raise RecommendationError(msg)
        is_random = wishes.initialisation == "random"
        limited = replace(options, approaches="random" if is_random else approach)
    return recommend(question(limited, corpus, images), corpus)


def asked_approach(wishes: Wishes) -> Approach | None:
    """The approach that was asked for, also by what only one approach can do."""
    if wishes.approach is not None:
        return wishes.approach
    if wishes.ladder:
        return "feature_extractor"
    if wishes.n_blocks or wishes.lora_rank:
        return "fine_tuning"
    if wishes.initialisation == "random" or wishes.gradual or wishes.layer_decay is not None:
        return "fine_tuning_from_scratch"
    if wishes.head not in {None, "linear"}:
        return "feature_extractor_hybrid"
    return None


def _with_approach(plan: TrainingPlan, wishes: Wishes) -> dict[str, Any]:
    """Approach, head and what goes with them where they are not those of the plan."""
    approach = asked_approach(wishes) or plan.approach
    hybrid = approach == "feature_extractor_hybrid"
    head = wishes.head or (plan.head if hybrid or plan.head == "linear" else "linear")
    found: dict[str, Any] = {"approach": approach, "head": head}
    if approach != "fine_tuning" or wishes.lora_rank:
        found["n_blocks"] = None
    elif not (plan.n_blocks or plan.lora_rank):
        found["n_blocks"] = BLOCKS
    if wishes.ladder:
        found["augmentation"] = "online"  # for the steps that train; frozen features need none
    return found


def _named(wishes: Wishes, corpus: Corpus) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Backbone and weights that a person named, and what is to be said of them."""
    changes: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    if wishes.backbone is not None:
        from trainer.naming import planned_backbone  # noqa: PLC0415  (timm only when training)

        found = planned_backbone(wishes.backbone, corpus.backbones)
        changes |= {"backbone": found.backbone.model_dump(), "fallbacks": ()}
        notes = (found.reason,) if found.reason else ()
    if wishes.weights is not None:
        from trainer.weights import named_weights  # noqa: PLC0415

        named = named_weights(wishes.weights).model_dump()
        # A run may be gone on with from another folder.
        named["path"] = str(Path(named["path"]).absolute())
        changes |= {"weights": named, "fallbacks": ()}
    return changes, notes


def _idle(plan: TrainingPlan, wishes: Wishes) -> Iterator[str]:
    """What was asked for and changes nothing of this training."""
    asked = wishes.fields()
    frozen = "a frozen backbone sees every image once"
    for field, option, idle, reason in (
        ("epochs", "--epochs", plan.frozen and not plan.ladder, frozen),
        ("batch_size", "--batch-size", plan.frozen and not plan.ladder, frozen),
        ("features", "--features", not plan.frozen, "the backbone is not frozen"),
        ("n_copies", "--copies", plan.augmentation != "offline", "augmentation is not offline"),
    ):
        if field in asked and idle:
            yield f"{option} was not used: {reason}"


def _for_these(images: "ImageSet", plan: TrainingPlan) -> TrainingPlan:
    stated, found = plan.profile.n_classes, len(images.classes)
    if stated is not None and stated != found:
        msg = f"the plan is for {stated} classes, the data hold {found}"
        raise RecommendationError(msg)
    return plan
