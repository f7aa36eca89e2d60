"""Folders and manifests are read or refused; splits keep groups whole; pixels are not lost."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.trainer.toys import TOY_PX, plan_of
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import ImageSet, decode, load_image, read_images
from trainer.preparing.leakage import check_leakage
from trainer.preparing.splits import split_images

PLAN_FIELDS = ("train", "validation", "test")


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def manifest(root: Path, text: str) -> Path:
    (root / "labels.csv").write_text(text, encoding="utf-8")
    return root


def image_set(groups: list[str], labels: list[str]) -> ImageSet:
    names = tuple(f"{n:03d}.png" for n in range(len(labels)))
    return ImageSet(Path(), names, tuple(labels), tuple(groups), None, names)


def test_class_folders_are_classes(class_folders: Path) -> None:
    found = read_images(class_folders)
    assert found.classes == ("a", "b", "c")
    assert len(found.files) == 30
    assert found.groups is None
    assert np.bincount(found.targets).tolist() == [10, 10, 10]


def test_a_manifest_names_labels_groups_and_splits(class_folders: Path) -> None:
    lines = ["file,label,patient,split,extra"]
    for label in "abc":
        lines += [
            f"{label}/{n}.png,{label},p{n},{'Test' if n < 3 else 'train'},x" for n in range(10)
        ]
    found = read_images(manifest(class_folders, "\n".join(lines)))
    assert found.groups is not None
    assert found.groups[:2] == ("p0", "p1")
    assert found.splits is not None
    assert found.splits[:4] == ("test", "test", "test", "train")


def test_empty_columns_count_as_absent(class_folders: Path) -> None:
    lines = ["file,label,group,split", *(f"{c}/{n}.png,{c},," for c in "abc" for n in range(10))]
    found = read_images(manifest(class_folders, "\n".join(lines)))
    assert (found.groups, found.splits) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na/0.png,\n", "row 2: file and label must not be empty"),
        ("file,label\na/0\0.png,a\n", "row 2: file .* is no name of a file"),
        ("file,label\n/etc/passwd,a\n", "outside the folder"),
        ("file,label\n../../etc/passwd,a\n", "outside the folder"),
        ("file,label,split\na/0.png,a,holdout\n", "split 'holdout'; allowed"),
        ("file,label\na/0.png,a\na/0.png,a\n", "listed 2 times"),
        ("file,label\na/0.png,a\na/1.png,a\na/2.png,a\n", "at least two classes"),
        ("file,label\na/0.png,a\na/1.png,a\na/2.png,a\nb/0.png,b\n", "at least two classes"),
    ],
)
def test_a_bad_manifest_is_refused(class_folders: Path, text: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        read_images(manifest(class_folders, text))


def test_a_group_for_some_images_only_is_refused(class_folders: Path) -> None:
    lines = [
        "file,label,group",
        *(f"{c}/{n}.png,{c},{'p' if n else ''}" for c in "ab" for n in range(5)),
    ]
    with pytest.raises(TrainingError, match="2 rows have no group"):
        read_images(manifest(class_folders, "\n".join(lines)))


def test_two_manifests_are_refused(class_folders: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (class_folders / name).write_text("file,label\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"one\.csv, two\.csv"):
        read_images(class_folders)


def test_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such folder"):
        read_images(tmp_path / "none")
    with pytest.raises(TrainingError, match="holds no images"):
        read_images(tmp_path)


@pytest.mark.parametrize(
    "head",
    ["file;label;patient", "File,Label,Patient ID", "file\tlabel\tgroup_id", "file, label, group",
     "\ufefffile,label,group"],
)  # fmt: skip
def test_a_manifest_is_read_as_people_write_it(class_folders: Path, head: str) -> None:
    mark = next(mark for mark in (";", "\t", ",") if mark in head)
    lines = [head] + [mark.join((f"{c}/{n}.png", c, f"p{n}")) for c in "abc" for n in range(10)]
    found = read_images(manifest(class_folders, "\r\n".join(lines)))
    assert found.groups is not None
    assert set(found.groups) == {f"p{n}" for n in range(10)}


def test_a_csv_that_is_no_manifest_is_mentioned(class_folders: Path) -> None:
    (class_folders / "sizes.csv").write_text("name,width\na,3\n", encoding="utf-8")
    (class_folders / "latin.csv").write_bytes("größe\n".encode("latin-1"))
    found = read_images(class_folders)
    assert found.notes == ("2 CSV files were not read: they have no columns file and label",)


def test_folders_named_after_parts_are_a_split_not_classes(
    class_folders: Path, tmp_path: Path
) -> None:
    for part, numbers in (("train", range(2, 10)), ("Test", range(2))):
        for label in "abc":
            (tmp_path / "kaggle" / part / label).mkdir(parents=True)
            for n in numbers:
                whole = (class_folders / label / f"{n}.png").read_bytes()
                (tmp_path / "kaggle" / part / label / f"{n}.png").write_bytes(whole)
    found = read_images(tmp_path / "kaggle")
    assert found.classes == ("a", "b", "c")
    assert found.splits is not None
    assert found.splits.count("test") == 6


def test_hidden_folders_are_passed_over_and_folders_without_images_mentioned(
    class_folders: Path,
) -> None:
    (class_folders / "a" / ".ipynb_checkpoints").mkdir()
    copy = (class_folders / "a" / "0.png").read_bytes()
    (class_folders / "a" / ".ipynb_checkpoints" / "0.png").write_bytes(copy)
    (class_folders / "d").mkdir()
    (class_folders / "d" / "scan.txt").write_bytes(b"x")
    found = read_images(class_folders)
    assert len(found.files) == 30
    assert found.notes == ("1 folders were left out: they hold no image of a known kind",)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.3, 0.5])
def test_a_share_is_kept_whatever_it_is_and_however_rare_a_class(fraction: float) -> None:
    labels = ["a"] * 400 + ["b"] * 200 + ["c"] * 3
    images = image_set([str(n) for n in range(603)], labels)
    plan = plan_of(test_fraction=fraction)
    parts = split_images(images, plan)
    tested = [label for label, part in zip(labels, parts, strict=True) if part == "test"]
    assert tested.count("a") == pytest.approx(400 * fraction, abs=1)
    assert tested.count("b") == pytest.approx(200 * fraction, abs=1)
    assert tested.count("c") == 1


def test_a_file_that_two_patients_share_keeps_them_together() -> None:
    labels = ["a"] * 30 + ["b"] * 30
    names = tuple(f"{n}.png" for n in range(60))
    groups = tuple(f"p{n}" for n in range(60))
    copies = tuple("same" if n in {0, 7, 13} else str(n) for n in range(60))
    images = ImageSet(Path(), names, tuple(labels), groups, None, copies)
    for seed in range(20):
        check_leakage(images, split_images(images, plan_of(seed)), allow=False)


@settings(max_examples=40)
@given(st.data())
def test_no_group_is_on_two_sides_and_every_class_on_each(data: st.DataObject) -> None:
    labels, groups = [], []
    for label in ("benign", "malignant"):
        for number in range(data.draw(st.integers(5, 15))):
            for _ in range(data.draw(st.integers(1, 4))):
                labels.append(label)
                groups.append(f"{label}-{number}")
    images = image_set(groups, labels)
    plan = plan_of(data.draw(st.integers(0, 1000)))
    parts = split_images(images, plan)
    assert check_leakage(images, parts, allow=False).crossings == ()
    for part in PLAN_FIELDS:
        inside = {label for label, found in zip(labels, parts, strict=True) if found == part}
        assert inside == {"benign", "malignant"}
    assert split_images(images, plan) == parts


def test_copies_of_one_file_stay_on_one_side() -> None:
    labels = ["a"] * 20 + ["b"] * 20
    names = tuple(f"{n}.png" for n in range(40))
    copies = tuple(str(n // 2) for n in range(40))
    images = ImageSet(Path(), names, tuple(labels), None, None, copies)
    check_leakage(images, split_images(images, plan_of(0)), allow=False)


def test_too_few_patients_are_an_error() -> None:
    with pytest.raises(TrainingError, match="at least three patients"):
        split_images(image_set(["p1"] * 5 + ["p2"] * 5, ["a"] * 5 + ["b"] * 5), plan_of(0))


def test_a_given_split_is_kept_and_validation_comes_from_training(class_folders: Path) -> None:
    lines = ["file,label,split"]
    for c in "abc":
        lines += [f"{c}/{n}.png,{c},{'test' if n < 2 else 'train'}" for n in range(10)]
    images = read_images(manifest(class_folders, "\n".join(lines)))
    parts = split_images(images, plan_of(0))
    tested = {name for name, part in zip(images.files, parts, strict=True) if part == "test"}
    assert tested == {f"{c}/{n}.png" for c in "abc" for n in range(2)}
    assert parts.count("validation") == 6


def test_every_unreadable_image_is_listed(class_folders: Path, steps: Preprocessing) -> None:
    (class_folders / "a" / "0.png").write_bytes(b"")
    (class_folders / "b" / "1.png").write_bytes(b"not an image")
    whole = (class_folders / "c" / "2.png").read_bytes()
    (class_folders / "c" / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrainingError, match=r"3 image\(s\) cannot be read") as caught:
        decode(read_images(class_folders), steps, quiet)
    assert "0.png: empty file" in str(caught.value)


def test_sixteen_bits_are_spread_not_clipped(tmp_path: Path, steps: Preprocessing) -> None:
    """A 12-bit ramp in a 16-bit file: Pillow's own conversion saturates 94% of it."""
    ramp = np.tile(np.arange(4096, dtype=np.uint16)[:: 4096 // 64], (64, 1))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    found = load_image(tmp_path / "ramp.png", steps)
    assert found.shape == (TOY_PX, TOY_PX, 3)
    assert len(np.unique(found)) == TOY_PX
    assert (found == 255).mean() < 0.1


def test_a_turned_photograph_is_turned_back(tmp_path: Path, steps: Preprocessing) -> None:
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[:20] = 255
    upright = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 3  # rotated by 180 degrees
    upright.rotate(180).save(tmp_path / "turned.png", exif=exif)
    upright.save(tmp_path / "upright.png")
    first, second = (load_image(tmp_path / f"{n}.png", steps) for n in ("turned", "upright"))
    assert np.array_equal(first, second)


def test_a_decompression_bomb_is_refused(tmp_path: Path, steps: Preprocessing) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(TrainingError, match=r"bomb\.png"):
        load_image(tmp_path / "bomb.png", steps)


def test_progress_reaches_the_end(class_folders: Path, steps: Preprocessing) -> None:
    seen: list[tuple[str, int, int]] = []
    decode(read_images(class_folders), steps, lambda *state: seen.append(state))
    assert seen[-1] == ("images", 30, 30)


def test_the_digest_follows_content_and_label(class_folders: Path) -> None:
    before = read_images(class_folders).digest
    assert read_images(class_folders).digest == before
    (class_folders / "a" / "0.png").rename(class_folders / "b" / "moved.png")
    assert read_images(class_folders).digest != before
