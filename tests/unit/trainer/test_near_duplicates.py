"""Copies are found whatever was done to the file; images that only look alike small are not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from trainer.images import ImageSet, read_images
from trainer.near_duplicates import (
    NearDuplicates,
    candidates,
    find_near_duplicates,
    with_alike,
)
from trainer.pixels import read_picture
from trainer.scaling import Picture
from trainer.thumbnails import read_thumbnails

PX = 96


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def texture(seed: int) -> Image.Image:
    """A grey image with coarse and fine detail of its own."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (12, 12), dtype=np.uint8)).resize((PX, PX))
    fine = Image.fromarray(rng.integers(0, 255, (48, 48), dtype=np.uint8)).resize((PX, PX))
    return Image.blend(coarse, fine, 0.4).convert("RGB")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty different images in two classes."""
    for number in range(40):
        label = tmp_path / "ab"[number % 2]
        label.mkdir(exist_ok=True)
        texture(number).save(label / f"{number:02d}.png")
    return tmp_path


def found_in(folder: Path) -> tuple[ImageSet, NearDuplicates]:
    images = read_images(folder)
    return images, find_near_duplicates(images, quiet)


def names(images: ImageSet, clusters: tuple[tuple[int, ...], ...]) -> list[list[str]]:
    return [[images.files[number] for number in cluster] for cluster in clusters]


def test_different_images_are_no_near_duplicates(folder: Path) -> None:
    _, found = found_in(folder)
    assert (found.clusters, found.identical, found.n_compared) == ((), (), 40)


@pytest.mark.parametrize("change", ["smaller", "jpeg", "brighter", "marked"])
def test_a_changed_copy_is_a_near_duplicate(folder: Path, change: str) -> None:
    image, path = texture(0), folder / "b" / "copy.png"
    if change == "smaller":
        image = image.resize((70, 70))
    elif change == "jpeg":
        path = path.with_suffix(".jpg")
    elif change == "brighter":
        image = image.point(lambda value: int(30 + value * 0.8))
    else:
        ImageDraw.Draw(image).line((20, 20, 60, 70), fill="yellow")
    image.save(path)
    images, found = found_in(folder)
    assert names(images, found.clusters) == [["a/00.png", f"b/{path.name}"]]
    assert found.identical == ()
    assert names(images, found.conflicting(images)) == [["a/00.png", f"b/{path.name}"]]


def test_the_same_pixels_in_another_format_are_identical(folder: Path) -> None:
    texture(0).save(folder / "a" / "copy.tiff")
    texture(2).convert("L").save(folder / "a" / "grey.png")
    (folder / "a" / "copy.png").write_bytes((folder / "a" / "04.png").read_bytes())
    images, found = found_in(folder)
    expected = [
        ["a/00.png", "a/copy.tiff"],
        ["a/02.png", "a/grey.png"],
        ["a/04.png", "a/copy.png"],
    ]
    assert names(images, found.identical) == expected
    assert found.n_images == 6


def test_a_photograph_that_is_turned_by_its_header_is_a_copy(folder: Path) -> None:
    turned = texture(0).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(folder / "b" / "turned.jpg", exif=exif, quality=95)
    images, found = found_in(folder)
    assert names(images, found.clusters) == [["a/00.png", "b/turned.jpg"]]


def test_a_frame_that_all_images_share_makes_no_copies(folder: Path) -> None:
    """A round mask, as around a fundus, over images whose own detail is faint."""
    mask = Image.new("L", (PX, PX))
    ImageDraw.Draw(mask).ellipse((2, 2, PX - 3, PX - 3), fill=255)
    for number in range(40):
        faint = Image.blend(Image.new("RGB", (PX, PX), "grey"), texture(number), 0.1)
        path = folder / "ab"[number % 2] / f"{number:02d}.png"
        Image.composite(faint, Image.new("RGB", (PX, PX)), mask).save(path)
    _, found = found_in(folder)
    assert found.clusters == ()


def test_featureless_and_tiny_images_are_not_hashed_but_their_copies_are_found(
    folder: Path,
) -> None:
    for number in range(3):
        level = Image.new("RGB", (PX, PX), (90 + number, 80, 80))
        level.save(folder / "a" / f"level{number}.png")
        Image.new("RGB", (28, 28), (number, 0, 0)).save(folder / "b" / f"tiny{number}.png")
    Image.new("RGB", (PX, PX), (90, 80, 80)).save(folder / "b" / "level.bmp")
    (folder / "a" / "broken.png").write_bytes(b"no image")
    images, found = found_in(folder)
    assert names(images, found.identical) == [["a/level0.png", "b/level.bmp"]]
    assert found.clusters == found.identical
    assert found.not_compared == {"featureless": 4, "smaller than 32 pixels": 3, "unreadable": 1}
    assert found.n_compared == 40


def test_deep_images_are_compared_over_their_whole_range(folder: Path) -> None:
    for number in range(3):
        values = np.asarray(texture(number).convert("L"), dtype=np.uint16) * 12 + 900
        Image.fromarray(values).save(folder / "b" / f"deep{number}.png")
    images, found = found_in(folder)
    expected = [["a/00.png", "b/deep0.png"], ["a/02.png", "b/deep2.png"]]
    assert [pair for pair in names(images, found.clusters) if pair[0][0] == "a"] == expected


def test_what_is_alike_is_kept_together(folder: Path) -> None:
    texture(0).filter(ImageFilter.GaussianBlur(0.5)).save(folder / "b" / "soft.png")
    images, found = found_in(folder)
    units = dict(zip(images.files, with_alike(images, found).units(), strict=True))
    assert units["a/00.png"] == units["b/soft.png"]
    assert len(set(units.values())) == 40
    picked = with_alike(images, found).pick([0, 1])
    assert picked.alike is not None
    assert len(picked.alike) == 2


def test_a_few_frames_of_one_film_are_all_near_duplicates(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        image = texture(0)
        ImageDraw.Draw(image).ellipse((40, 5 * number, 48, 5 * number + 8), fill="white")
        image.save(tmp_path / "ab"[number % 2] / f"{number}.png")
    _, found = found_in(tmp_path)
    assert found.clusters == (tuple(range(6)),)


@given(st.integers(0, 999), st.integers(0, 70))
def test_candidates_are_those_of_a_comparison_bit_by_bit(seed: int, distance: int) -> None:
    rng = np.random.default_rng(seed)
    bits = np.repeat(rng.integers(0, 2, (6, 256)), 4, axis=0) ^ (rng.random((24, 256)) < 0.1)
    hashes = np.packbits(bits, axis=1).view(np.uint64)
    expected = {
        (one, other)
        for one in range(24)
        for other in range(one + 1, 24)
        if (bits[one] != bits[other]).sum() <= distance
    }
    found = {(one, int(other)) for one, near in candidates(hashes, distance) for other in near}
    assert found == expected


def test_images_are_looked_at_once_and_again_when_they_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVTL_CACHE_DIR", str(tmp_path / "cache"))
    read: list[Path] = []

    def counted(item: Path, px: int | None = None) -> Picture:
        read.append(item)
        return read_picture(item, px)

    monkeypatch.setattr("trainer.thumbnails.read_picture", counted)
    before = read_thumbnails(read_images(folder), quiet)
    assert len(read) == 40
    again = read_thumbnails(read_images(folder), quiet)
    assert len(read) == 40
    np.testing.assert_array_equal(before.pixels, again.pixels)
    np.testing.assert_array_equal(before.cells, again.cells)
    assert before.facts == again.facts
    texture(99).save(folder / "a" / "00.png")
    changed = read_thumbnails(read_images(folder), quiet)
    assert read[40:] == [folder / "a" / "00.png"]
    assert (changed.pixels[0] != before.pixels[0]).any()
