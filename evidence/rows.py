"""One pydantic model per corpus file: what a row may hold, and why it is refused."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from evidence.notation import (
    ArmNotation,
    CountNotation,
    EvaluationNotation,
    HardwareNotation,
    SizeNotation,
    items,
    parse_arm,
    parse_count,
    parse_evaluation,
    parse_hardware,
    parse_size,
)
from evidence.reference import normal_doi, normal_pmid
from evidence.vocabulary import (
    ANATOMY,
    MODALITY,
    Approach,
    Augmentation,
    ClaimKind,
    ClassType,
    Compared,
    Head,
    Initialisation,
    Preprocessing,
    ReviewType,
    Subject,
    Task,
    Team,
    Veracity,
    Verdict,
    Visualization,
    canonical,
)


def _blank_is_none(text: Any) -> Any:
    return None if text == "" else text


def _blank_is(default: str) -> BeforeValidator:
    return BeforeValidator(lambda text: default if text == "" else text)


def _each(parse: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda cell: tuple(parse(item) for item in items(cell)))


def _task(word: str) -> str:
    if word not in get_args(Task):
        msg = f"{word!r} is none of {', '.join(get_args(Task))}"
        raise ValueError(msg)
    return word


Count = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_blank_is_none)]
Positive = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_blank_is_none)]
Fraction = Annotated[Annotated[float, Field(gt=0, le=1)] | None, BeforeValidator(_blank_is_none)]


def _as_written(normal: Callable[[str], str]) -> AfterValidator:
    """Refuse what has no normal form; keep the text as it is written."""

    def check(text: str) -> str:
        if normal(text):
            return text
        msg = "an identifier, or an empty cell"
        raise ValueError(msg)

    return AfterValidator(check)


Doi = Annotated[str, _as_written(normal_doi)]
Pmid = Annotated[str, _as_written(normal_pmid)]
Words = Annotated[tuple[str, ...], BeforeValidator(items)]
Name = Annotated[str, Field(min_length=1)]


class Row(BaseModel):
    """Base of every corpus row: unknown columns refused, text stripped."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    #: Columns that together name a row.
    natural_key: ClassVar[tuple[str, ...]]
    #: What stands between the items of a list cell, where it is not a bare semicolon.
    separators: ClassVar[dict[str, str]] = {}

    @field_validator("*", mode="before")
    @classmethod
    def _stripped(cls, cell: Any) -> Any:
        """Strip as list cells are, before a blank cell is read; pydantic strips less, and later."""
        strips = cls.model_config.get("str_strip_whitespace") and isinstance(cell, str)
        return cell.strip() if strips else cell

    @property
    def key(self) -> tuple[str, ...]:
        """Text of the natural key."""
        return tuple(str(getattr(self, column)) for column in self.natural_key)

    def cells(self) -> dict[str, str]:
        """The row as it is written to a file; reading that gives an equal row."""
        return {name: self._cell(name) for name in type(self).model_fields}

    def _cell(self, name: str) -> str:
        value = getattr(self, name)
        if type(value) is tuple:
            return self.separators.get(name, ";").join(map(str, value))
        return "" if value is None else str(value)


class ReviewRow(Row):
    """A row of ``reviews.csv``."""

    natural_key = ("review",)

    review: Name
    title: Name
    authors: Name
    journal: Name
    year: int
    volume: str
    pages: str
    doi: Annotated[Doi | None, BeforeValidator(_blank_is_none)]
    review_type: ReviewType
    window_start: str
    window_end: str
    databases: Words
    n_included: Count
    n_included_note: str
    agreement: str


class PublicationRow(Row):
    """A row of ``publications.csv``: one study as it is cited."""

    natural_key = ("study_key",)
    separators: ClassVar[dict[str, str]] = {"authors": "; ", "keywords": "; "}

    study_key: Name
    first_author: Name
    authors: Words
    year: Annotated[Annotated[int, Field(ge=1000, le=2100)] | None, BeforeValidator(_blank_is_none)]
    title: Annotated[str | None, BeforeValidator(_blank_is_none)]
    venue: str
    doi: Annotated[Doi | None, BeforeValidator(_blank_is_none)]
    pmid: Annotated[Pmid | None, BeforeValidator(_blank_is_none)]
    volume: str
    pages: str
    keywords: Words
    abstract: str
    cited_from: Name


class BackboneRow(Row):
    """A row of ``backbones.csv``."""

    natural_key = ("backbone",)

    backbone: Name
    family: Name
    aliases: Words
    library: Literal["timm", "torchvision", ""]
    model: str
    input_px: Positive
    n_parameters: Positive
    n_macs: Positive
    year: Positive
    # Change sets of before hold rows without these two.
    imagenet_top1: Fraction = None
    imagenet_source: str = ""
    note: str

    @model_validator(mode="after")
    def _cites_the_accuracy(self) -> "BackboneRow":
        if (self.imagenet_top1 is None) != (self.imagenet_source == ""):
            msg = "imagenet_top1 and imagenet_source go together: a figure and where it stands"
            raise ValueError(msg)
        return self


class ClaimRow(Row):
    """A row of ``claims.csv``."""

    natural_key = ("claim",)

    claim: Name
    review: Name
    kind: ClaimKind
    topic: Name
    section: Name
    statement: Name
    value: str
    unit: str
    figure: str
    note: str


class PrintedFigureRow(Row):
    """A row of ``printed_figures.csv``: an aggregate figure of a review, and its recomputation."""

    natural_key = ("figure",)

    figure: Name
    review: Name
    section: Name
    label: Name
    printed: Annotated[str, Field(pattern=r"^(-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?|\d+(;\d+)*|)$")]
    unit: Name
    recomputed: str
    verdict: Verdict
    cause: str
    query: Annotated[str, Field(pattern=r"^((?i:select|with)\s[^;]+)?$")]

    @model_validator(mode="after")
    def _says_why(self) -> "PrintedFigureRow":
        if bool(self.cause) == (self.verdict == "agrees"):
            msg = "what does not agree has a cause ('unknown' where it is), what agrees has none"
            raise ValueError(msg)
        if bool(self.query) == (self.verdict == "not_answerable"):
            msg = "a figure without a query is not_answerable, one with a query is answered"
            raise ValueError(msg)
        if not self.printed and self.unit != "references":
            msg = "only a set of references can be printed empty"
            raise ValueError(msg)
        return self


class CellRow(Row):
    """A row of ``cells.csv``: one cell of a printed table, letter for letter."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)
    natural_key = ("review", "study_key", "table", "column")

    review: Name
    study_key: Name
    table: Name
    row: Name
    ref_printed: str
    column: Name
    printed: str


class FieldSourceRow(Row):
    """A row of ``field_sources.csv``: where a field was read.

    A column of the printed tables, or a statement that the field follows from; an empty table
    stands for every table.
    """

    natural_key = ("review", "field", "table", "column")

    review: Name
    field: Name
    table: str
    column: str
    statement: str

    @model_validator(mode="after")
    def _one_source(self) -> "FieldSourceRow":
        if bool(self.column) == bool(self.statement):
            msg = "give the column, or the statement that the field follows from"
            raise ValueError(msg)
        return self


class StudyRow(Row):
    """A row of ``studies.csv``: one review's extraction of one study."""

    natural_key = ("review", "study_key")

    review: Name
    study_key: Name
    status: Literal["extracted", "known"]
    table: Name
    position: Annotated[int, Field(ge=1)]
    row_label: Name
    ref_printed: str
    ref: str
    reading: Literal["as_printed", "repaired", "inferred"]
    year: Annotated[int, Field(ge=1990, le=2100)]
    image_type: str
    modality: Annotated[
        Annotated[str, AfterValidator(partial(canonical, MODALITY))] | None,
        BeforeValidator(_blank_is_none),
    ]
    anatomy: Annotated[tuple[str, ...], _each(partial(canonical, ANATOMY))]
    objective: str
    task: Annotated[tuple[Task, ...], _each(_task)]
    subject: Subject
    backbone: Annotated[tuple[ArmNotation, ...], _each(parse_arm)]
    benchmarks: Annotated[tuple[ArmNotation, ...], _each(parse_arm)]
    approach_as_printed: str
    approach: Annotated[Approach, _blank_is("unspecified")]
    initialisation: Annotated[Initialisation, _blank_is("unspecified")]
    head: Annotated[Head, _blank_is("unspecified")]
    layers_unfrozen: str
    class_type: ClassType
    n_classes: Annotated[Annotated[int, Field(ge=2)] | None, BeforeValidator(_blank_is_none)]
    n_images: Positive
    n_augmented: Positive
    augmentation: Annotated[Augmentation, _blank_is("unknown")]
    counts: Annotated[tuple[CountNotation, ...], _each(parse_count)]
    evaluations: Annotated[tuple[EvaluationNotation, ...], _each(parse_evaluation)]
    visualization: Annotated[Visualization, _blank_is("unknown")]
    veracity: Veracity
    n_experts: Count
    preprocessing: Preprocessing
    image_size_px: Annotated[tuple[SizeNotation, ...], _each(parse_size)]
    n_datasets: Count
    specialist_comparison: Compared
    n_specialists: Count
    traditional_comparison: Compared
    software: Words
    hardware: Annotated[tuple[HardwareNotation, ...], _each(parse_hardware)]
    team: Team
    note: str

    @field_validator("n_augmented")
    @classmethod
    def _grows(cls, value: int | None, info: ValidationInfo) -> int | None:
        n_images = info.data.get("n_images")
        if value is not None and n_images is not None and value < n_images:
            msg = f"augmentation does not shrink a data set of {n_images}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _extracted_has_arms(self) -> "StudyRow":
        if self.status == "extracted" and not self.backbone:
            msg = "an extracted study names at least one backbone ('unknown' if not printed)"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _nothing_hangs_in_the_air(self) -> "StudyRow":
        """An approach belongs to an arm; without one it would be lost."""
        how = {self.approach, self.initialisation, self.head} - {"unspecified"}
        if not self.backbone and (how or self.layers_unfrozen):
            msg = "approach, initialisation, head and layers_unfrozen need a backbone"
            raise ValueError(msg)
        return self
