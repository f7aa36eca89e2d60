"""Pixels from the cache are those that decoding gives, by content and not by name."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import Loaded, decode, load, read_images
from trainer.reading import pixel_cache
from trainer.reading.pixel_cache import cached_pixels, readable_pixels


def quiet(_stage: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were decoded, with their folders."""
    found: list[str] = []

    def watched(item: Path, steps: Preprocessing) -> Loaded:
        found.append(f"{item.parent.name}/{item.name}")
        return load(item, steps)

    monkeypatch.setattr(pixel_cache, "load", watched)
    return found


def test_pixels_are_those_of_decoding_and_decoded_once(
    class_folders: Path, steps: Preprocessing, decoded: list[str]
) -> None:
    images = read_images(class_folders)
    first, second = (cached_pixels(images, steps, quiet) for _ in range(2))
    np.testing.assert_array_equal(first, decode(images, steps, quiet))
    np.testing.assert_array_equal(second, first)
    assert sorted(decoded) == sorted(images.files)


def test_an_image_that_changed_is_decoded_anew_and_no_other(
    class_folders: Path, steps: Preprocessing, decoded: list[str]
) -> None:
    cached_pixels(read_images(class_folders), steps, quiet)
    decoded.clear()
    Image.new("RGB", (20, 20), "red").save(class_folders / "b" / "3.png")
    images = read_images(class_folders)
    found = cached_pixels(images, steps, quiet)
    assert decoded == ["b/3.png"]
    np.testing.assert_array_equal(found, decode(images, steps, quiet))


def test_a_file_that_was_renamed_is_known_by_its_content(
    class_folders: Path, steps: Preprocessing, decoded: list[str]
) -> None:
    cached_pixels(read_images(class_folders), steps, quiet)
    decoded.clear()
    (class_folders / "a" / "0.png").rename(class_folders / "c" / "other.png")
    images = read_images(class_folders)
    np.testing.assert_array_equal(cached_pixels(images, steps, quiet), decode(images, steps, quiet))
    assert decoded == []


@pytest.mark.parametrize("change", [{"input_px": 20}, {"interpolation": "bicubic"}])
def test_another_size_or_interpolation_is_decoded_anew(
    class_folders: Path, steps: Preprocessing, decoded: list[str], change: dict[str, int | str]
) -> None:
    images = read_images(class_folders)
    cached_pixels(images, steps, quiet)
    decoded.clear()
    other = dataclasses.replace(steps, **change)  # type: ignore[arg-type]
    np.testing.assert_array_equal(cached_pixels(images, other, quiet), decode(images, other, quiet))
    assert len(decoded) == len(images.files)


def test_a_broken_image_is_never_kept(class_folders: Path, steps: Preprocessing) -> None:
    (class_folders / "a" / "0.png").write_bytes(b"no image")
    images = read_images(class_folders)
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"0\.png"):
            cached_pixels(images, steps, quiet)


def test_images_that_cannot_be_read_are_left_out_with_the_reason(
    class_folders: Path, steps: Preprocessing, decoded: list[str]
) -> None:
    (class_folders / "b" / "4.png").write_bytes(b"")
    images = read_images(class_folders)
    first, second = (readable_pixels(images, steps, 0.1, quiet) for _ in range(2))
    assert [(each.file, each.reason) for each in first.unreadable] == [("b/4.png", "empty file")]
    assert second[:2] == first[:2]
    assert "b/4.png" not in first.images.files
    assert len(first.images.scalings) == len(first.images.files) == 29
    np.testing.assert_array_equal(first.pixels, decode(first.images, steps, quiet))
    np.testing.assert_array_equal(second.pixels, first.pixels)
    assert sorted(decoded) == sorted([*images.files, "b/4.png"])
    assert cached_pixels(first.images, steps, quiet).shape == first.pixels.shape
    assert len(decoded) == 31


def test_too_many_that_cannot_be_read_are_refused(
    class_folders: Path, steps: Preprocessing
) -> None:
    for number in range(4):
        (class_folders / "b" / f"{number}.png").write_bytes(b"no image")
    with pytest.raises(TrainingError, match="4 of 30 images cannot be read"):
        readable_pixels(read_images(class_folders), steps, 0.1, quiet)


def test_progress_counts_all_that_is_decoded(
    class_folders: Path, steps: Preprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_cache, "BLOCK", 8)
    said: list[tuple[str, int, int]] = []
    images = read_images(class_folders)
    cached_pixels(images, steps, lambda *each: said.append(each))
    assert said == [("images", number, 30) for number in [*range(1, 31), 30]]


def test_blocks_do_not_change_what_comes_out(
    class_folders: Path, steps: Preprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixel_cache, "BLOCK", 7)
    images = read_images(class_folders)
    picked: Sequence[int] = np.random.default_rng(0).permutation(30).tolist()
    some = images.pick(picked)
    np.testing.assert_array_equal(cached_pixels(some, steps, quiet), decode(some, steps, quiet))


def test_whoever_changes_how_files_are_decoded_raises_the_version(
    tmp_path: Path, steps: Preprocessing
) -> None:
    # Pixels of another decoding would otherwise be read from the cache as those of this one.
    values = np.random.default_rng(0).integers(0, 4096, (40, 50), dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    Image.fromarray((values // 16).astype(np.uint8)).save(tmp_path / "plain.png")
    found = b"".join(load(tmp_path / f"{n}.png", steps).pixels.tobytes() for n in ("deep", "plain"))
    assert pixel_cache.DECODING_VERSION == 2
    assert hashlib.sha256(found).hexdigest()[:16] == "a016f8e90cf87c95"
