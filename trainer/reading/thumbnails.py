"""Every image once, small: what copies are found by, and what its file tells of itself.

What was looked at is kept like decoded pixels are, so that a second training need not look again.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.errors import TrainingError
from trainer.images import ImageSet, Progress, each_image
from trainer.reading.array_cache import ArrayCache, Made, key_of
from trainer.reading.pixel_cache import decoding_recipe, image_keys
from trainer.reading.pixels import read_header, read_picture, split_item, told
from trainer.reading.rasters import open_raster

#: To be raised with every change of what is kept of an image.
VERSION = 1
#: Side of a thumbnail; rows and columns of the coarser copy that a difference hash is made of.
THUMBNAIL_PX = 32
CELLS = (16, 17)
#: Side in pixels that is asked for: a JPEG is decoded at no more than twice this.
NEEDED_PX = 64
#: Images that are looked at before what was found of them is kept.
BLOCK = 256

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FileFacts:
    """What a file says of itself before its pixels are looked at.

    Attributes
    ----------
    width_px, height_px : int
        Of the upright image.
    format : str
        ``JPEG``, ``PNG``, ``DICOM``, ...
    bits : int
        Per channel.
    grey : bool
        The file can hold nothing but grey.
    n_bytes : int
        Size of the file.
    quantisation : str
        The tables of a JPEG, which tell the program and the quality it was saved with; or empty.
    content : str
        `content_of` its pixels; empty where not all of them were decoded.
    """

    width_px: int
    height_px: int
    format: str
    bits: int
    grey: bool
    n_bytes: int
    quantisation: str
    content: str


@dataclass(frozen=True)
class Thumbnails:
    """Small grey copies of a set of images.

    Attributes
    ----------
    pixels, cells : ndarray of uint8
        Shapes ``(N, 32, 32)`` and ``(N, 16, 17)``; zero where an image cannot be read.
    facts : tuple of FileFacts or None
        One per image; None where it cannot be read.
    """

    pixels: Pixels
    cells: Pixels
    facts: tuple[FileFacts | None, ...]


def read_thumbnails(images: ImageSet, progress: Progress) -> Thumbnails:
    """Look at every image once; one that cannot be read is passed over.

    Returns
    -------
    Thumbnails
        About one kilobyte an image.
    """
    n = len(images.files)

    def make(numbers: Sequence[int]) -> Iterator[Made]:
        yield from _made(images, numbers, progress)

    recipe = key_of(VERSION, THUMBNAIL_PX, CELLS, NEEDED_PX, decoding_recipe())
    found = ArrayCache.of_user().table("thumbnails", recipe, image_keys(images), make)
    progress("look for copies", n, n)
    rows = np.zeros((n, THUMBNAIL_PX**2 + CELLS[0] * CELLS[1]), dtype=np.uint8)
    if found.numbers:
        rows[list(found.numbers)] = found.rows
    facts: list[FileFacts | None] = [None] * n
    for number, note in zip(found.numbers, found.notes, strict=True):
        facts[number] = FileFacts(**json.loads(note))
    pixels, cells = np.split(rows, [THUMBNAIL_PX**2], axis=1)
    square = pixels.reshape(n, THUMBNAIL_PX, THUMBNAIL_PX)
    return Thumbnails(square, cells.reshape(n, *CELLS), tuple(facts))


def _made(images: ImageSet, numbers: Sequence[int], progress: Progress) -> Iterator[Made]:
    for start in range(0, len(numbers), BLOCK):
        block = numbers[start : start + BLOCK]
        paths = [images.path(number) for number in block]

        def visit(position: int, paths: Sequence[Path] = paths) -> tuple[FileFacts, Pixels]:
            return _look(paths[position])

        def report(stage: str, done: int, _total: int, before: int = start) -> None:
            progress(stage, before + done, len(numbers))

        seen = each_image(images.pick(block), visit, "look for copies", report)
        for number, each in zip(block, seen, strict=True):
            if not isinstance(each, TrainingError):
                yield Made(number, each[1], json.dumps(asdict(each[0])))


def _look(item: Path) -> tuple[FileFacts, Pixels]:
    """Facts, then the pixels of the thumbnail and the cells in one row."""
    header, image = read_header(item), read_picture(item, NEEDED_PX).image
    whole = image.size == (header.width_px, header.height_px)
    with told():
        path = split_item(item)[0]
        facts = FileFacts(
            header.width_px, header.height_px, header.format, header.bits, header.grey,
            path.stat().st_size, _quantisation(path) if header.format == "JPEG" else "",
            content_of(image) if whole else "",
        )  # fmt: skip
    grey = image.convert("L")
    small = grey.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    cells = grey.resize(CELLS[::-1], Image.Resampling.LANCZOS)
    return facts, np.concatenate([np.asarray(small).ravel(), np.asarray(cells).ravel()])


def _quantisation(path: Path) -> str:
    with open_raster(path) as opened:
        return repr(sorted(getattr(opened, "quantization", {}).items()))


def content_of(image: Image.Image) -> str:
    """SHA-256 of the shape and the values, of grey as of the same grey in three channels."""
    pixels = np.asarray(image.convert("RGB"))
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
