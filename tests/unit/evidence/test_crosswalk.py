"""The categories of the reviews map onto the vocabularies, and back, without loss."""

import csv
import re
from collections import defaultdict

import pytest
from pydantic import ValidationError

from evidence.crosswalk import CrosswalkRow, find, translate
from evidence.errors import UnknownTermError
from evidence.ingest import read_corpus
from evidence.notation import items
from evidence.rows import BackboneRow
from evidence.shipped import shipped
from evidence.vocabulary import ANATOMY

DATA = shipped("data")


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


ROWS = tuple(CrosswalkRow.model_validate(row) for row in _rows("crosswalk.csv"))
CELLS = {
    (row["review"], row["study_key"], row["column"]): row["printed"] for row in _rows("cells.csv")
}
PRINTED = [row for row in _rows("studies.csv") if row["review"] in {"morid2022", "fourcade2019"}]

#: Kim 2022, Methods, properties 5 and 6 in their printed order.
KIM_MODALITIES = (
    "endoscopy, CT/CAT scan, mammographic, microscopy, MRI, OCT, PET, photography, sonography, "
    "SPECT, X-ray/radiography, many"
).split(", ")
KIM_SUBJECTS = (
    "abdominopelvic cavity, alimentary system, bones, cardiovascular system, endocrine glands, "
    "genital systems, joints, lymphoid system, muscles, nervous system, tissue specimen, "
    "respiratory system, sense organs, the integument, thoracic cavity, urinary system, many, else"
).split(", ")
#: Kim 2022, Methods, property 1; the fifteen of Rahaman 2020; Results, "a specific model".
KIM_MODELS = (
    "AlexNet CaffeNet Inception1 Inception2 Inception3 Inception4 Inception-Resnet LeNet MobileNet"
    " ResNet VGG16 VGG19 DenseNet Xception"
    " ResNet50 ResNet101 ResNet152 ResNet50V2 ResNet101V2 ResNet152V2 InceptionResNet2 MobileNet1"
    " DenseNet121 DenseNet169 DenseNet201 XceptionNet ResNet18 ResNet34 VGG"
    " LeNet5 CheXNet DarkNet OverFeat"
).split()


def printed_category(study: dict[str, str]) -> tuple[str, str]:
    anatomy = CELLS.get((study["review"], study["study_key"], "AnantF"), "")
    return study["image_type"], anatomy


def printed_approach(study: dict[str, str]) -> tuple[str, str]:
    second = "FinalC" if study["review"] == "morid2022" else "Pre-training"
    key = (study["review"], study["study_key"])
    return study["approach_as_printed"], CELLS[*key, second]


def fits(study: dict[str, str]) -> bool:
    """Whether the row has the modality of its category, and its anatomy or parts of that."""
    modality, anatomy = translate(ROWS, study["review"], *printed_category(study))
    named = all(ANATOMY.is_within(word, anatomy) for word in items(study["anatomy"]) if anatomy)
    return study["modality"] == modality and named


def test_no_category_is_given_twice() -> None:
    keys = [(row.review, row.field, row.category, row.second_category) for row in ROWS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("review", ["morid2022", "kim2022", "fourcade2019"])
def test_two_categories_of_a_review_mean_the_same_only_as_spellings(review: str) -> None:
    categories: dict[tuple[object, ...], list[CrosswalkRow]] = defaultdict(list)
    for row in ROWS:
        if row.review == review and row.field != "approach" and any(row.target):
            categories[row.field, row.target].append(row)
    for same in categories.values():
        words = {re.sub(r"\s", "", row.category + row.second_category) for row in same}
        assert len(words) == 1
        unexplained = [row for row in same if not row.note.startswith("spelling of ")]
        assert len(unexplained) == 1


@pytest.mark.parametrize("review", ["morid2022", "kim2022"])
def test_two_approaches_of_a_review_never_mean_the_same(review: str) -> None:
    targets = [
        row.target
        for row in ROWS
        if (row.review, row.field) == (review, "approach") and any(row.target)
    ]
    assert len(set(targets)) == len(targets)


def test_kim_s_lists_are_complete() -> None:
    for field, words in (("modality", KIM_MODALITIES), ("anatomy", KIM_SUBJECTS)):
        rows = [row for row in ROWS if (row.review, row.field) == ("kim2022", field)]
        assert [row.category for row in rows] == sorted(words)
        blank = {row.category for row in rows if not any(row.target)}
        assert blank <= {"many", "else"}


def test_morid_s_22_anatomies_are_22_terms() -> None:
    """Morid 2022, Abstract: of 22 anatomical areas."""
    assert len({row.anatomy for row in ROWS if row.review == "morid2022" and row.anatomy}) == 22


def test_every_study_says_what_its_printed_category_says() -> None:
    unfit = {(row["review"], row["study_key"]) for row in PRINTED if not fits(row)}
    assert unfit == set()


def test_a_study_of_morid_has_exactly_the_printed_pair() -> None:
    for study in (row for row in PRINTED if row["review"] == "morid2022"):
        pair = translate(ROWS, "morid2022", *printed_category(study))
        assert pair == (study["modality"], study["anatomy"]), study["study_key"]


def test_every_study_has_the_printed_approach() -> None:
    columns = ("approach", "initialisation")
    for study in PRINTED:
        row = find(ROWS, study["review"], "approach", *printed_approach(study))
        assert [getattr(row, c) or "unspecified" for c in columns] == [study[c] for c in columns]
        assert row.head in {None, study["head"]}


def test_a_review_with_two_lists_is_looked_up_in_each() -> None:
    assert translate(ROWS, "kim2022", "sonography", "endocrine glands") == (
        "ultrasound", "endocrine_gland",
    )  # fmt: skip
    assert translate(ROWS, "kim2022", "MRI") == ("mri", None)
    assert translate(ROWS, "kim2022", "", "muscles") == (None, "muscle")
    assert translate(ROWS, "kim2022", "many", "else") == (None, None)


@pytest.mark.parametrize(
    ("review", "pair", "message"),
    [
        ("morid2022", ("CT", "Ear"), r"morid2022 has no modality_anatomy 'CT / Ear'; known: CT /"),
        ("kim2022", ("echo", ""), r"kim2022 has no modality 'echo'; known: CT/CAT scan, MRI"),
        ("kim2022", ("MRI", "ear"), r"kim2022 has no anatomy 'ear'; .*Add it to crosswalk\.csv"),
        ("doe2030", ("CT", ""), r"doe2030 has no modality 'CT'; known: none"),
    ],
)
def test_an_unknown_category_is_refused_with_those_that_are_known(
    review: str, pair: tuple[str, str], message: str
) -> None:
    with pytest.raises(UnknownTermError, match=message):
        translate(ROWS, review, *pair)


BLANK = dict.fromkeys(CrosswalkRow.model_fields, "") | {"review": "doe2030", "category": "x"}


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"field": "modality", "modality": "echo"}, "unknown modality 'echo'"),
        ({"field": "anatomy", "anatomy": "retina"}, "write the canonical key 'eye'"),
        ({"field": "anatomy", "modality": "ct", "anatomy": "eye"}, "leaves modality blank"),
        ({"field": "approach", "anatomy": "eye"}, "leaves anatomy blank"),
        ({"field": "approach", "approach": "finetune"}, "feature_extractor"),
        ({"field": "modality"}, "says why in its note"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(cells: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CrosswalkRow.model_validate(BLANK | cells)


def known_models() -> list[str]:
    rows = [
        BackboneRow.model_validate(line.row.cells()) for line in read_corpus(DATA)["backbones.csv"]
    ]
    return [name for row in rows for name in (row.backbone, *row.aliases)]


def test_a_name_means_one_model() -> None:
    names = known_models()
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", KIM_MODELS)
def test_every_model_that_kim_names_is_known(name: str) -> None:
    assert name in known_models()


def test_every_model_that_morid_prints_is_known() -> None:
    cells = [
        re.sub(r"-\s", "-", printed)
        for (review, _, column), printed in CELLS.items()
        if review == "morid2022" and column in {"Method", "Benchmark"}
    ]
    assert {name for cell in cells for name in cell.split(", ") if name} <= set(known_models())


@pytest.mark.parametrize(
    "name",
    ["GoogLeNet", "GoogleNet", "GoogleNet Inception v3", "OxfordNet", "VGG-Net", "ResNET", "VGG19",
     "ResNet152", "DenseNet201", "Personal", "Inception-V1", "ZFNet"],
)  # fmt: skip
def test_every_model_that_fourcade_or_morid_names_in_text_is_known(name: str) -> None:
    assert name in known_models()
