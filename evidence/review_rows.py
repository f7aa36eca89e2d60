"""Row models of the files about the reviews themselves: flow, agreement, facts, disagreements."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evidence.notation import items
from evidence.rows import Count, Name, Positive, Row
from evidence.vocabulary import ANATOMY, MODALITY, FlowKind, canonical

Fact = Literal[
    "depth_class",
    "kernel_size",
    "n_conv_layers",
    "n_fc_layers",
    "n_layers",
    "n_parameters",
    "n_parameters_features",
    "output_activation",
    "source_dataset",
    "top5_error",
    "year",
]
DisagreementKind = Literal["advice", "same_study", "inside"]
#: Facts that are words; every other fact is a number.
WORDED_FACTS = frozenset({"depth_class", "kernel_size", "output_activation", "source_dataset"})

#: Databases do not keep the sign of a zero; adding zero takes it away.
Kappa = Annotated[
    Annotated[float, Field(ge=-1, le=1), AfterValidator(lambda value: value + 0.0)] | None,
    BeforeValidator(lambda cell: cell or None),
]


def _each(check: Callable[[str], str]) -> Any:
    return BeforeValidator(lambda cell: tuple(check(word) for word in items(cell)))


class FlowRow(Row):
    """A row of ``flow.csv``: one step of a review's screening, as printed.

    `n_derived` is what the other printed steps give for this one; the two may differ, and two
    statements of one step are two rows.
    """

    natural_key = ("review", "position")

    review: Name
    position: Annotated[int, Field(ge=1)]
    label: Name
    kind: FlowKind
    n_printed: Count
    n_derived: Count
    section: Name
    note: str


class AgreementRow(Row):
    """A row of ``agreement.csv``: how raters agreed; no value where a review gives only words."""

    natural_key = ("review", "position")

    review: Name
    position: Annotated[int, Field(ge=1)]
    stage: Literal["title_abstract", "full_text", "all"]
    statistic: Literal["cohen_kappa", "none"]
    value: Kappa
    n_raters: Positive
    section: Name
    note: str

    @model_validator(mode="after")
    def _value_has_statistic(self) -> "AgreementRow":
        if (self.value is None) != (self.statistic == "none"):
            msg = "a value needs its statistic, and the statistic 'none' has no value"
            raise ValueError(msg)
        return self


class BackboneFactRow(Row):
    """A row of ``backbone_facts.csv``: what one review says of one backbone.

    Facts belong to reviews: the same network is shallow in one and deep in another.
    """

    natural_key = ("review", "backbone", "fact", "section")

    review: Name
    backbone: Name
    fact: Fact
    value: Name
    unit: Literal["", "parameters", "layers", "year", "fraction"]
    printed: Name
    section: Name

    @model_validator(mode="after")
    def _number_or_word(self) -> "BackboneFactRow":
        worded = self.fact in WORDED_FACTS
        if worded == self.value.replace(".", "", 1).isdigit() or worded != (self.unit == ""):
            msg = f"{self.fact} is a {'word without' if worded else 'number with'} a unit"
            raise ValueError(msg)
        return self


class DisagreementRow(Row):
    """A row of ``disagreements.csv``: one side of a disagreement.

    `modality` and `anatomy` say for which images the side speaks (`;` between several, empty for
    all). Either `claim` is the key of the statement in ``claims.csv``, which has its section, or
    `statement` and `section` stand here.
    """

    natural_key = ("disagreement", "side")

    disagreement: Name
    topic: Name
    kind: DisagreementKind
    modality: Annotated[tuple[str, ...], _each(partial(canonical, MODALITY))]
    anatomy: Annotated[tuple[str, ...], _each(partial(canonical, ANATOMY))]
    side: Annotated[int, Field(ge=1)]
    review: Name
    study_key: str
    section: str
    statement: str
    claim: str

    @model_validator(mode="after")
    def _says_something_once(self) -> "DisagreementRow":
        if {bool(self.statement), bool(self.section)} != {not self.claim}:
            msg = "give a statement with its section, or the key of the claim that holds both"
            raise ValueError(msg)
        return self
