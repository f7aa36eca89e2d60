"""Images as they came -> readable images, parts that nothing crosses, and what was noticed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recommender.plan import TrainingPlan
from trainer.backbones import Preprocessing
from trainer.images import ImageSet, Progress
from trainer.preparing.data_summary import DataSummary, count_parts
from trainer.preparing.leakage import LeakageReport, check_leakage
from trainer.preparing.near_duplicates import NearDuplicates, find_near_duplicates, with_alike
from trainer.preparing.shortcuts import Shortcut, find_shortcuts
from trainer.preparing.splits import split_images
from trainer.reading.pixel_cache import readable_pixels
from trainer.reading.readable import Unreadable
from trainer.reading.scaling import BLANK
from trainer.reading.thumbnails import read_thumbnails
from trainer.targets import Labels


@dataclass(frozen=True)
class Prepared:
    """What a training is given.

    Attributes
    ----------
    images : ImageSet
        Those that can be read; what is alike is known.
    pixels : ndarray of uint8, shape (N, px, px, 3)
        Mostly a read-only memory map.
    parts : tuple of str
        Part of each image.
    labels : Labels
        What is learned.
    summary : DataSummary
        For whoever reads the result.
    """

    images: ImageSet
    pixels: npt.NDArray[np.uint8]
    parts: tuple[str, ...]
    labels: Labels
    summary: DataSummary

    def index(self, part: str) -> npt.NDArray[np.intp]:
        """Numbers of the images of a part."""
        return np.flatnonzero(np.asarray(self.parts) == part)

    @property
    def units(self) -> tuple[str, ...]:
        """What a resample takes whole, one name per image."""
        return self.images.units()


def prepare(
    images: ImageSet, plan: TrainingPlan, steps: Preprocessing, progress: Progress
) -> Prepared:
    """Leave out what cannot be read, find copies, split, and refuse a split that leaks.

    Raises
    ------
    TrainingError
        Too many images cannot be read, a class is too small to be split, or the given split lets
        test images into training.
    """
    kept, unreadable, pixels = readable_pixels(images, steps, plan.max_unreadable, progress)
    thumbnails = read_thumbnails(kept, progress)
    found = find_near_duplicates(kept, progress, thumbnails)
    alike = with_alike(kept, found)
    parts = split_images(alike, plan)
    leakage = check_leakage(alike, parts, allow=plan.allow_leakage, found=found)
    shortcuts = find_shortcuts(alike, progress, thumbnails)
    summary = _summary(alike, parts, unreadable, found, leakage, shortcuts)
    labels = Labels.of(alike.target, alike.labels, alike.order)
    return Prepared(alike, pixels, parts, labels, summary)


def with_parts(prepared: Prepared, parts: Sequence[str]) -> Prepared:
    """The same images in other parts."""
    return replace(prepared, parts=tuple(parts))


def _summary(
    images: ImageSet,
    parts: Sequence[str],
    unreadable: tuple[Unreadable, ...],
    found: NearDuplicates,
    leakage: LeakageReport,
    shortcuts: tuple[Shortcut, ...],
) -> DataSummary:
    return DataSummary(
        counts=count_parts(images, parts),
        n_groups=None if images.groups is None else len(set(images.groups)),
        unreadable=unreadable,
        near_duplicates=tuple(
            tuple(images.files[number] for number in cluster) for cluster in found.clusters
        ),
        conflicts=tuple(each.files for each in leakage.conflicts),
        crossing=tuple(map(str, leakage.crossings)),
        shortcuts=tuple(map(str, shortcuts)),
        scaling=_counted(images.scalings),
        notes=tuple(_notes(images, unreadable, leakage)),
    )


def _counted(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def _notes(
    images: ImageSet, unreadable: tuple[Unreadable, ...], leakage: LeakageReport
) -> Iterator[str]:
    yield from images.notes
    if unreadable:
        ((reason, count),) = Counter(each.reason for each in unreadable).most_common(1)
        yield (
            f"{len(unreadable)} images cannot be read and were left out; the commonest reason, of "
            f"{count}: {reason}"
        )
    if blank := [n for n, scaling in enumerate(images.scalings) if scaling.startswith(BLANK)]:
        yield (
            f"{len(blank)} images show nothing, they have {BLANK}, the first "
            f"{images.files[blank[0]]}: look at them, and remove them if they should show something"
        )
    yield from leakage.warnings
    if images.groups is None:
        yield "no patient groups were given: images of one patient may be on both sides"
