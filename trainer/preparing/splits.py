"""Train, validation and test parts, and folds, that keep groups whole.

References
----------
Images with several labels are dealt out by iterative stratification, a group as one: Sechidis,
Tsoumakas and Vlahavas 2011, doi:10.1007/978-3-642-23808-6_10. Numbers are spread by quantiles.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recommender.plan import TrainingPlan
from trainer.errors import TrainingError
from trainer.images import ImageSet

SPLITS = ("train", "validation", "test")
#: Quantiles of a number, each of which is spread evenly over the parts.
MAX_QUANTILES = 5
#: Fewest images of one.
PER_QUANTILE = 10
#: Iterative stratifications of which the most even one is taken.
TRIES = 8


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
    strata = strata_of(images)
    # A quantile is no class: a part without one can still be measured.
    needed = frozenset[str]().union(*strata) if images.target != "number" else frozenset()
    for part in SPLITS:
        index = np.flatnonzero(parts == part)
        missing = (needed - {""}).difference(*(strata[i] for i in index))
        if missing or not len(index):
            msg = (
                f"{_named(missing)} has no image in the {part} part: it needs images "
                "of at least three patients or groups, or a given split that spreads it"
            )
            raise TrainingError(msg)
    return tuple(str(part) for part in parts)


def _named(labels: frozenset[str]) -> str:
    return f"class {min(labels)!r}" if labels else "the set"


def resamples(images: ImageSet, plan: TrainingPlan) -> Iterator[tuple[str, ...]]:
    """Parts of each image, for one training after the other, from which an error is estimated.

    Of a cross-validation every image is tested once a repetition; without folds the hold-out is
    repeated. What is chosen is chosen on a validation part of the rest. A given split is not
    looked at: it stands for itself.

    Yields
    ------
    tuple of str, length N
        ``n_repeats`` times ``n_folds``, or ``n_repeats`` of hold-outs.

    Raises
    ------
    TrainingError
        There is but one fold, or a class has too few groups for the folds.
    """
    if plan.n_folds:
        _check_folds(images, plan.n_folds)
    for repeat in range(plan.n_repeats):
        # A hold-out takes its seed for the test part and the next one for validation.
        again = plan.model_copy(update={"seed": plan.seed + 2 * repeat})
        if not plan.n_folds:
            yield split_images(replace(images, splits=None), again)
            continue
        number = folds(images, plan.n_folds, again.seed)
        for fold in range(plan.n_folds):
            parts = tuple("test" if each == fold else "train" for each in number)
            yield split_images(replace(images, splits=parts), again)


def _check_folds(images: ImageSet, n: int) -> None:
    """Every fold needs a group of each class, and the rest one to train and one to choose by."""
    strata, found = strata_of(images), set[tuple[str, str]]()
    for unit, labels in zip(images.units(), strata, strict=True):
        found |= {(label, unit) for label in labels if label}
    label, count = min(Counter(label for label, _ in found).items(), key=lambda it: (it[1], it[0]))
    if n < 2 or count < n or count - -(-count // n) < 2:
        what = "quantile" if images.target == "number" else f"class {label!r}"
        msg = (
            f"{n} folds cannot be made: {what} has images of {count} patients or groups; allowed "
            "are 2 folds or more, as many as there are groups at most, and three groups at least"
        )
        raise TrainingError(msg)


def strata_of(images: ImageSet) -> list[frozenset[str]]:
    """What each image counts for when parts are made alike: its labels, or where its number is.

    Of several labels none at all is one of its own, the empty one.
    """
    if images.target == "multi_label":
        return [frozenset(label.split("|")) for label in images.labels]
    if images.target != "number":
        return [frozenset([label]) for label in images.labels]
    values = np.array([float(label) for label in images.labels])
    n = max(1, min(MAX_QUANTILES, len(values) // PER_QUANTILE))
    places = np.searchsorted(np.quantile(values, np.arange(1, n) / n), values, side="right")
    return [frozenset([str(place)]) for place in places]


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
    index = np.flatnonzero(parts == "train")
    if images.target == "multi_label":
        units = _units(images, index)
        dealt = _deal(images, units, (1 - fraction, fraction), rng)
        parts[[image for unit, to in zip(units, dealt, strict=True) if to for image in unit]] = part
        return
    for units in _units_by_class(images, index, rng):
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
    strata, by_class = strata_of(images), dict[str, list[list[int]]]()
    for unit in _units(images, index):
        labels = Counter(label for image in unit for label in sorted(strata[image]))
        by_class.setdefault(min(labels, key=lambda label: (-labels[label], label)), []).append(unit)
    for label in sorted(by_class):
        units = by_class[label]
        yield [units[i] for i in rng.permutation(len(units))]


def _units(images: ImageSet, index: npt.NDArray[np.int64]) -> list[list[int]]:
    """The numbers of the images of each unit, in order of the units' names."""
    members: dict[str, list[int]] = {}
    for image, unit in zip(index, np.array(images.units())[index], strict=True):
        members.setdefault(str(unit), []).append(int(image))
    return [members[unit] for unit in sorted(members)]


def _deal(
    images: ImageSet,
    units: Sequence[Sequence[int]],
    shares: Sequence[float],
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Number of the part of each unit: the most even of some iterative stratifications."""
    strata = strata_of(images)
    held = [Counter(name for image in unit for name in strata[image]) for unit in units]
    names = sorted(set[str]().union(*held))
    counts = np.array([[each[name] for name in names] for each in held], dtype=np.float64)
    # The number of images is dealt out as if it were one label more, that all of them have.
    counts = np.column_stack([counts, [len(unit) for unit in units]])
    wanted = np.array(shares)[:, None] * counts.sum(0)

    def unevenness(found: npt.NDArray[np.int64]) -> float:
        got = np.array([counts[found == part].sum(0) for part in range(len(shares))])
        return float((np.abs(got - wanted) / counts.sum(0)).sum())

    return min((_stratify(counts, wanted, rng) for _ in range(TRIES)), key=unevenness)


def _stratify(
    counts: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Part of each unit, from images of each label of the units and wanted in the parts.

    The label that fewest units are left of is dealt out first, each unit to the part that lacks
    most images of that label, then most images at all. A part lacks the largest unit of a label
    at least, so that rare ones reach all.
    """
    lacks, found = np.maximum(wanted, counts.max(0)), np.full(len(counts), -1)
    order = rng.permutation(len(counts))
    while (left := order[found[order] < 0]).size:
        n_left = (counts[left] > 0).sum(0)
        label = int(np.where(n_left > 0, n_left, len(counts) + 1).argmin())
        for unit in left[counts[left, label] > 0]:
            part = int(np.lexsort((-lacks[:, -1], -lacks[:, label]))[0])
            found[unit] = part
            lacks[part] -= counts[unit]
    return found


def folds(images: ImageSet, n: int, seed: int) -> npt.NDArray[np.int64]:
    """Number of the fold of each image: classes spread evenly, groups kept whole.

    Returns
    -------
    ndarray of int, shape (N,)
        From 0 to `n` - 1.
    """
    rng = np.random.default_rng(seed)
    found = np.empty(len(images.files), dtype=np.int64)
    if images.target == "multi_label":
        units = _units(images, np.arange(len(found)))
        for unit, number in zip(units, _deal(images, units, [1 / n] * n, rng), strict=True):
            found[unit] = number
        return found
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
