"""Copies and near-copies of an image in a set, which a split must keep on one side.

Candidates are found by a difference hash of 256 bits and confirmed by their fine detail: an
opaque lens or a blank slide looks like any other to a hash alone.

References
----------
A difference hash keeps for each of 16 x 16 places whether the next one to the right is brighter
(Krawetz 2013, "Kind of like that"). The thresholds were set by eye. Of breast ultrasound (BUSI)
the hash alone finds 171 pairs up to 24 of 256 bits, and 95% of them agree in detail by 0.65 or
more; of fundus photographs (ODIR) it finds 565, of other eyes nearly all, and all but two agree
by 0.55 or less: one eye under two patients' names, and two opaque lenses with the same camera's
dust. Of mirrored images the hash finds none of BUSI, and of ODIR, where left and right eyes are
like mirrored ones, 492 pairs, all of which agree by 0.54 or less.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from trainer.errors import UnreadableError
from trainer.images import ImageSet, Progress
from trainer.reading.pixels import read_picture, split_item
from trainer.reading.thumbnails import FileFacts, Thumbnails, content_of, read_thumbnails

#: Most of the 256 bits in which the hashes of near-duplicates differ.
HASH_DISTANCE = 24
#: Least correlation of the fine detail of near-duplicates.
DETAIL_AGREEMENT = 0.65
#: Shorter side in pixels below which an image is too small to hash.
MIN_PX = 32
#: Share of a thumbnail that must vary by more than `FLAT_LEVELS` grey levels of 255 to be hashed.
MIN_DETAIL = 0.25
FLAT_LEVELS = 2.0
#: Why an image is like no other, not even by its pixels: an empty slice is no copy of another's.
UNREADABLE, BLANK = "unreadable", "one value everywhere"
#: Images that are looked at for the detail that the whole set shares, and how many of them must
#: be without a candidate.
SAMPLE = 2000
MIN_ALONE = 10
#: Candidates of one image whose detail is compared at a time.
BATCH = 4096

Hashes = npt.NDArray[np.uint64]
Detail = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NearDuplicates:
    """Which images are alike.

    Attributes
    ----------
    clusters : tuple of tuple of int
        Numbers of images that are alike, identical or nearly, in the order of the set.
    identical : tuple of tuple of int
        Those among them that have the same bytes or the same pixels.
    n_compared : int
        Images whose hashes were compared.
    not_compared : dict of str to int
        Images by the reason for which their hashes were not compared.
    """

    clusters: tuple[tuple[int, ...], ...]
    identical: tuple[tuple[int, ...], ...]
    n_compared: int
    not_compared: dict[str, int]

    @property
    def n_images(self) -> int:
        """Images that have one that is alike."""
        return sum(map(len, self.clusters))


def find_near_duplicates(
    images: ImageSet, progress: Progress, thumbnails: Thumbnails | None = None
) -> NearDuplicates:
    """Find copies and near-copies, of whatever format, size and compression.

    Copies mirrored from left to right are found too; turned, upside-down or cut ones are not. Cut
    by 2% at each side, copies of BUSI and ODIR keep neither hash nor detail; upside down, three
    pairs of other eyes of ODIR agree in detail by up to 0.77. Identical files are found by their
    digests; of each one is hashed. Memory grows with the number of images, never with its square.

    Parameters
    ----------
    images : ImageSet
        From `trainer.images.read_images`.
    progress : callable
        Told of each stage: name, done, total.
    thumbnails : Thumbnails or None
        Those of `images`, where they were read before.
    """
    looked = thumbnails or read_thumbnails(images, progress)
    same, alike = _Joined(len(images.files)), _Joined(len(images.files))
    first: dict[str, int] = {}
    for number, digest in enumerate(images.digests):
        same.join(first.setdefault(digest, number), number)
    reasons = {n: _not_hashed(looked.facts[n], looked.pixels[n]) for n in first.values()}
    hashed = np.array([n for n, reason in reasons.items() if not reason], dtype=np.int64)
    suspects = {n for n, reason in reasons.items() if reason not in ("", UNREADABLE, BLANK)}
    for pair in _near(looked.cells[hashed], looked.pixels[hashed], progress):
        alike.join(*hashed[list(pair)])
        suspects |= set(hashed[list(pair)].tolist())
    for pair in _equal_pixels(images, looked.facts, sorted(suspects)):
        same.join(*pair)
    for cluster in same.clusters():
        for number in cluster[1:]:
            alike.join(cluster[0], number)
    missed = Counter(reasons[first[digest]] for digest in images.digests)
    n_compared = missed.pop("", 0)
    clusters, identical = (_of_several_files(images, each.clusters()) for each in (alike, same))
    return NearDuplicates(clusters, identical, n_compared, dict(sorted(missed.items())))


def _of_several_files(
    images: ImageSet, clusters: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    """Without neighbouring slices of one file: they are alike, and a split keeps files whole."""
    files = [split_item(images.path(number))[0] for number in range(len(images.files))]
    return tuple(cluster for cluster in clusters if len({files[number] for number in cluster}) > 1)


def with_alike(images: ImageSet, found: NearDuplicates) -> ImageSet:
    """The same images; `ImageSet.units` then keeps what is alike together."""
    names = list(images.digests)
    for cluster in found.clusters:
        for number in cluster:
            names[number] = images.digests[cluster[0]]
    return replace(images, alike=tuple(names))


def _not_hashed(facts: FileFacts | None, pixels: npt.NDArray[np.uint8]) -> str:
    """Why an image cannot be compared by its hash; empty where it can."""
    if facts is None:
        return UNREADABLE
    if pixels.min() == pixels.max():
        return BLANK
    if min(facts.width_px, facts.height_px) < MIN_PX:
        return f"smaller than {MIN_PX} pixels"
    if (_local_contrast(pixels[None])[1] > FLAT_LEVELS).mean() < MIN_DETAIL:
        return "featureless"
    return ""


def hashes_of(cells: npt.NDArray[np.uint8]) -> Hashes:
    """Difference hashes.

    Parameters
    ----------
    cells : ndarray of uint8, shape (N, 16, 17)
        Of `Thumbnails`.

    Returns
    -------
    ndarray of uint64, shape (N, 4)
    """
    bits = np.diff(cells.astype(np.int16), axis=2) > 0
    return np.packbits(bits.reshape(len(cells), 256), axis=1).view(np.uint64)


def _local_contrast(pixels: npt.NDArray[np.uint8]) -> tuple[Detail, Detail]:
    """What differs from its surroundings of 3 x 3, and how much things differ there."""
    values = pixels.astype(np.float32)
    fine = values - uniform_filter(values, (0, 3, 3))
    return fine, np.sqrt(np.maximum(uniform_filter(fine * fine, (0, 3, 3)), 0))


def _detail(pixels: npt.NDArray[np.uint8]) -> Detail:
    """Fine detail with the contrast evened out, so that an edge does not outweigh a texture.

    Returns
    -------
    ndarray of float32, shape (N, 32, 32)
    """
    fine, contrast = _local_contrast(pixels)
    return np.asarray(fine / (contrast + 1))


def candidates(
    hashes: Hashes, distance: int, asked: Hashes | None = None
) -> Iterator[tuple[int, Index]]:
    """Of each hash the later ones that differ from it, or from what is `asked`, by few bits.

    Nearly all pairs differ by more than `distance` in the first 64 bits alone, so the rest is
    rarely looked at.
    """
    first = np.ascontiguousarray(hashes[:, 0])
    for number, whole in enumerate(hashes if asked is None else asked):
        near = np.bitwise_count(first[number + 1 :] ^ whole[0]) <= distance
        others = number + 1 + np.flatnonzero(near)
        bits = np.bitwise_count(hashes[others] ^ whole).sum(1, dtype=np.int64)
        yield number, others[bits <= distance]


def _near(
    cells: npt.NDArray[np.uint8], pixels: npt.NDArray[np.uint8], progress: Progress
) -> Iterator[tuple[int, int]]:
    """Pairs that are near-duplicates, mirrored or not: enough of them to join every cluster."""
    hashes, joined = hashes_of(cells), _Joined(len(pixels))
    step = -(-len(pixels) // SAMPLE) or 1
    shared = _shared_detail(hashes[::step], pixels[::step])
    for stage, asked, own, known in (
        ("compare images", hashes, pixels, shared),
        (
            "compare mirrored images",
            hashes_of(cells[..., ::-1]),
            pixels[..., ::-1],
            shared[:, ::-1],
        ),
    ):
        for number, found in candidates(hashes, HASH_DISTANCE, asked):
            others = found[joined.name[found] != joined.name[number]]
            for start in range(0, len(others), BATCH):
                batch = others[start : start + BATCH]
                alike = _agree(_detail(own[[number]]) - known, _detail(pixels[batch]) - shared)
                for other in batch[alike]:
                    joined.join(number, int(other))
                    yield number, int(other)
            progress(stage, number + 1, len(pixels))


def _shared_detail(hashes: Hashes, pixels: npt.NDArray[np.uint8]) -> Detail:
    """Mean detail of images that resemble no other: the rim of a fundus, a scanner's ruler.

    It tells nothing of a pair. Where too few images stand alone it is taken to be none.
    """
    alone = np.ones(len(pixels), dtype=bool)
    for number, others in candidates(hashes, HASH_DISTANCE):
        alone[others] = False
        alone[number] &= not len(others)
    if alone.sum() < MIN_ALONE:
        return np.zeros(pixels.shape[1:], dtype=np.float32)
    mean: Detail = _detail(pixels[alone]).mean(0)
    return mean


def _agree(own: Detail, theirs: Detail) -> npt.NDArray[np.bool_]:
    """Whether the detail ``(1, H, W)`` of an image is that of each of some others ``(N, H, W)``."""
    one, others = own.ravel(), theirs.reshape(len(theirs), -1)
    scale = np.linalg.norm(one) * np.linalg.norm(others, axis=1)
    return np.asarray(others @ one >= DETAIL_AGREEMENT * scale)


def _equal_pixels(
    images: ImageSet, facts: Sequence[FileFacts | None], numbers: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Pairs of images with the same pixels; one that cannot be decoded whole equals none."""
    first: dict[str, int] = {}
    for number in numbers:
        known = facts[number]
        try:
            content = known.content if known else ""
            content = content or content_of(read_picture(images.path(number)).image)
        except UnreadableError:
            continue
        yield first.setdefault(content, number), number


class _Joined:
    """Sets of numbers that are joined pair by pair.

    Attributes
    ----------
    name : ndarray of int, shape (N,)
        The smallest number of the set that each number is in.
    """

    def __init__(self, n: int) -> None:
        self.name: Index = np.arange(n)

    def join(self, one: int, other: int) -> None:
        """Make one set of the sets of two numbers."""
        low, high = sorted((self.name[one], self.name[other]))
        if low != high:
            self.name[self.name == high] = low

    def clusters(self) -> list[tuple[int, ...]]:
        """Sets of two or more, in order of their smallest number."""
        members: dict[int, list[int]] = {}
        for number in np.flatnonzero(np.bincount(self.name, minlength=1)[self.name] > 1):
            members.setdefault(int(self.name[number]), []).append(int(number))
        return [tuple(each) for each in members.values()]
