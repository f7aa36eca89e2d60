"""What a form asks of a study: the columns of the corpus files in the words of people."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from evidence.rows import PublicationRow, Row, StudyRow
from evidence.study_entry import Known
from evidence.vocabulary import ANATOMY, MODALITY, Metric, Task

Kind = Literal["text", "area", "number", "choice"]


class Field(NamedTuple):
    """One column: its label, what may be written there, and which list suggests words."""

    name: str
    label: str
    hint: str = ""
    suggest: str = ""
    kind: Kind = "text"
    options: tuple[str, ...] = ()

    @property
    def is_wide(self) -> bool:
        """Whether it takes a line of its own."""
        return self.kind == "area" or self.name in _LINES


class Group(NamedTuple):
    """Fields that belong together; those that are seldom needed are folded away."""

    title: str
    fields: tuple[Field, ...]
    folded: bool = False


#: Columns of whole text.
_AREAS = frozenset({"abstract", "note", "authors", "benchmarks", "evaluations"})
#: Columns of a long line.
_LINES = frozenset({"title", "backbone"})
#: What a choice says where nothing is chosen.
NOTHING = "not reported"
_ARM = "backbone/approach/initialisation/head, later parts optional"

_PUBLICATION: Mapping[str, tuple[tuple[Any, ...], ...]] = {
    "Publication": (
        ("title", "Title"),
        ("authors", "Authors", "In order, separated by ; e.g. Doe, Jane; Roe, B."),
        ("year", "Year", "Four digits."),
        ("venue", "Journal or book"),
        ("doi", "DOI", "e.g. 10.1002/mp.13361"),
        ("pmid", "PubMed number", "Up to eight digits."),
    ),
    "More of the publication": (
        ("first_author", "First author", "Family name; taken from the authors where empty."),
        ("volume", "Volume"),
        ("pages", "Pages"),
        ("keywords", "Keywords", "Separated by ;"),
        ("cited_from", "Cited from", "The review that brought it; the one below where empty."),
        ("abstract", "Abstract"),
    ),
}
_EXTRACTION: Mapping[str, tuple[tuple[Any, ...], ...]] = {
    "Images": (
        ("modality", "Modality", "One key, e.g. ultrasound, mri, dermoscopy.", "modalities"),
        ("anatomy", "Anatomy", "Keys separated by ; e.g. breast or chest;heart", "anatomies"),
        ("n_images", "Number of images", "Before augmentation."),
        ("n_classes", "Number of classes", "2 or more; empty for a number."),
        ("task", "Task", "classification, regression or detection; several with ;", "tasks"),
        ("objective", "Objective", "In a few words, e.g. Breast lesion classification."),
    ),
    "Model": (
        ("backbone", "Backbone", f"{_ARM}; several with ; e.g. VGG-16 or VGG-16/none/random",
         "backbones"),
        ("benchmarks", "Compared with", f"{_ARM}; several with ; e.g. AlexNet;ResNet-50",
         "backbones"),
        ("approach", "Approach", "fine_tuning: some layers; fine_tuning_from_scratch: all."),
        ("initialisation", "Initial weights"),
        ("head", "Classifier"),
        ("layers_unfrozen", "Layers trained", "As the study says it, e.g. last 12 layers."),
    ),
    "Result": (
        ("evaluations", "Values", "metric=value, metric>value or metric=low..high, separated by ; "
         "rates from 0 to 1, e.g. auc=0.936;accuracy>0.8", "metrics"),
        ("augmentation", "Augmentation"),
        ("n_augmented", "Images after augmentation"),
        ("visualization", "Visual explanation"),
    ),
    "More of the images and the method": (
        ("image_type", "Images in the study's words"),
        ("subject", "Of"),
        ("class_type", "Classes are"),
        ("counts", "Counts", "stage number unit, separated by ; e.g. train_val 4896 images;"
         "test 1224 images"),
        ("image_size_px", "Image sizes", "width x height in pixels, e.g. 224x224 or 512x512x3"),
        ("n_datasets", "Data sets"),
        ("preprocessing", "Preprocessing"),
        ("veracity", "Ground truth"),
        ("n_experts", "Experts who labelled"),
        ("specialist_comparison", "Compared with specialists"),
        ("n_specialists", "Specialists"),
        ("traditional_comparison", "Compared with other methods"),
        ("approach_as_printed", "Approach in the study's words"),
        ("software", "Software", "Separated by ;"),
        ("hardware", "Hardware", "Number and device, separated by ; e.g. 2 GPU"),
        ("team", "Team"),
        ("note", "Note"),
    ),
    "Where it stands": (
        ("status", "Status", "known: cited only, nothing was read."),
        ("reading", "Reading"),
        ("year", "Year as read", "That of the publication where empty."),
        ("table", "Table", "own reading where empty."),
        ("position", "Row of the table", "1 where empty."),
        ("row_label", "Label of the row", "First author and year where empty."),
        ("ref_printed", "Reference as printed"),
        ("ref", "Reference as resolved"),
    ),
}  # fmt: skip
_FOLDED = ("More", "Where")


def _groups(model: type[Row], said: Mapping[str, tuple[tuple[Any, ...], ...]]) -> tuple[Group, ...]:
    return tuple(
        Group(title, tuple(_field(model, *each) for each in fields), title.startswith(_FOLDED))
        for title, fields in said.items()
    )


def _field(model: type[Row], name: str, label: str, hint: str = "", suggest: str = "") -> Field:
    options = _words(model.model_fields[name].annotation)
    kind: Kind = "choice" if options else "area" if name in _AREAS else "text"
    return Field(name, label, hint, suggest, kind, options)


def _words(annotation: Any) -> tuple[str, ...]:
    """Words of a choice; none for a column of another kind."""
    if get_origin(annotation) is not Literal:
        return ()
    return tuple(word for word in get_args(annotation) if word)


PUBLICATION = _groups(PublicationRow, _PUBLICATION)
EXTRACTION = _groups(StudyRow, _EXTRACTION)
REVIEW = Field("review", "Review", "A review of your own, e.g. living or thyroid2026.", "reviews")
#: Choices that are never empty.
ALWAYS = frozenset({"status", "reading"})


def fields(groups: tuple[Group, ...]) -> tuple[Field, ...]:
    """The fields of all groups."""
    return tuple(field for group in groups for field in group.fields)


def suggested(known: Known) -> dict[str, tuple[str, ...]]:
    """Words of each list that fields name in `Field.suggest`."""
    return {
        "modalities": tuple(term.key for term in MODALITY.terms),
        "anatomies": tuple(term.key for term in ANATOMY.terms),
        "tasks": get_args(Task),
        "metrics": tuple(f"{metric}=" for metric in get_args(Metric)),
        "backbones": known.backbones,
        "reviews": known.reviews,
    }
