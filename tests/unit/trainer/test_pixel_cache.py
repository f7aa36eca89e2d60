"""Pixels from the cache are those that decoding gives, by content and not by name."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from trainer import pixel_cache
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import ImageSet, Progress, decode, read_images
from trainer.pixel_cache import cached_pixels


def quiet(_stage: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were decoded."""
    found: list[str] = []

    def watched(
        images: ImageSet, steps: Preprocessing, progress: Progress
    ) -> npt.NDArray[np.uint8]:
        found.extend(images.files)
        return decode(images, steps, progress)

    monkeypatch.setattr(pixel_cache, "decode", watched)
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
