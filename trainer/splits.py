"""Train, validation and test parts that keep groups whole."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from recommender.plan import TrainingPlan
from trainer.errors import TrainingError
from trainer.images import ImageSet

SPLITS = ("train", "validation", "test")


def split_images(images: ImageSet, plan: TrainingPlan) -> tuple[str, ...]:
    """Part of each image: the given split, else stratified with groups kept whole.

    Where a split is given without a validation part, that part is taken from training.

    Raises
    ------
    TrainingError
        A class has too few groups for three parts, or is missing from a given part.
    """
    parts = np.array(images.splits or ["train"] * len(images.files), dtype="<U10")
    if images.splits is None:
        _move(images, parts, "test", plan.test_fraction, plan.seed, keep=2)
    if "validation" not in parts:
        _move(images, parts, "validation", plan.validation_fraction, plan.seed + 1, keep=1)
    for part in SPLITS:
        missing = set(images.classes) - {images.labels[i] for i in np.flatnonzero(parts == part)}
        if missing:
            msg = (
                f"class {sorted(missing)[0]!r} has no image in the {part} part: it needs images "
                "of at least three patients or groups, or a given split that spreads it"
            )
            raise TrainingError(msg)
    return tuple(str(part) for part in parts)


def _move(
    images: ImageSet,
    parts: npt.NDArray[np.str_],
    part: str,
    fraction: float,
    seed: int,
    *,
    keep: int,
) -> None:
    """Move a share of the training units of each class to another part.

    A unit belongs to the class of most of its images. Of each class units are moved in random
    order until the share of its images is reached: at least one, and never the last `keep`.
    """
    rng = np.random.default_rng(seed)
    for units in _units_by_class(images, np.flatnonzero(parts == "train"), rng):
        wanted = fraction * sum(map(len, units))
        moved = 0
        for unit in units[:-keep]:
            # Half a unit more would be nearer to the share than none.
            if moved and moved + len(unit) / 2 > wanted:
                break
            parts[unit] = part
            moved += len(unit)


def _units_by_class(
    images: ImageSet, index: npt.NDArray[np.int64], rng: np.random.Generator
) -> Iterator[list[list[int]]]:
    """Of each class its units in random order: the numbers of their images."""
    members: dict[str, list[int]] = {}
    for image, unit in zip(index, np.array(images.units())[index], strict=True):
        members.setdefault(str(unit), []).append(int(image))
    by_class: dict[str, list[str]] = {}
    for unit in sorted(members):
        labels = Counter(images.labels[image] for image in members[unit])
        by_class.setdefault(min(labels, key=lambda label: (-labels[label], label)), []).append(unit)
    for label in sorted(by_class):
        names = by_class[label]
        yield [members[names[i]] for i in rng.permutation(len(names))]


def folds(images: ImageSet, n: int, seed: int) -> npt.NDArray[np.int64]:
    """Number of the fold of each image: classes spread evenly, groups kept whole.

    Returns
    -------
    ndarray of int, shape (N,)
        From 0 to `n` - 1.
    """
    rng = np.random.default_rng(seed)
    found = np.empty(len(images.files), dtype=np.int64)
    for units in _units_by_class(images, np.arange(len(found)), rng):
        filled = np.zeros(n, dtype=np.int64)
        for unit in units:
            smallest = int(filled.argmin())
            found[unit] = smallest
            filled[smallest] += len(unit)
    return found


def nested_order(images: ImageSet, first: int, seed: int) -> npt.NDArray[np.int64]:
    """An order of which every beginning is a sample with about the classes of the whole.

    Groups stay together, as far as their images have one label. It begins with `first` groups of
    each class, so that a short beginning still holds the rare ones.

    Returns
    -------
    ndarray of int, shape (N,)
    """
    place = np.zeros(len(images.files))
    rng = np.random.default_rng(seed)
    for units in _units_by_class(images, np.arange(len(place)), rng):
        passed = np.cumsum([len(unit) for unit in units]) / sum(map(len, units))
        for number, unit in enumerate(units[first:], first):
            place[unit] = passed[number]
    return np.argsort(place, kind="stable")


def crossing(images: ImageSet, parts: Sequence[str]) -> dict[str, int]:
    """How many test images have an identical file, or a group, in training or validation."""
    found = {}
    for name, units in (("identical", images.digests), ("group", images.groups or ())):
        elsewhere = {unit for unit, part in zip(units, parts, strict=False) if part != "test"}
        found[name] = sum(
            part == "test" and unit in elsewhere for unit, part in zip(units, parts, strict=False)
        )
    return found
