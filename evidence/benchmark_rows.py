"""Row models of the files of controlled comparisons: tables, data sets, results, shipped runs."""

from functools import partial
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evidence.rows import Doi, Name, Positive, Row
from evidence.vocabulary import (
    ANATOMY,
    MODALITY,
    RATES,
    Approach,
    Head,
    Initialisation,
    Metric,
    Task,
    canonical,
)

_BLANK_IS_NONE = BeforeValidator(lambda cell: cell or None)
#: Databases do not keep the sign of a zero; adding zero takes it away.
Measured = Annotated[
    float, Field(ge=0, allow_inf_nan=False), AfterValidator(lambda value: value + 0.0)
]
Rate = Annotated[Measured, Field(le=1)]
Bound = Annotated[Rate | None, _BLANK_IS_NONE]
Taken = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BenchmarkTableRow(Row):
    """A row of ``benchmark_tables.csv``: one controlled comparison, with its source.

    `held_equal` says what was the same for everything that the table compares. `arxiv` is the
    identifier of a preprint, e.g. ``2412.20172``.
    """

    natural_key = ("table",)

    table: Name
    citation: Name
    doi: Annotated[Doi | None, _BLANK_IS_NONE]
    arxiv: Annotated[str, Field(pattern=r"^([0-9]{4}\.[0-9]{4,5}|[a-z-]+/[0-9]{7})?$")]
    held_equal: Name
    note: str


class BenchmarkDatasetRow(Row):
    """A row of ``benchmark_datasets.csv``: what a data set of controlled comparisons shows.

    Data sets that were made from the same source images share `origin`. `n_images` is the number
    of images that there were to learn from; learnt from another number of them it is another row.
    """

    natural_key = ("dataset",)

    dataset: Name
    label: Name
    origin: Name
    modality: Annotated[
        Annotated[str, AfterValidator(partial(canonical, MODALITY))] | None, _BLANK_IS_NONE
    ]
    anatomy: Annotated[
        Annotated[str, AfterValidator(partial(canonical, ANATOMY))] | None, _BLANK_IS_NONE
    ]
    n_images: Positive
    n_classes: Annotated[Annotated[int, Field(ge=2)] | None, _BLANK_IS_NONE]
    task: Task
    note: str


class BenchmarkRow(Row):
    """A row of ``benchmarks.csv``: what one configuration reached on one data set.

    `pretraining` names what the weights were trained on; random weights have none. `value` is a
    fraction for rates. `cpu_s` is the CPU time of the training where the table gives it.
    """

    natural_key = (
        "table", "dataset", "backbone", "approach", "initialisation", "pretraining", "head",
        "metric",
    )  # fmt: skip

    table: Name
    dataset: Name
    backbone: Name
    approach: Approach
    initialisation: Initialisation
    pretraining: str
    head: Head
    metric: Metric
    value: Measured
    cpu_s: Annotated[Measured | None, _BLANK_IS_NONE]

    @model_validator(mode="after")
    def _says_on_what(self) -> "BenchmarkRow":
        if bool(self.pretraining) != (self.initialisation == "pretrained"):
            msg = "pretrained weights name in pretraining what they were trained on, others nothing"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _rates_are_fractions(self) -> "BenchmarkRow":
        if self.metric in RATES and self.value > 1:
            msg = f"{self.metric} is a fraction in [0, 1]; divide per cent by 100"
            raise ValueError(msg)
        return self


def _said(word: str) -> str:
    if word in {"none", "unspecified"}:
        msg = "a run of our own says what it did"
        raise ValueError(msg)
    return word


class ShippedRunRow(Row):
    """A row of ``runs.csv``: one training that ships with evtl.

    Intervals are bootstrap 95% intervals by patient of this run alone; they are empty where they
    were not drawn. `epochs` and `n_blocks`, the blocks from the top that were trained, are empty
    where the approach has none. `versions` names the software.
    """

    natural_key = ("run_id",)
    #: Metrics that stand with an interval.
    metrics: ClassVar[tuple[str, ...]] = ("auc", "accuracy", "balanced_accuracy")

    run_id: Name
    dataset: Name
    n_images: Annotated[int, Field(ge=1)]
    n_classes: Annotated[int, Field(ge=2)]
    seed: Annotated[int, Field(ge=0)]
    backbone: Name
    approach: Annotated[Approach, AfterValidator(_said)]
    initialisation: Annotated[Initialisation, AfterValidator(_said)]
    n_blocks: Positive
    head: Annotated[Head, AfterValidator(_said)]
    epochs: Positive
    auc: Rate
    auc_low: Bound
    auc_high: Bound
    accuracy: Rate
    accuracy_low: Bound
    accuracy_high: Bound
    balanced_accuracy: Rate
    balanced_accuracy_low: Bound
    balanced_accuracy_high: Bound
    seconds: Taken
    cpu_s: Measured
    peak_memory_mb: Annotated[Taken | None, _BLANK_IS_NONE]
    device: Name
    versions: Name

    @model_validator(mode="after")
    def _says_what_was_trained(self) -> "ShippedRunRow":
        if (self.epochs is None) != self.approach.startswith("feature_extractor"):
            msg = "fine-tuning says its epochs, a frozen backbone has none"
            raise ValueError(msg)
        if (self.n_blocks is None) == (self.approach == "fine_tuning"):
            msg = "fine_tuning says in n_blocks how many blocks were trained, nothing else does"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _lies_within_its_interval(self) -> "ShippedRunRow":
        for metric in self.metrics:
            low, value, high = (getattr(self, f"{metric}{end}") for end in ("_low", "", "_high"))
            if (low is None) != (high is None):
                msg = f"{metric}: give both ends of the interval or none"
                raise ValueError(msg)
            if low is not None and not low <= value <= high:
                msg = f"{metric}: {value:g} is not within {low:g} to {high:g}"
                raise ValueError(msg)
        return self
