"""A training as a form or a program asks for it -> what a worker is given."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError

from evidence.records import Record
from evidence.vocabulary import Head
from evtl import job_services
from evtl.asking import TaskOptions, explain_invalid
from evtl.jobs.records import Device, Wanted
from evtl.planning import Wishes
from evtl.web.asked import AskedError, Typed, in_these_words
from evtl.web.words import APPROACHES
from recommender.plan import Target, TrainingPlan, parse_plan

T = TypeVar("T")
NAMES = tuple(each.name for each in fields(Wishes))
_WISHES = TypeAdapter(Wishes)
_OPTION = re.compile(r"--[a-z][a-z-]*")


class Training(Record):
    """A training that is asked for.

    Attributes
    ----------
    question : Typed
        The task; its `data` is the folder of the images, below the data root.
    wishes : Wishes
        What is to be other than recommended.
    plan : TrainingPlan or None
        Carried out instead of what is recommended; it holds the task.
    target : str or None
        What is learned: the classes unless this, the plan or the labels say otherwise.
    order : str or None
        Of ordinal grades, from the mildest, between commas.
    """

    question: Typed = Typed()
    wishes: Wishes = Wishes()
    plan: TrainingPlan | None = None
    target: Target | None = None
    order: Annotated[str, Field(max_length=1000)] | None = None
    device: Device = "auto"


class Wish(NamedTuple):
    """A field of the form.

    Attributes
    ----------
    kind : str
        Of the input: ``number``, ``choice`` or ``tick``.
    choices : tuple of pairs
        Value and words.
    """

    name: str
    label: str
    kind: str
    choices: tuple[tuple[str, str], ...] = ()
    hint: str = ""


def _same(*keys: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, key.replace("_", " ")) for key in keys)


WISHES = (
    Wish("approach", "Approach", "choice", tuple(APPROACHES.items())),
    Wish("head", "Head", "choice", _same(*get_args(Head))),
    Wish("n_blocks", "Blocks that are fine-tuned", "number"),
    Wish("epochs", "Epochs", "number", hint="Of fine-tuning."),
    Wish("batch_size", "Images of a step", "number"),
    Wish("augmentation", "Augmentation", "choice", _same("none", "online", "offline")),
    Wish("class_weights", "Weigh classes by how rare they are", "choice",
         (("true", "yes"), ("false", "no"))),
    Wish("n_folds", "Folds", "number", hint="Cross-validation beside the hold-out."),
    Wish("n_repeats", "Times that a split is drawn", "number"),
    Wish("budget_min", "Minutes that it may take", "number"),
    Wish("seed", "Seed", "number"),
    Wish("sensitivity", "Sensitivity", "number", hint="A threshold is chosen that reaches it."),
    Wish("features", "Where a frozen network is read", "choice",
         (("stages", "its last three stages"), ("last", "before its classifier"))),
    Wish("n_copies", "Images made of one", "number", hint="Augmentation offline."),
    Wish("lora_rank", "Rank of low-rank updates", "number"),
    Wish("layer_decay", "Learning rate of a block over the one above", "number"),
    Wish("max_unreadable", "Share of images that may be unreadable", "number"),
    Wish("initialisation", "Weights", "choice", (("random", "random, none are taken"),)),
    Wish("ladder", "Unfreeze as far as cross-validation says it pays", "tick"),
    Wish("gradual", "Unfreeze from top to bottom", "tick"),
    Wish("allow_leakage", "Train even where test images were trained on", "tick"),
)  # fmt: skip


def of_form(sent: Mapping[str, str]) -> Training:
    """What a form asks for; a field that is empty is not asked for.

    The plan counts where it is not the one that was shown, or was found on these images: what is
    recommended may be another one by the time that it is carried out.

    Raises
    ------
    AskedError
        A field holds what it cannot; the message names each.
    EvtlError
        The plan is not valid.
    """
    folders = {"data", "found_on"}  # which may begin or end with a space
    given = {
        name: text if name in folders else text.strip()
        for name, text in sent.items()
        if text.strip()
    }
    question = question_of(given)
    plan = parse_plan(given["plan"], "the plan") if "plan" in given else None
    found_here = "data" in given and given["data"] == given.get("found_on")
    if plan is not None and plan.digest == given.get("shown") and not found_here:
        question = question.model_copy(update={"n": str(plan.profile.n_images)})
        plan = None
    others = {name: given.get(name) for name in ("target", "order")}
    return _read(
        TypeAdapter(Training),
        others
        | {
            "question": question,
            "plan": plan,
            "wishes": _read(_WISHES, {k: v for k, v in given.items() if k in NAMES}),
            "device": given.get("device", "auto"),
        },
    )


def in_form_words(text: str) -> str:
    """A sentence whose options of the command line are called as in the form."""
    labels = {f"--{wish.name.replace('_', '-')}": f"“{wish.label}”" for wish in WISHES}
    return _OPTION.sub(lambda found: labels.get(found[0], found[0]), text)


def digest_shown(plan: TrainingPlan) -> str:
    """What tells whether a plan comes back as it was shown: with every field written out."""
    return TrainingPlan.model_validate_json(plan.model_dump_json()).digest


def question_of(given: Mapping[str, str]) -> Typed:
    """The question that a form carries.

    Raises
    ------
    AskedError
        A field holds what it cannot.
    """
    return _read(TypeAdapter(Typed), {k: v for k, v in given.items() if k in Typed.model_fields})


def _read(kind: TypeAdapter[T], given: Mapping[str, Any]) -> T:
    try:
        return kind.validate_python(given)
    except ValidationError as error:
        raise AskedError(explain_invalid(error)) from error


def begin(training: Training, runs: Path, data_root: Path | None) -> str:
    """Ask for the training; returns the name of its run.

    Raises
    ------
    EvtlError
        No folder is named that may be read, the task, plan or wishes cannot be, or too many wait.
    """
    question = training.question
    if (data := question.folder(data_root)) is None:
        msg = "data: missing; name the folder of the images, below the folder that may be read"
        raise AskedError(msg)
    if training.wishes.weights or (training.plan and training.plan.weights):
        msg = "weights: a file of weights is named on the command line only: evtl train --weights"
        raise AskedError(msg)
    with in_these_words():
        options = question.options()
        wanted = Wanted(
            data=data,
            # How many there are is said by the images.
            options=TaskOptions() if training.plan else replace(options, n_images=None),
            wishes=training.wishes,
            target=training.target,
            order=training.order,
            device=training.device,
        )
    return job_services.start(runs, wanted, training.plan, options.n_images)
