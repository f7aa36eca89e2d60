"""What a set of images is, before anything is trained: counts, shapes, copies, damage.

A fingerprint may be shown and kept. It holds class names, never file or group names, which may be
names of patients.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from evidence.records import Record
from recommender.plan import Target
from trainer.errors import TrainingError, UnreadableError
from trainer.images import ImageSet
from trainer.preparing.leakage import conflicts
from trainer.reading.labels import count_labels
from trainer.reading.pixels import Header, quiet, read_header, read_picture

#: Most images that are decoded, evenly spread over the files in the order of their names.
MAX_DECODED = 100
#: Side in pixels to which an image is reduced before its colours are looked at.
REDUCED_PX = 64
#: Levels of 255 between two channels from which an image has colour; below lies JPEG's rounding.
COLOUR_STEP = 16


class Extent(Record):
    """Smallest, median and largest number of pixels."""

    min: int
    median: float
    max: int


class Damage(Record):
    """An image that cannot be used: its number, from 1 in the order of `ImageSet.files`.

    `reason` is one of few: ``missing``, ``empty file``, ``no image``, ``too many pixels``,
    ``damaged`` and those of `trainer.errors.UnreadableError`.
    """

    number: int
    reason: str


class Fingerprint(Record):
    """What is known of a set of images.

    Attributes
    ----------
    digest : str
        SHA-256 of names, contents, labels and groups: `ImageSet.digest`.
    target : str
        What is learned of an image.
    classes : dict of str to int
        Images of each class or label in alphabetical order, of each grade in theirs; of numbers
        none.
    balance : float
        Images of the largest class over those of the smallest, at least 1; 1 of numbers.
    n_groups : int or None
        Patients or other groups; None where the data name none.
    has_split : bool
        The data come with their own training and test parts.
    width_px, height_px : Extent
        Of upright images; a PNG is taken to stand upright.
    formats : dict of str to int
        Images of each file format, as Pillow names it, or DICOM or NIfTI.
    bit_depths : dict of int to int
        Images of each number of bits per channel.
    n_grey, n_colour : int
        By the header. Of `n_colour_decoded` colour files that were decoded,
        `n_colour_only_grey` hold nothing but grey.
    n_copies : int
        Files that are identical with one before them.
    n_contradicting : int
        Images that have an identical file under another label.
    n_decoded : int
        The evenly spread images that were decoded whole. Damage behind the header is noticed
        only there, so `unreadable` is complete for headers and a sample for the rest.
    """

    schema_version: Literal[1] = 1
    digest: str
    target: Target = "classes"
    n_images: int = Field(ge=1)
    classes: dict[str, int]
    balance: float
    n_groups: int | None
    has_split: bool
    width_px: Extent
    height_px: Extent
    formats: dict[str, int]
    bit_depths: dict[int, int]
    n_grey: int
    n_colour: int
    n_colour_decoded: int
    n_colour_only_grey: int
    n_copies: int
    n_contradicting: int
    n_decoded: int
    unreadable: tuple[Damage, ...]

    @property
    def n_unreadable(self) -> int:
        """How many images were found unreadable."""
        return len(self.unreadable)

    def options(self) -> dict[str, int]:
        """What the user need not say: number of images and of classes."""
        classes = {"n_classes": len(self.classes)} if self.classes else {}
        return {"n_images": self.n_images} | classes


def fingerprint(images: ImageSet) -> Fingerprint:
    """Look at the header of every image, and decode a few of them.

    Raises
    ------
    TrainingError
        Not a single image can be read.
    """
    paths = [images.path(number) for number in range(len(images.files))]
    with quiet(), ThreadPoolExecutor() as pool:
        found = list(pool.map(_header, paths))
    headers = {number: each for number, each in enumerate(found) if isinstance(each, Header)}
    if not headers:
        msg = f"{images.root}: none of the {len(found)} images can be read; the first: {found[0]}"
        raise TrainingError(msg)
    decoded = _decoded(paths, sorted(headers))
    counts = count_labels(images.labels, images.target)
    bad = {n: each for n, each in enumerate(found) if isinstance(each, str)} | {
        number: "damaged" for number, coloured in decoded.items() if coloured is None
    }
    looked_at = [c for n, c in decoded.items() if c is not None and not headers[n].grey]
    return Fingerprint(
        digest=images.digest,
        target=images.target,
        n_images=len(paths),
        classes={name: counts[name] for name in images.classes},
        balance=max(counts.values()) / min(counts.values()) if counts else 1.0,
        n_groups=None if images.groups is None else len(set(images.groups)),
        has_split=images.splits is not None,
        width_px=_extent([header.width_px for header in headers.values()]),
        height_px=_extent([header.height_px for header in headers.values()]),
        formats=dict(sorted(Counter(h.format for h in headers.values()).items())),
        bit_depths=dict(sorted(Counter(h.bits for h in headers.values()).items())),
        n_grey=sum(header.grey for header in headers.values()),
        n_colour=sum(not header.grey for header in headers.values()),
        n_colour_decoded=len(looked_at),
        n_colour_only_grey=looked_at.count(False),
        n_copies=len(paths) - len(set(images.digests)),
        n_contradicting=sum(len(each.files) for each in conflicts(images)),
        n_decoded=len(decoded),
        unreadable=tuple(
            Damage(number=number + 1, reason=reason) for number, reason in sorted(bad.items())
        ),
    )


def _extent(values: Sequence[int]) -> Extent:
    return Extent(min=min(values), median=float(np.median(values)), max=max(values))


def _header(path: Path) -> Header | str:
    """What the header says, or why there is none."""
    try:
        return read_header(path)
    except UnreadableError as error:
        return str(error)


def _decoded(paths: Sequence[Path], readable: Sequence[int]) -> dict[int, bool | None]:
    """Whether each of a few images has colour; None where it cannot be decoded."""
    step = -(-len(readable) // MAX_DECODED)
    numbers = readable[::step]
    with quiet(), ThreadPoolExecutor() as pool:
        return dict(zip(numbers, pool.map(_has_colour, [paths[n] for n in numbers]), strict=True))


def _has_colour(path: Path) -> bool | None:
    try:
        image = read_picture(path).image.convert("RGB")
    except UnreadableError:
        return None
    values = np.asarray(image.reduce(max(1, min(image.size) // REDUCED_PX)), dtype=np.int16)
    return bool((values.max(2) - values.min(2) >= COLOUR_STEP).any())
