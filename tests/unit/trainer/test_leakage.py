"""A split that leaks is refused with the list; names of patients are told to nobody."""

from dataclasses import replace
from pathlib import Path

import pytest

from trainer.errors import TrainingError
from trainer.images import ImageSet
from trainer.preparing.leakage import Conflict, check_leakage, conflicts
from trainer.preparing.near_duplicates import NearDuplicates

NAMES = tuple(f"{number:02d}.png" for number in range(60))
PARTS = ("test",) * 30 + ("validation",) * 10 + ("train",) * 20
IMAGES = ImageSet(Path("set"), NAMES, ("a", "b") * 30, None, PARTS, NAMES)


def near(*clusters: tuple[int, ...], identical: tuple[tuple[int, ...], ...] = ()) -> NearDuplicates:
    return NearDuplicates(clusters, identical, 60, {})


def test_a_split_without_copies_passes_without_a_word() -> None:
    report = check_leakage(IMAGES, PARTS, allow=False, found=near((0, 2), (40, 42)))
    assert (report.crossings, report.warnings, report.n_test) == ((), (), 30)


def test_identical_files_that_cross_are_refused_with_the_list() -> None:
    leaky = replace(IMAGES, digests=tuple(f"{n % 25}" for n in range(60)))
    with pytest.raises(TrainingError, match=r"30 of 30 test images are identical") as caught:
        check_leakage(leaky, PARTS, allow=False)
    text = str(caught.value)
    assert "  00.png (identical: 50.png in train)" in text
    assert "and 15 more" in text  # five of them are validation images
    assert "--allow-leakage" in text
    assert check_leakage(leaky, PARTS, allow=True).count("identical") == 30


def test_identical_pixels_in_other_files_are_refused_too() -> None:
    found = near((3, 45), identical=((3, 45),))
    with pytest.raises(TrainingError, match=r"1 of 30 .*\n  03.png \(identical: 45.png in train"):
        check_leakage(IMAGES, PARTS, allow=False, found=found)


def test_groups_that_cross_are_refused_and_not_named() -> None:
    groups = tuple("Jane Doe" if number in (3, 35) else f"p{number}" for number in range(60))
    patients = replace(IMAGES, groups=groups)
    with pytest.raises(TrainingError, match=r"03.png \(same group 4: 35.png") as caught:
        check_leakage(patients, PARTS, allow=False)
    report = check_leakage(patients, PARTS, allow=True)
    assert "Jane" not in str(caught.value) + report.model_dump_json() + str(report.warnings)
    assert report.warnings == (
        "1 of 30 test images are of a patient or group that is also in training or validation",
    )


def test_near_duplicates_that_cross_are_reported() -> None:
    report = check_leakage(IMAGES, PARTS, allow=False, found=near((2, 4, 46), (6, 36)))
    assert [(each.test, each.other) for each in report.crossings] == [
        ("02.png", "46.png"),
        ("04.png", "46.png"),
        ("06.png", "36.png"),
    ]
    assert not report.refused
    assert report.warnings[0].startswith("3 of 30 test images are nearly identical")


def test_a_test_image_with_an_identical_one_is_not_told_twice() -> None:
    found = near((3, 45, 47), identical=((3, 45),))
    report = check_leakage(IMAGES, PARTS, allow=True, found=found)
    assert [each.kind for each in report.crossings] == ["identical"]


def test_validation_images_that_are_copies_of_training_images_are_refused() -> None:
    found = near((32, 46), identical=((32, 46),))
    with pytest.raises(TrainingError, match="1 validation images are copies of training") as caught:
        check_leakage(IMAGES, PARTS, allow=False, found=found)
    assert "(identical: " in str(caught.value)
    report = check_leakage(IMAGES, PARTS, allow=True, found=found)
    assert report.crossings == ()
    assert report.warnings[0].startswith("1 validation images are copies")


def test_validation_images_that_training_has_seen_are_counted() -> None:
    report = check_leakage(IMAGES, PARTS, allow=False, found=near((32, 46), (34, 36)))
    assert report.n_validation == 1
    assert report.warnings == ("1 validation images have their like in training",)


def test_images_that_are_alike_and_labelled_differently_are_listed_and_told_without_names() -> None:
    found = near((0, 2, 5), (8, 9), identical=((8, 9),))
    report = check_leakage(IMAGES, PARTS, allow=False, found=found)
    assert report.conflicts == (
        Conflict(
            kind="near-duplicate", files=("00.png", "02.png", "05.png"), labels=("a", "a", "b")
        ),
        Conflict(kind="identical", files=("08.png", "09.png"), labels=("a", "b")),
    )
    assert report.warnings == ("2 sets of images are alike and labelled differently",)


def test_one_file_under_two_labels_is_a_conflict_before_near_duplicates_are_known() -> None:
    images = ImageSet(Path(), ("x", "y", "z"), ("a", "b", "a"), None, None, ("1", "1", "2"))
    (found,) = conflicts(images)
    assert (found.kind, found.files) == ("identical", ("x", "y"))


def test_what_was_not_compared_is_said() -> None:
    found = NearDuplicates((), (), 57, {"featureless": 3})
    warnings = check_leakage(IMAGES, PARTS, allow=False, found=found).warnings
    assert warnings == ("3 images were not searched for near-duplicates: featureless",)
