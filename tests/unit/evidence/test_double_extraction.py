"""Readings of two people are compared by what they mean, not by how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evidence.double_extraction import agreement, conflicts, readings
from evidence.living_rows import READ_FIELDS, ReadingRow, study_cell
from evidence.rows import StudyRow
from tests.unit.evidence.living import EXTRACTION, REVIEW, read


def test_only_cells_that_say_something_become_readings() -> None:
    cells = dict.fromkeys(StudyRow.model_fields, "") | EXTRACTION | {"n_images": "780"}
    row = StudyRow.model_validate(cells | {"review": REVIEW, "study_key": "doe-2020"})
    found = {reading.field: reading.value for reading in readings(row, "anna")}
    assert found == EXTRACTION | {"n_images": "780"}


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("anatomy", "breast; brain", "brain;breast"),
        ("benchmarks", "AlexNet;VGG-19", "VGG-19 ;AlexNet"),
        ("n_images", "0780", "780"),
        ("approach", "", "unspecified"),
        ("software", "Keras", " Keras "),
    ],
)
def test_one_thing_written_in_two_ways_is_no_conflict(field: str, one: str, other: str) -> None:
    rows = [*read("anna", {field: one}), *read("ben", {field: other})]
    assert conflicts(rows) == ()


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("n_images", "780", "800"),
        ("anatomy", "breast", "breast;brain"),
        ("backbone", "VGG-16;VGG-19", "VGG-19;VGG-16"),
        ("modality", "ultrasound", ""),
        ("evaluations", "auc=0.9;accuracy=0.8", "accuracy=0.8;auc=0.9"),
    ],
)
def test_a_difference_is_a_conflict_that_says_who_said_what(
    field: str, one: str, other: str
) -> None:
    (found,) = conflicts([*read("ben", {field: other}), *read("anna", {field: one})])
    assert (found.study_key, found.field) == ("doe-2020", field)
    assert found.said == (("anna", one), ("ben", other))


def test_what_only_one_of_them_found_is_a_conflict() -> None:
    (found,) = conflicts([*read("anna", {"head": "svm"}), *read("ben", {})])
    assert found.said == (("anna", "svm"), ("ben", "unspecified"))


def test_an_adjudicated_field_is_no_conflict() -> None:
    rows = [*read("anna", {"n_images": "780"}), *read("ben", {"n_images": "800"})]
    word = rows[-1].model_copy(update={"reader": "carl", "role": "adjudicator"})
    assert len(conflicts(rows)) == 1
    assert conflicts([*rows, word]) == ()


def test_what_one_person_read_is_in_conflict_with_nobody() -> None:
    assert conflicts(read("anna", {"n_images": "780"})) == ()


@given(st.permutations([*read("anna", {"n_images": "9", "head": "svm"}), *read("ben", {})]))
def test_the_order_of_readings_does_not_matter(rows: list[ReadingRow]) -> None:
    assert [one.field for one in conflicts(rows)] == ["head", "n_images"]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("n_images", "many", "valid integer"),
        ("colour", "red", "a reading is of one of status, table"),
        ("modality", "ultrasond", "did you mean ultrasound"),
        ("year", "", "valid integer"),
        ("study_key", "x", "a reading is of one of"),
    ],
)
def test_a_reading_that_studies_may_not_hold_is_refused(
    field: str, value: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        read("anna", {field: value})


@pytest.mark.parametrize("field", READ_FIELDS)
def test_every_field_can_be_tried_on_its_own(field: str) -> None:
    shown = EXTRACTION.get(field, "")
    assert study_cell(field, study_cell(field, shown)) == study_cell(field, shown)


def test_kappa_is_of_fields_that_hold_one_word_of_a_few() -> None:
    said = [("svm", "svm"), ("svm", "linear"), ("linear", "linear"), ("linear", "linear")]
    rows = [
        row
        for at, (one, other) in enumerate(said)
        for person, head in (("anna", one), ("ben", other))
        for row in read(person, {"head": head, "n_images": str(at + 1)}, study=f"s{at}")
    ]
    found = {one.field: one.kappa for one in agreement(rows)}
    # By hand: 3 of 4 alike, by chance (2 * 1 + 2 * 3) / 16 = 1/2.
    assert (found["head"].n, found["head"].agreement) == (4, 0.75)
    assert found["head"].kappa == pytest.approx(0.5, abs=1e-12)  # rounding of a division
    assert (found["n_images"].agreement, found["n_images"].kappa) == (1, None)
    assert "not one word of a few" in found["n_images"].reason


def test_readers_who_share_no_study_have_no_agreement() -> None:
    assert agreement([*read("anna", {}, study="a"), *read("ben", {}, study="b")]) == ()
