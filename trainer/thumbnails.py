"""Every image once, small: what copies are found by, and what its file tells of itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.errors import UnreadableError
from trainer.images import ImageSet, Progress
from trainer.pixels import quiet, read_header, read_picture, split_item
from trainer.rasters import open_raster

#: Side of a thumbnail; rows and columns of the coarser copy that a difference hash is made of.
THUMBNAIL_PX = 32
CELLS = (16, 17)
#: A JPEG is decoded at a fraction of its size, but not below this one.
DRAFT_PX = 128
#: Images that are read before the next ones are asked for.
READ_AHEAD = 1024

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FileFacts:
    """What a file says of itself before its pixels are looked at.

    Attributes
    ----------
    width_px, height_px : int
        Of the upright image.
    format : str
        As Pillow names it: ``JPEG``, ``PNG``; or ``DICOM``, ``NIfTI``.
    bits : int
        Of each channel.
    grey : bool
        There is one channel only.
    n_bytes : int
        Size of the file.
    quantisation : str
        The tables of a JPEG, which tell the program and the quality it was saved with; or empty.
    """

    width_px: int
    height_px: int
    format: str
    bits: int
    grey: bool
    n_bytes: int
    quantisation: str


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
    pixels = np.zeros((n, THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)
    cells = np.zeros((n, *CELLS), dtype=np.uint8)
    facts: list[FileFacts | None] = [None] * n
    for number, found in enumerate(_read_all([images.root / name for name in images.files])):
        if found is not None:
            facts[number], pixels[number], cells[number] = found
        progress("look for copies", number + 1, n)
    return Thumbnails(pixels, cells, tuple(facts))


def _read_all(items: list[Path]) -> Iterator[tuple[FileFacts, Pixels, Pixels] | None]:
    with quiet(), ThreadPoolExecutor() as pool:
        for start in range(0, len(items), READ_AHEAD):
            yield from pool.map(_read, items[start : start + READ_AHEAD])


def _read(item: Path) -> tuple[FileFacts, Pixels, Pixels] | None:
    try:
        facts = _facts(item)
        grey = read_picture(item, DRAFT_PX).image.convert("L")
    except UnreadableError:
        return None
    small = grey.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    cells = grey.resize(CELLS[::-1], Image.Resampling.LANCZOS)
    return facts, np.asarray(small), np.asarray(cells)


def _facts(item: Path) -> FileFacts:
    header, path = read_header(item), split_item(item)[0]
    return FileFacts(
        header.width_px, header.height_px, header.format, header.bits, header.grey,
        path.stat().st_size, _quantisation(path) if header.format == "JPEG" else "",
    )  # fmt: skip


def _quantisation(path: Path) -> str:
    with open_raster(path) as opened:
        return repr(sorted(getattr(opened, "quantization", {}).items()))


def pixels_of(item: Path) -> Pixels:
    """All pixels, whatever the format: copies saved in another format without loss are equal.

    Returns
    -------
    ndarray, shape (H, W, 3)

    Raises
    ------
    TrainingError
        The image cannot be read.
    """
    return np.asarray(read_picture(item).image)
