"""Decoded images, kept between trainings: `cached_pixels` in place of `decode`."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import ImageSet, Loaded, Progress, each_image, listed, load
from trainer.reading.array_cache import ArrayCache, Made, Table, key_of
from trainer.reading.readable import Unreadable, readable

#: To be raised with every change by which `trainer.images` decodes a file to other pixels.
DECODING_VERSION = 2
#: Decoders whose versions may differ by a grey value.
DECODERS = ("pillow", "pydicom", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "tifffile", "nibabel")
#: Images decoded at once: enough for every thread, little beside what a training takes.
BLOCK = 256

Pixels = npt.NDArray[np.uint8]


class Decoded(NamedTuple):
    """Images that can be read, those that cannot, and the pixels ``(N, px, px, 3)`` of the first.

    The pixels are a read-only memory map, or an array where they could not be kept.
    """

    images: ImageSet
    unreadable: tuple[Unreadable, ...]
    pixels: Pixels


def cached_pixels(images: ImageSet, steps: Preprocessing, progress: Progress) -> Pixels:
    """Pixels of every image; what any training decoded before is read from the cache.

    Returns
    -------
    ndarray
        Shape ``(N, px, px, 3)``, mostly a read-only memory map.

    Raises
    ------
    TrainingError
        Lists every file that cannot be decoded; no image is replaced.
    """
    found, problems = _table(images, steps, progress)
    if problems:
        head = f"{len(problems)} image(s) cannot be read; repair or remove them:"
        msg = f"{head}\n{listed(sorted(map(str, problems.values())))}"
        raise TrainingError(msg)
    return found.rows


def readable_pixels(
    images: ImageSet, steps: Preprocessing, limit: float, progress: Progress
) -> Decoded:
    """Pixels of the images that can be read, as `readable` says; each is decoded once at most.

    Parameters
    ----------
    limit : float
        Share in [0, 1) of images that may be unreadable.

    Raises
    ------
    TrainingError
        More images than `limit` are unreadable, or too few are left to learn from; lists them.
    """
    found, problems = _table(images, steps, progress)
    outcomes: dict[Path, Loaded | TrainingError] = {
        images.path(number): Loaded(row, note)
        for number, row, note in zip(found.numbers, found.rows, found.notes, strict=True)
    }
    outcomes |= {images.path(number): error for number, error in problems.items()}

    def known(item: Path) -> Loaded:
        outcome = outcomes[item]
        if isinstance(outcome, TrainingError):
            raise outcome
        return outcome

    kept, unreadable = readable(images, limit, load=known)
    return Decoded(kept, unreadable, found.rows)


def pixel_recipe(steps: Preprocessing) -> bytes:
    """All that pixels depend on beside the content of the file."""
    return key_of(*decoding_recipe(), steps.input_px, steps.interpolation)


def decoding_recipe() -> tuple[int, list[str]]:
    """What decodes a file, whatever is made of its pixels then."""
    return DECODING_VERSION, [version(package) for package in DECODERS]


def image_keys(images: ImageSet) -> list[bytes]:
    """What identifies the content of each image."""
    return [key_of(digest) for digest in images.digests]


def _table(
    images: ImageSet, steps: Preprocessing, progress: Progress
) -> tuple[Table, dict[int, TrainingError]]:
    """Pixels and scaling of what can be decoded, and why the others cannot, by their numbers."""
    problems: dict[int, TrainingError] = {}

    def make(numbers: Sequence[int]) -> Iterator[Made]:
        for number, each in _loaded(images, numbers, steps, progress):
            if isinstance(each, TrainingError):
                problems[number] = each
            else:
                yield Made(number, each.pixels, each.scaling)

    found = ArrayCache.of_user().table("pixels", pixel_recipe(steps), image_keys(images), make)
    progress("images", len(images.files), len(images.files))
    return found, problems


def _loaded(
    images: ImageSet, numbers: Sequence[int], steps: Preprocessing, progress: Progress
) -> Iterator[tuple[int, Loaded | TrainingError]]:
    for start in range(0, len(numbers), BLOCK):
        block = numbers[start : start + BLOCK]
        paths = [images.path(number) for number in block]

        def visit(position: int, paths: Sequence[Path] = paths) -> Loaded:
            return load(paths[position], steps)

        def report(stage: str, done: int, _total: int, before: int = start) -> None:
            progress(stage, before + done, len(numbers))

        yield from zip(block, each_image(images.pick(block), visit, "images", report), strict=True)
