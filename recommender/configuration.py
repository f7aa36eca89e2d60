"""What is compared: a configuration, and what is known of a task."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np

from evidence.arm_table import Column
from evidence.records import ControlledResult, RunRecord, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY, Approach, Head, Initialisation
from recommender.metrics import direction
from recommender.plan import Way
from recommender.similarity import class_similarity, size_similarity, term_similarity

W = TypeVar("W")

#: What every backbone of ours was pretrained on.
IMAGENET = "imagenet"


class Configuration(NamedTuple):
    """One backbone x approach x initialisation x head."""

    backbone: str
    family: str
    approach: Approach
    head: Head
    initialisation: Initialisation = "pretrained"
    pretraining: str = IMAGENET

    @classmethod
    def of(cls, backbone: str, family: str, way: Way) -> "Configuration":
        """A backbone carried out in a way; random weights learned from nothing."""
        pretraining = "" if way.initialisation == "random" else IMAGENET
        return cls(backbone, family, *way, pretraining)

    @property
    def method(self) -> tuple[Approach, Initialisation]:
        """What is done, with any network and any head."""
        return self.approach, self.initialisation


#: A backbone and its family; what is done with it, whatever its head.
Network = tuple[str, str]
Method = tuple[Approach, Initialisation]


class Kinds(NamedTuple):
    """Which of N configurations share what: far fewer kinds than there are of these."""

    networks: Column[Network]
    ways: Column[Way]
    methods: Column[Method]


@lru_cache(maxsize=32)
def kinds(configurations: tuple[Configuration, ...]) -> Kinds:
    """What configurations share, in order of first appearance."""
    return Kinds(
        _column([(one.backbone, one.family) for one in configurations]),
        _column([Way(one.approach, one.head, one.initialisation) for one in configurations]),
        _column([one.method for one in configurations]),
    )


def _column(words: Sequence[W]) -> Column[W]:
    places = {word: n for n, word in enumerate(dict.fromkeys(words))}
    return Column(np.array([places[word] for word in words], np.int32), tuple(places))


class Task(NamedTuple):
    """A data set as far as its task goes; None where nothing is known.

    `name` tells data sets apart: evidence on the same data set counts most. Data sets of one
    `origin` share images and are left out together where something is fitted.
    """

    name: str
    modality: str | None = None
    anatomy: str | None = None
    n_images: int | None = None
    n_classes: int | None = None
    kind: str = "classification"
    origin: str = ""

    @property
    def source(self) -> str:
        """The origin; the data set itself where nothing is said."""
        return self.origin or self.name


class Observation(NamedTuple):
    """A measured value, larger always better.

    Only values of one table, data set, split and metric are compared: `block`.
    """

    table: str
    task: Task
    configuration: Configuration
    metric: str
    value: float
    split: str = ""

    @property
    def block(self) -> tuple[str, str, str, str]:
        """What the value may be compared within."""
        return self.table, self.task.name, self.split, self.metric


#: The sides of a task that `likeness` compares.
SIDES = ("modality", "anatomy", "size", "classes")
#: Likeness on a side that is not known: nothing is known to be shared. Likeness is a covariance,
#: and with more than 0 for one unknown task beside many that differ it would be none.
NOT_KNOWN = 0.0


def likeness(first: Task, second: Task) -> tuple[float, ...]:
    """How alike two tasks are on each of `SIDES`, in [0, 1]."""
    return (
        term_similarity(MODALITY, first.modality, second.modality)
        if first.modality and second.modality
        else NOT_KNOWN,
        term_similarity(ANATOMY, first.anatomy, second.anatomy)
        if first.anatomy and second.anatomy
        else NOT_KNOWN,
        size_similarity(first.n_images, second.n_images)
        if first.n_images and second.n_images
        else NOT_KNOWN,
        class_similarity(first.n_classes, second.n_classes)
        if first.n_classes and second.n_classes
        else NOT_KNOWN,
    )


def asked(profile: TaskProfile, name: str = "") -> Task:
    """The task of a question; `name` is the digest of the user's data where they are given."""
    return Task(
        name, profile.modality, profile.anatomy, profile.n_images, profile.n_classes, profile.task
    )


def of_table(result: ControlledResult) -> Observation:
    """A cell of a controlled table."""
    task = Task(
        result.dataset, result.modality, result.anatomy, result.n_images, result.n_classes,
        result.task, result.origin,
    )  # fmt: skip
    configuration = Configuration(
        result.backbone, result.family, result.approach, result.head, result.initialisation,
        result.pretraining,
    )  # fmt: skip
    value = (direction(result.metric) or 1) * result.value
    return Observation(result.table, task, configuration, result.metric, value)


#: The table that our own runs make up.
OWN_RUNS = "own runs"
#: Metrics of a run that tell which configuration did better, the best first.
RUN_METRICS = ("auc", "balanced_accuracy", "accuracy")


def of_run(run: RunRecord, family: str) -> Observation | None:
    """A finished run of ours on its test images; None where it measured nothing comparable.

    Runs on the same data with the same seed share their split and may be compared. A frozen
    backbone that was trained for epochs climbed a ladder, and its value is not that of its
    approach.
    """
    measured = run.metrics.get("test", {})
    metric = next((m for m in RUN_METRICS if measured.get(m, {}).get("value") is not None), None)
    value = measured[metric]["value"] if metric else None
    climbed = run.approach.startswith("feature_extractor") and run.epochs
    if run.status != "finished" or climbed or metric is None or value is None:
        return None
    name = run.digests.get("data", run.run_id)
    task = Task(name, run.modality, run.anatomy, run.n_images, run.n_classes, run.task)
    way = Way(run.approach, run.head, run.initialisation or "pretrained")
    configuration = Configuration.of(run.backbone, family, way)
    return Observation(OWN_RUNS, task, configuration, metric, value, split=f"seed {run.seed}")
