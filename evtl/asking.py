"""What a user typed -> an exact question."""

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from evidence.records import Corpus, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY
from evtl.available import HOW_TO_GET, available
from evtl.machine import memory_mb
from recommender.candidates import Restriction, parse_restriction
from recommender.errors import RecommendationError
from recommender.records import Goal

if TYPE_CHECKING:  # torch must not be imported to recommend, nor numpy to ask
    from recommender.ranking import Question
    from trainer.images import ImageSet


@dataclass(frozen=True)
class TaskOptions:
    """A task in the words of the user; `training_plan` and `task_profile` make it exact."""

    modality: str | None = None
    n_images: int | None = None
    anatomy: str | None = None
    n_classes: int | None = None
    task: str = "classification"
    n_augmented: int | None = None
    goal: Goal = "balanced"
    candidates: str | None = None
    approaches: str | None = None
    available: bool = False


def whole(text: str) -> int:
    """A whole number as people write it: ``1200``, ``1e6``; its range is the question's to say.

    Raises
    ------
    ValueError
        The text is none; the message says what is allowed.
    """
    try:
        return int(text)
    except ValueError:
        pass
    try:
        if float(text).is_integer():
            return int(float(text))
    except ValueError:
        pass
    msg = f"found {text!r}; allowed: a whole number, e.g. 1200"
    raise ValueError(msg)


def question(options: TaskOptions, corpus: Corpus, images: "ImageSet | None" = None) -> "Question":
    """Exact question, about images where they are given.

    Raises
    ------
    UnknownTermError
        Modality or anatomy is in no vocabulary; the message names near terms.
    RecommendationError
        An option is out of range, names nothing that can be carried out, or contradicts another
        or the images.
    """
    from recommender.ranking import Question  # noqa: PLC0415  (numpy only to recommend)

    asked = options if images is None else seen(images, options)
    limits = parse_restriction(corpus.backbones, asked.candidates, asked.approaches)
    names = None if limits.backbones is None else frozenset(limits.backbones)
    return Question(
        profile=task_profile(asked),
        goal=asked.goal,
        data_digest="" if images is None else images.digest,
        backbones=names,
        here=_here(limits, corpus) if asked.available else None,
        memory_mb=memory_mb(corpus.runs),
        approaches=None if limits.approaches is None else frozenset(limits.approaches),
        class_sizes=None if images is None else class_sizes(images),
    )


def _here(limits: Restriction, corpus: Corpus) -> frozenset[str]:
    """Which of the asked backbones have their weights on this machine."""
    here = available(corpus.backbones)
    found = here if limits.backbones is None else here & frozenset(limits.backbones)
    # Nobody gets random weights for want of others without having asked for them.
    if not found and "random_initialisation" not in (limits.approaches or ()):
        msg = f"--available: no weights of the asked backbones are on this machine; {HOW_TO_GET}"
        raise RecommendationError(msg)
    return found


def class_sizes(images: "ImageSet") -> tuple[int, ...] | None:
    """Images of each class or label, in their order; None of a number."""
    if images.target == "number":
        return None
    several = images.target == "multi_label"
    names = [name for label in images.labels for name in (label.split("|") if several else [label])]
    return tuple(names.count(name) for name in images.classes)


def task_profile(options: TaskOptions) -> TaskProfile:
    """Exact question from what was typed.

    Raises
    ------
    UnknownTermError
        Modality or anatomy is in no vocabulary; the message names near terms.
    RecommendationError
        A number is out of range, or options contradict each other.
    """
    if options.modality is None:
        msg = "--modality is missing: name how the images were made, e.g. --modality ultrasound"
        raise RecommendationError(msg)
    if options.n_images is None:
        msg = "--n is missing: how many images are there? Or name their folder with --data"
        raise RecommendationError(msg)
    fields: dict[str, Any] = {
        "modality": MODALITY.resolve(options.modality),
        "anatomy": ANATOMY.resolve(options.anatomy) if options.anatomy is not None else None,
        "n_images": options.n_images,
        "n_classes": options.n_classes,
        "task": options.task,
        "n_augmented": options.n_augmented,
    }
    try:
        profile = TaskProfile(**fields)
    except ValidationError as error:
        raise RecommendationError(explain_invalid(error)) from error
    if profile.n_classes is not None and profile.n_classes > profile.n_images:
        msg = (
            f"--classes: found {profile.n_classes}; there are fewer images (--n "
            f"{profile.n_images}), and every class needs at least one"
        )
        raise RecommendationError(msg)
    return profile


_OPTION_NAMES = {
    "n_images": "--n", "n_classes": "--classes", "n_augmented": "--augmented-n", "task": "--task",
}  # fmt: skip


def explain_invalid(error: ValidationError) -> str:
    """What is wrong with each option, by its name on the command line."""
    lines = []
    for detail in error.errors():
        field = str(detail["loc"][0]) if detail["loc"] else ""
        where = f"{_OPTION_NAMES.get(field, field)}: found {detail['input']}; " if field else ""
        lines.append(where + (_range(field) or _in_options(detail["msg"])))
    return "; ".join(lines)


def _range(field: str) -> str:
    """The numbers that a field of a profile allows; nothing for another field."""
    known = TaskProfile.model_fields.get(field)
    limits = known.metadata if known else []
    ends = {end: value for limit in limits for end, value in asdict(limit).items()}
    return "allowed: {ge:,} to {le:,}".format(**ends) if ends else ""


def _in_options(message: str) -> str:
    for field, option in _OPTION_NAMES.items():
        message = re.sub(rf"\b{field}\b", option, message)
    return message.removeprefix("Value error, ")


def seen(images: "ImageSet", options: TaskOptions) -> TaskOptions:
    """The task with what the data themselves say: number of images and classes.

    Raises
    ------
    RecommendationError
        The options contradict the data.
    """
    number = images.target == "number"
    if options.task == "regression" and not number:
        msg = f"--task regression: the data hold {len(images.classes)} classes, not numbers"
        raise RecommendationError(msg)
    n_images, n_classes = len(images.files), None if number else len(images.classes)
    stated = (("--n", options.n_images, n_images), ("--classes", options.n_classes, n_classes))
    for option, said, found in stated:
        if said is not None and said != found:
            msg = f"{option} says {said}, the data hold {found or 'numbers'}; leave the option out"
            raise RecommendationError(msg)
    task = "regression" if number else options.task
    return replace(options, n_images=n_images, n_classes=n_classes, task=task)
