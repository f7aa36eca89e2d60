"""Frozen records that leave the store; ORM rows never do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evidence.vocabulary import (
    ANATOMY,
    MODALITY,
    Approach,
    Augmentation,
    ClaimKind,
    Head,
    Initialisation,
    Metric,
    Operator,
    Role,
    Task,
    Visualization,
    canonical,
)

if TYPE_CHECKING:  # numpy is slow to import, and most records need none
    from evidence.arm_table import ArmTable


class Record(BaseModel):
    """Base of every record that crosses a floor: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskProfile(Record):
    """The user's question: what is to be learned from which images.

    Attributes
    ----------
    modality, anatomy : str
        Canonical keys of `evidence.vocabulary`; anatomy None when not said.
    n_images : int
        Images before augmentation.
    n_classes : int or None
        None when not said, and for regression.
    task : str
        ``classification`` or ``regression``.
    n_augmented : int or None
        Images after offline augmentation, where it is planned.
    """

    schema_version: Literal[1] = 1
    modality: str
    anatomy: str | None = None
    n_images: int = Field(ge=1, le=10**9)
    n_classes: int | None = Field(default=None, ge=2, le=100_000)
    task: Literal["classification", "regression"] = "classification"
    n_augmented: int | None = Field(default=None, ge=1, le=10**12)

    @field_validator("modality")
    @classmethod
    def _known_modality(cls, text: str) -> str:
        return canonical(MODALITY, text)

    @field_validator("anatomy")
    @classmethod
    def _known_anatomy(cls, text: str | None) -> str | None:
        return None if text is None else canonical(ANATOMY, text)

    @model_validator(mode="after")
    def _consistent(self) -> "TaskProfile":
        if self.n_augmented is not None and self.n_augmented < self.n_images:
            msg = f"n_augmented ({self.n_augmented}) is below n_images ({self.n_images})"
            raise ValueError(msg)
        if self.task == "regression" and self.n_classes is not None:
            msg = "regression has no classes: leave out n_classes"
            raise ValueError(msg)
        return self


class Evaluation(Record):
    """One metric value as a review printed it.

    `value` is a fraction for rates and in the study's own unit for ``mae``; with the operator
    ``>`` it is a lower bound, with ``range`` it runs to `value_high`. Neither is a point.
    """

    metric: Metric
    operator: Operator
    value: float
    value_high: float | None = None


class Study(Record):
    """One publication with what is needed to cite it."""

    key: str
    first_author: str
    year: int | None
    title: str | None = None
    venue: str = ""
    doi: str | None = None

    @property
    def citation(self) -> str:
        """Author, year, title and DOI in one line."""
        title = f", {self.title}" if self.title else ""
        doi = f", doi:{self.doi}" if self.doi else ""
        return f"{self.first_author} {self.year or 'n.d.'}{title}{doi}"


class ArmRecord(Record):
    """One backbone x approach x initialisation x head on a data set of a study.

    The task fields (`modality` to `n_augmented`) are those of the extraction, repeated on each
    of its arms so that the recommender needs nothing else.
    """

    schema_version: Literal[1] = 1
    study: Study
    review: str
    locator: str
    role: Role
    backbone: str
    family: str
    approach: Approach
    initialisation: Initialisation
    head: Head
    modality: str | None
    anatomy: tuple[str, ...]
    tasks: tuple[Task, ...]
    n_classes: int | None
    n_images: int | None
    n_augmented: int | None
    augmentation: Augmentation
    visualization: Visualization
    evaluations: tuple[Evaluation, ...]


class Claim(Record):
    """A statement of a review, with its section and value.

    `figure` is the key of the printed figure that recomputes the value, where the rows can.
    """

    key: str
    review: str
    kind: ClaimKind
    topic: str
    section: str
    statement: str
    value: str = ""
    unit: str = ""
    figure: str | None = None
    note: str = ""


class Backbone(Record):
    """A pretrained network by its name in the literature, and the model that carries it out.

    `n_parameters` and `n_macs` (multiply-accumulates of one image at `input_px`) were counted
    with the 1000-class head; all are None where no library has the model. `imagenet_top1` is the
    accuracy, a fraction, of the weights that `imagenet_source` names; they are weights of the
    same network, but need not be those of `model`.
    """

    name: str
    family: str
    aliases: tuple[str, ...] = ()
    library: Literal["timm", "torchvision", ""] = ""
    model: str = ""
    input_px: int | None = None
    n_parameters: int | None = None
    n_macs: int | None = None
    year: int | None = None
    imagenet_top1: float | None = None
    imagenet_source: str = ""
    note: str = ""


class ControlledResult(Record):
    """One cell of a controlled table: a configuration on a data set, all else held equal.

    Attributes
    ----------
    table : str
        Key of the table; only values of one table, data set and metric may be compared.
    dataset, origin : str
        Name of the data set, and what it was made from: data sets of one origin share images.
    n_images : int or None
        Images that there were to learn from.
    pretraining : str
        What the weights were trained on, e.g. ``imagenet``; empty for random weights.
    value : float
        A fraction for rates.
    seconds : float or None
        CPU time of the training, where the table gives it.
    """

    schema_version: Literal[1] = 1
    table: str
    dataset: str
    origin: str
    modality: str | None
    anatomy: str | None
    n_images: int | None
    n_classes: int | None
    task: Task
    backbone: str
    family: str
    approach: Approach
    initialisation: Initialisation
    pretraining: str
    head: Head
    metric: Metric
    value: float
    seconds: float | None = None


class RunRecord(Record):
    """One training of ours, as stored; never counted as a study.

    Attributes
    ----------
    metrics : dict
        Split -> metric -> ``{"value", "low", "high"}``.
    peak_memory_mb : float or None
        What the training took at most, in 10^6 bytes; None where it is not known.
    epochs : int or None
        That the network was trained for; None where it was not, or in records of before.
    initialisation : str or None
        None in records of before, where it is not known.
    n_blocks : int or None
        From the top that were trained, where only some were.
    """

    schema_version: Literal[1] = 1
    run_id: str
    started_at: str
    status: Literal["finished", "failed"]
    folder: str
    modality: str
    anatomy: str | None
    task: str
    n_images: int
    n_classes: int | None
    backbone_recommended: str
    backbone: str
    weights: str
    approach: Approach
    head: Head
    seed: int
    device: str
    seconds: float
    metrics: dict[str, dict[str, dict[str, float | None]]]
    digests: dict[str, str]
    versions: dict[str, str]
    error: str = ""
    peak_memory_mb: float | None = None
    epochs: int | None = None
    initialisation: Initialisation | None = None
    n_blocks: int | None = None


class ShippedRun(Record):
    """One training that ships with evtl, on a data set of the controlled comparisons.

    `auc`, `accuracy` and `balanced_accuracy` are those of the test part, in [0, 1], with the ends
    of their 95% bootstrap intervals by patient, of this run alone. `epochs` and `n_blocks` are
    None where the approach has none; `cpu_s` is CPU time, `seconds` wall time of the whole.
    """

    schema_version: Literal[1] = 1
    run_id: str
    dataset: str
    n_images: int
    n_classes: int
    seed: int
    backbone: str
    approach: Approach
    initialisation: Initialisation
    n_blocks: int | None
    head: Head
    epochs: int | None
    auc: float
    auc_low: float | None
    auc_high: float | None
    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None
    balanced_accuracy: float
    balanced_accuracy_low: float | None
    balanced_accuracy_high: float | None
    seconds: float
    cpu_s: float
    peak_memory_mb: float | None
    device: str
    versions: str


class ChangeSet(Record):
    """One change of the corpus: by whom, why, and how many rows it added, changed, removed.

    `undoes` is the number of the change set that it takes back; `at` is in UTC.
    """

    id: int
    at: str
    actor: str
    kind: str
    reason: str
    undoes: int | None = None
    n_added: int
    n_changed: int
    n_removed: int


class Release(Record):
    """A named state of the corpus; `change_set` is the last one that it holds."""

    tag: str
    at: str
    actor: str
    digest: str
    change_set: int | None


class RowChange(Record):
    """One row of a corpus file that differs between two states.

    `columns` holds column, text before and text after; a row that came or went has the single
    column ``row``.
    """

    file: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str | None, str | None], ...]


class PossibleDuplicate(Record):
    """A study that was taken up although it may be one that was there; a person has to look."""

    study: str
    of: str
    rule: str


class Imported(Record):
    """What an import brought.

    `n_known` records were recognised as studies of the store; `change_set` is None where
    everything was there already.
    """

    n_read: int
    n_new_studies: int = 0
    n_known: int = 0
    possible: tuple[PossibleDuplicate, ...] = ()
    change_set: ChangeSet | None = None
    dry_run: bool = False


@dataclass(frozen=True, eq=False)
class Corpus:
    """Everything of the store that a recommendation rests on.

    No `Record`: a million arms are columns, which nobody prints or validates as a whole.
    """

    digest: str
    arms: "ArmTable"
    claims: tuple[Claim, ...]
    backbones: tuple[Backbone, ...]
    runs: tuple[RunRecord, ...] = ()
    controlled: tuple[ControlledResult, ...] = ()
    shipped: tuple[ShippedRun, ...] = ()
