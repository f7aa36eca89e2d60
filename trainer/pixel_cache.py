"""Decoded images, kept between trainings: `cached_pixels` in place of `decode`."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from trainer.array_cache import ArrayCache, key_of
from trainer.backbones import Preprocessing
from trainer.images import ImageSet, Progress, decode

#: To be raised with every change by which `trainer.images` decodes a file to other pixels.
DECODING_VERSION = 1
#: Images decoded at once: enough for every thread, little beside what a training takes.
BLOCK = 256

Pixels = npt.NDArray[np.uint8]


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

    def make(numbers: Sequence[int]) -> Iterator[Pixels]:
        return _decoded(images, numbers, steps, progress)

    found = ArrayCache.of_user().rows("pixels", pixel_recipe(steps), image_keys(images), make)
    progress("images", len(found), len(found))
    return found


def pixel_recipe(steps: Preprocessing) -> bytes:
    """All that pixels depend on beside the content of the file."""
    return key_of(DECODING_VERSION, version("pillow"), steps.input_px, steps.interpolation)


def image_keys(images: ImageSet) -> list[bytes]:
    """What identifies the content of each image."""
    return [bytes.fromhex(digest) for digest in images.digests]


def _decoded(
    images: ImageSet, numbers: Sequence[int], steps: Preprocessing, progress: Progress
) -> Iterator[Pixels]:
    for start in range(0, len(numbers), BLOCK):
        block = numbers[start : start + BLOCK]

        def report(stage: str, done: int, _total: int, before: int = start) -> None:
            progress(stage, before + done, len(numbers))

        yield from decode(images.pick(block), steps, report)
