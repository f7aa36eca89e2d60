"""Copies are found whatever was done to the file; images that only look alike small are not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from tests.unit.trainer.pictures import write_nifti
from trainer.images import ImageSet, read_images
from trainer.preparing.leakage import conflicts
from trainer.preparing.near_duplicates import (
    HASH_DISTANCE,
    NearDuplicates,
    candidates,
    find_near_duplicates,
    hashes_of,
    with_alike,
)
from trainer.reading.pixels import read_picture
from trainer.reading.scaling import Picture
from trainer.reading.thumbnails import read_thumbnails

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


@pytest.mark.parametrize("change", ["smaller", "jpeg", "brighter", "marked", "mirrored"])
def test_a_changed_copy_is_a_near_duplicate(folder: Path, change: str) -> None:
    image, path = texture(0), folder / "b" / "copy.png"
    if change == "smaller":
        image = image.resize((70, 70))
    elif change == "jpeg":
        path = path.with_suffix(".jpg")
    elif change == "mirrored":
        image = ImageOps.mirror(image).resize((70, 70))
    elif change == "brighter":
        image = image.point(lambda value: int(30 + value * 0.8))
    else:
        ImageDraw.Draw(image).line((20, 20, 60, 70), fill="yellow")
    image.save(path)
    images, found = found_in(folder)
    assert names(images, found.clusters) == [["a/00.png", f"b/{path.name}"]]
    assert found.identical == ()
    (conflict,) = conflicts(images, found)
    assert (conflict.files, conflict.labels) == (("a/00.png", f"b/{path.name}"), ("a", "b"))
    assert conflict.kind == "near-duplicate"


def test_a_mirrored_copy_is_found_whichever_comes_first(folder: Path) -> None:
    ImageOps.mirror(texture(0)).save(folder / "a" / "zz.jpg")
    ImageOps.mirror(texture(39)).save(folder / "a" / "00x.jpg")
    images, found = found_in(folder)
    assert names(images, found.clusters) == [["a/00.png", "a/zz.jpg"], ["a/00x.jpg", "b/39.png"]]
    assert found.identical == ()


def test_an_upside_down_copy_is_none_so_that_rims_are_not_either(folder: Path) -> None:
    ImageOps.flip(texture(0)).save(folder / "b" / "flipped.png")
    _, found = found_in(folder)
    assert found.clusters == ()


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
    assert conflicts(images, found) == ()


def test_a_photograph_that_is_turned_by_its_header_is_a_copy(folder: Path) -> None:
    turned = texture(0).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(folder / "b" / "turned.jpg", exif=exif, quality=95)
    images, found = found_in(folder)
    assert names(images, found.clusters) == [["a/00.png", "b/turned.jpg"]]


def smooth(coarse: int, fine: int) -> Image.Image:
    """A picture that a hash sees only the coarse part of, with faint detail of its own."""
    corners = np.random.default_rng(coarse).integers(30, 220, (4, 4), dtype=np.uint8)
    large = Image.fromarray(corners).resize((PX, PX), Image.Resampling.BICUBIC)
    faint = np.random.default_rng(1000 + fine).normal(0, 3, (32, 32)).repeat(3, 0).repeat(3, 1)
    values = (np.asarray(large) + faint).clip(0, 255).astype(np.uint8)
    return Image.fromarray(values).convert("RGB")


def test_images_of_one_hash_and_other_detail_are_no_copies(folder: Path) -> None:
    for number in range(5):
        smooth(0, number).save(folder / "a" / f"smooth{number}.png")
    smooth(0, 3).save(folder / "b" / "copy.jpg", quality=95)
    images, found = found_in(folder)
    assert names(images, found.clusters) == [["a/smooth3.png", "b/copy.jpg"]]
    hashes = hashes_of(read_thumbnails(images, quiet).cells)
    same = [number for number, name in enumerate(images.files) if "smooth" in name]
    assert sum(len(near) for _, near in candidates(hashes[same], HASH_DISTANCE)) >= 5


def test_detail_that_all_images_share_makes_no_copies(folder: Path) -> None:
    """Lines drawn over everything, as a scale or the rim of a lens is."""
    for path in folder.rglob("*.png"):
        path.unlink()
    for number in range(46):
        image = smooth(max(number - 5, 0), number)
        for at in range(4, PX, 20):
            ImageDraw.Draw(image).line((at, 0, at, PX), fill="white")
            ImageDraw.Draw(image).line((0, at, PX, at), fill="black")
        image.save(folder / "ab"[number % 2] / f"{number:02d}.png")
        if number == 3:
            image.save(folder / "b" / "copy.jpg", quality=95)
    images, found = found_in(folder)
    assert names(images, found.clusters) == [["b/03.png", "b/copy.jpg"]]


def test_featureless_and_tiny_images_are_not_hashed_but_their_copies_are_found(
    folder: Path,
) -> None:
    pale = Image.linear_gradient("L").resize((PX, PX)).point(lambda value: 90 + value // 12)
    pale.save(folder / "a" / "pale.png")
    pale.save(folder / "b" / "pale.bmp")
    pale.transpose(Image.Transpose.ROTATE_90).save(folder / "b" / "turned.png")
    texture(50).resize((28, 28)).save(folder / "b" / "tiny.png")
    (folder / "a" / "broken.png").write_bytes(b"no image")
    images, found = found_in(folder)
    assert names(images, found.identical) == [["a/pale.png", "b/pale.bmp"]]
    assert found.clusters == found.identical
    assert found.not_compared == {"featureless": 3, "smaller than 32 pixels": 1, "unreadable": 1}
    assert found.n_compared == 40


def test_empty_images_are_copies_of_none(folder: Path) -> None:
    for number, suffix in enumerate(["png", "bmp", "tiff"]):
        Image.new("L", (PX, PX)).save(folder / "ab"[number % 2] / f"empty.{suffix}")
    _, found = found_in(folder)
    assert found.clusters == ()
    assert found.not_compared == {"one value everywhere": 3}


def test_neighbouring_slices_of_one_volume_are_not_told(tmp_path: Path) -> None:
    values = np.asarray(texture(0).convert("L"), dtype=np.float32)
    volume = np.stack([values, values + 1, np.zeros_like(values)], axis=2)
    lines = ["file,label,frame"]
    for label in "ab":
        for number in range(3):
            noise = np.asarray(texture(10 * ord(label) + number).convert("L"))[..., None]
            shifted = volume if number == 0 else volume[..., :2] + noise
            write_nifti(tmp_path / f"{label}{number}.nii", shifted)
            lines += [f"{label}{number}.nii,{'ab'[frame]},{frame}" for frame in range(2)]
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    images, found = found_in(tmp_path)
    assert len(images.files) == 12
    told = {image for cluster in names(images, found.clusters) for image in cluster}
    assert told == {"a0.nii#0", "a0.nii#1", "b0.nii#0", "b0.nii#1"}


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

    monkeypatch.setattr("trainer.reading.thumbnails.read_picture", counted)
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
