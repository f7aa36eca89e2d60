"""What of a file predicts the label is told in words; chance is not taken for it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trainer.images import ImageSet
from trainer.preparing.shortcuts import find_shortcuts
from trainer.reading.thumbnails import FileFacts, Thumbnails

N = 120
LABELS = ("cataract", "normal") * (N // 2)


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def image_set(root: Path, names: list[str], labels: tuple[str, ...] = LABELS) -> ImageSet:
    digests = tuple(map(str, range(len(names))))
    return ImageSet(root, tuple(names), labels, None, None, digests)


def plain(seed: int = 0, **fields: Any) -> Thumbnails:
    """Images of random size and content, but for some facts: one value of each image."""
    rng = np.random.default_rng(seed)
    facts = [
        FileFacts(
            int(rng.integers(200, 300)), int(rng.integers(200, 300)),
            str(rng.choice(["PNG", "JPEG"])), int(rng.choice([8, 16])), bool(rng.random() < 0.5),
            int(rng.integers(9000, 20000)), str(rng.choice(["", "q"])), "",
        )
        for _ in range(N)
    ]  # fmt: skip
    for name, values in fields.items():
        facts = [replace(each, **{name: it}) for each, it in zip(facts, values, strict=True)]
    pixels = rng.integers(0, 255, (N, 32, 32), dtype=np.uint8)
    return Thumbnails(pixels, pixels[:, :16, :17], tuple(facts))


NUMBERED = [f"{number:03d}.png" for number in range(N)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_chance_is_no_shortcut(seed: int) -> None:
    labels = tuple(np.random.default_rng(seed).permutation(LABELS))
    names = [f"{n}_{np.random.default_rng(n).choice(['left', 'right'])}.png" for n in range(N)]
    assert find_shortcuts(image_set(Path("none"), names, labels), quiet, plain(seed)) == ()


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        (
            "width_px",
            (512, 480),
            "all 60 images 480 pixels wide or less are normal, 0% of the others",
        ),
        ("format", ("JPEG", "PNG"), "all 60 images saved as JPEG are cataract"),
        ("grey", (True, False), "all 60 images that are grey are cataract"),
        ("bits", (8, 16), "all 60 images of 16 bits are normal"),
        ("n_bytes", (9000, 8000), "all 60 images in files of 8 kB or less are normal"),
        ("quantisation", ("q1", "q2"), "saved with one quality of JPEG (no. 1 of 2) are cataract"),
    ],
)
def test_a_fact_of_the_file_that_goes_with_the_label_is_told(
    field: str, values: tuple[object, object], words: str
) -> None:
    thumbnails = plain(0, **{field: [values[number % 2] for number in range(N)]})
    found = find_shortcuts(image_set(Path("none"), NUMBERED), quiet, thumbnails)
    assert any(words in str(each) for each in found)


def test_the_side_of_an_eye_is_found_in_the_names_of_the_files() -> None:
    sides = ["left" if number % 4 == 0 else "right" for number in range(N)]
    names = [f"normal/{number}_{side}.jpg" for number, side in enumerate(sides)]
    (found,) = find_shortcuts(image_set(Path("none"), names), quiet, plain())
    assert str(found).startswith("all 30 images with 'left' in their name are cataract, 33% of")
    assert (found.n_having, found.n_label_having, found.p < 1e-6) == (30, 30, True)


def test_names_that_only_repeat_the_class_are_no_shortcut() -> None:
    labels = ("left", "right") * (N // 2)
    names = [f"{label}/{label}_{number}_gg.png" for number, label in enumerate(labels)]
    assert find_shortcuts(image_set(Path("none"), names, labels), quiet, plain()) == ()


def test_a_column_of_the_manifest_is_looked_at(tmp_path: Path) -> None:
    lines = ["file,label,patient,device,age"]
    for number, name in enumerate(NUMBERED):
        Image.new("L", (40, 40)).save(tmp_path / name)
        device, age = ("A" if number % 6 == 0 else "B"), 40 + number % 2 * 20 + number % 7
        lines.append(f"{name},{LABELS[number]},p{number},{device},{age}")
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    found = {
        each.about: each for each in find_shortcuts(image_set(tmp_path, NUMBERED), quiet, plain())
    }
    assert set(found) == {"the column device", "the column age"}
    assert str(found["the column device"]).startswith("all 20 images whose device is A are catar")
    assert found["the column age"].n_label_having == 60


@pytest.mark.parametrize(
    "column", ["id", "Patient Name", "case_no", "surname", "study_uid", "name"]
)
def test_a_column_that_may_say_who_somebody_is_is_not_told(column: str, tmp_path: Path) -> None:
    lines = [f"file,label,{column},device_name"]
    for number, name in enumerate(NUMBERED):
        Image.new("L", (40, 40)).save(tmp_path / name)
        lines.append(f"{name},{LABELS[number]},Doe {number % 6},{number % 6 // 3}")
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    found = find_shortcuts(image_set(tmp_path, NUMBERED), quiet, plain())
    assert "Doe" not in str(found)


@pytest.mark.parametrize(("level", "colour"), [(0, "black"), (255, "white")])
def test_borders_are_looked_at(level: int, colour: str) -> None:
    thumbnails = plain()
    thumbnails.pixels[:] = 128
    thumbnails.pixels[::2, [0, -1]] = level
    (found,) = find_shortcuts(image_set(Path("none"), NUMBERED), quiet, thumbnails)
    assert found.about == f"the {colour} border"
    assert f"% of the border {colour}" in str(found)


def test_many_images_of_few_patients_are_few() -> None:
    images = image_set(Path("none"), NUMBERED)
    of_six = replace(images, groups=tuple(f"p{number % 6}" for number in range(N)))
    thumbnails = plain(format=[("JPEG", "PNG")[number % 2] for number in range(N)])
    assert len(find_shortcuts(images, quiet, thumbnails)) == 1
    assert find_shortcuts(of_six, quiet, thumbnails) == ()


def test_findings_and_numbers_have_shortcuts_too() -> None:
    thumbnails = plain(format=[("JPEG", "PNG")[number % 2] for number in range(N)])
    findings = image_set(Path("none"), NUMBERED, ("mass|nodule", "nodule") * (N // 2))
    (found,) = find_shortcuts(replace(findings, target="multi_label"), quiet, thumbnails)
    assert (found.label, found.n_label_having) == ("mass", 60)
    ages = image_set(Path("none"), NUMBERED, tuple(str(n + n % 2 * N) for n in range(N)))
    (found,) = find_shortcuts(replace(ages, target="number"), quiet, thumbnails)
    assert found.label == "above the median"


def test_images_that_cannot_be_read_say_nothing() -> None:
    thumbnails = plain(width_px=[512 if number % 2 else 480 for number in range(N)])
    broken = Thumbnails(
        thumbnails.pixels, thumbnails.cells, (*thumbnails.facts[:90], *(None,) * 30)
    )
    (found, *_) = find_shortcuts(image_set(Path("none"), NUMBERED), quiet, broken)
    assert found.about == "the width"
    assert found.n_having == 45
