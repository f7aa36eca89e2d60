"""Every image once, small: what copies are found by, and what its file tells of itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from trainer.errors import TrainingError
from trainer.images import MAX_PIXELS, PILLOW_ERRORS, ImageSet, Progress

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
        As stored, whatever the EXIF orientation says.
    format, mode : str
        As Pillow names them: ``JPEG``, ``PNG``; ``L``, ``RGB``, ``I;16``.
    n_bytes : int
        Size of the file.
    quantisation : str
        The tables of a JPEG, which tell the program and the quality it was saved with; or empty.
    """

    width_px: int
    height_px: int
    format: str
    mode: str
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


def _read_all(paths: list[Path]) -> Iterator[tuple[FileFacts, Pixels, Pixels] | None]:
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), READ_AHEAD):
            yield from pool.map(_read, paths[start : start + READ_AHEAD])


def _read(path: Path) -> tuple[FileFacts, Pixels, Pixels] | None:
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return None
            facts = _facts(opened, path)
            opened.draft("L", (DRAFT_PX, DRAFT_PX))
            grey = _upright(opened, grey_of(opened))
            small = grey.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
            cells = grey.resize(CELLS[::-1], Image.Resampling.LANCZOS)
            return facts, np.asarray(small), np.asarray(cells)
    except (*PILLOW_ERRORS, OSError):
        return None


def _facts(opened: Image.Image, path: Path) -> FileFacts:
    tables = getattr(opened, "quantization", {})
    return FileFacts(
        opened.width, opened.height, opened.format or "unknown", opened.mode,
        path.stat().st_size, repr(sorted(tables.items())) if tables else "",
    )  # fmt: skip


def _upright(opened: Image.Image, grey: Image.Image) -> Image.Image:
    """The grey image as a viewer would turn it."""
    grey.info["exif"] = opened.info.get("exif", b"")
    return ImageOps.exif_transpose(grey)


def grey_of(image: Image.Image) -> Image.Image:
    """Eight bits of grey; deeper values are spread from the smallest to the largest."""
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return image.convert("L")
    values = np.asarray(image, dtype=np.float32)
    if not np.isfinite(values).all():
        msg = "holds values that are no numbers"
        raise ValueError(msg)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-6))).astype(np.uint8))


def pixels_of(path: Path) -> Pixels | npt.NDArray[np.float32]:
    """All pixels, whatever the format: copies saved in another format without loss are equal.

    Raises
    ------
    TrainingError
        The image cannot be read.
    """
    try:
        with Image.open(path) as opened:
            deep = opened.mode in {"I", "F"} or opened.mode.startswith("I;16")
            return np.asarray(opened if deep else opened.convert("RGB"))
    except (*PILLOW_ERRORS, OSError) as error:
        msg = f"{path.name}: {error}"
        raise TrainingError(msg) from error
