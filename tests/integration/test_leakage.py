"""On real sets of images: copies, leaks, contradictions and shortcuts that are known to be there.

What is known is said in each set's own description.
"""

import csv
import os
from pathlib import Path

import pytest

from tests.unit.trainer.toys import plan_of
from trainer.errors import TrainingError
from trainer.images import ImageSet, read_images
from trainer.preparing.leakage import check_leakage
from trainer.preparing.near_duplicates import find_near_duplicates, with_alike
from trainer.preparing.shortcuts import find_shortcuts
from trainer.preparing.splits import resamples, split_images

pytestmark = pytest.mark.data


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def images_of(name: str) -> ImageSet:
    folder = Path(os.environ.get("EVTL_TEST_DATA", "")) / name
    if not (folder / "split.csv").is_file():
        pytest.skip(f"needs {name} under EVTL_TEST_DATA")
    return read_images(folder)


def test_a_split_of_which_the_test_images_were_trained_on_is_refused() -> None:
    images = images_of("brain_mri_tumour_leaky")
    parts = split_images(images, plan_of())
    with pytest.raises(TrainingError, match=r"57 of 58 test images are identical") as caught:
        check_leakage(images, parts, allow=False)
    assert "glioma_tumor/te_image_1.jpg (identical: glioma_tumor/tr_gg_54.jpg" in str(caught.value)


def test_every_listed_near_duplicate_of_ultrasound_frames_is_found() -> None:
    images = images_of("busi_breast_us")
    found = find_near_duplicates(images, quiet)
    cluster = {images.files[n]: each for each in found.clusters for n in each}
    with (images.root / "near_duplicates.csv").open(encoding="utf-8") as file:
        listed = [(row["a"], row["b"]) for row in csv.DictReader(file)]
    assert len(listed) == 48
    assert [pair for pair in listed if cluster.get(pair[0]) != cluster.get(pair[1], ())] == []
    # the list stops at ten bits, where neighbouring frames of one film have just begun
    assert 40 <= len(found.clusters) <= 130
    assert len(found.identical) == 1

    alike = with_alike(images, found)
    for parts in resamples(alike, plan_of(n_folds=5)):
        assert check_leakage(alike, parts, allow=False, found=found).crossings == ()


def test_contradictions_of_ultrasound_frames_are_told_with_both_names() -> None:
    images = images_of("busi_breast_us")
    found = find_near_duplicates(images, quiet)
    report = check_leakage(images, split_images(images, plan_of()), allow=True, found=found)
    listed = [
        ("benign/benign_433.jpg", "malignant/malignant_145.jpg"),
        ("benign/benign_131.jpg", "malignant/malignant_51.jpg"),
        ("benign/benign_399.jpg", "malignant/malignant_93.jpg"),
        ("benign/benign_406.jpg", "malignant/malignant_94.jpg"),
    ]
    for pair in listed:
        assert any(set(pair) <= set(each.files) for each in report.conflicts), pair


def test_opaque_lenses_are_not_taken_for_each_other() -> None:
    found = find_near_duplicates(images_of("odir_cataract_fundus"), quiet)
    # one eye under two patients' names, and the same camera's dust on three opaque lenses
    assert found.n_images <= 5
    assert found.not_compared == {"featureless": 3}


def test_tiny_images_are_left_to_their_exact_copies() -> None:
    found = find_near_duplicates(images_of("pneumonia_xray_28px"), quiet)
    assert found.clusters == found.identical
    assert len(found.identical) == 26
    assert found.not_compared == {"smaller than 32 pixels": 5030}


def test_the_side_of_the_eye_is_a_shortcut_and_ultrasound_has_none() -> None:
    told = [str(each) for each in find_shortcuts(images_of("odir_cataract_fundus"), quiet)]
    assert any(each.startswith("all 150 images with 'left' in their name are") for each in told)
    assert find_shortcuts(images_of("busi_breast_us"), quiet) == ()
