"""Folds and samples keep groups whole and classes even."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.images import ImageSet
from trainer.preparing.splits import folds, nested_order


def image_set(groups: list[str], labels: list[str]) -> ImageSet:
    names = tuple(f"{n:03d}.png" for n in range(len(labels)))
    return ImageSet(Path(), names, tuple(labels), tuple(groups), None, names)


@st.composite
def grouped(draw: st.DrawFn) -> ImageSet:
    """Groups of one to four images, each of one label, six groups of each label at least."""
    sizes = {label: draw(st.lists(st.integers(1, 4), min_size=6, max_size=20)) for label in "abc"}
    pairs = [
        (f"{label}{number}", label)
        for label, found in sizes.items()
        for number, size in enumerate(found)
        for _ in range(size)
    ]
    order = draw(st.permutations(pairs))
    return image_set([group for group, _ in order], [label for _, label in order])


@given(grouped(), st.integers(2, 5), st.integers(0, 99))
def test_folds_keep_groups_whole_and_hold_every_class(images: ImageSet, n: int, seed: int) -> None:
    found = folds(images, n, seed)
    assert set(found) == set(range(n))
    for unit in set(images.units()):
        assert (
            len({k for k, other in zip(found, images.units(), strict=True) if other == unit}) == 1
        )
    for label in images.classes:
        counts = np.bincount(found[np.array(images.labels) == label], minlength=n)
        assert counts.min() > 0
        # dealt to the smallest fold, so no two differ by more than a group
        assert counts.max() - counts.min() <= 4


@given(grouped(), st.integers(0, 99))
def test_every_beginning_of_the_order_has_the_classes_of_the_whole(
    images: ImageSet, seed: int
) -> None:
    order = nested_order(images, 0, seed)
    assert sorted(order) == list(range(len(images.files)))
    labels = np.array(images.labels)
    for label in images.classes:
        passed = np.cumsum(labels[order] == label) / (labels == label).sum()
        along = np.arange(1, len(order) + 1) / len(order)
        # as many groups as there are classes may be under way, and each group counts at its end
        largest = 4 * len(images.classes) / min(len(order), (labels == label).sum())
        assert np.abs(passed - along).max() <= largest


@given(grouped(), st.integers(0, 99))
def test_the_order_begins_with_groups_of_each_class_and_keeps_them_together(
    images: ImageSet, seed: int
) -> None:
    ordered = images.pick(nested_order(images, 2, seed).tolist())
    units = list(dict.fromkeys(ordered.units()))
    labels = dict(zip(ordered.units(), ordered.labels, strict=True))
    assert sorted(labels[unit] for unit in units[:6]) == ["a", "a", "b", "b", "c", "c"]


def test_picking_keeps_what_belongs_to_an_image() -> None:
    images = image_set(["p", "q", "r", "s"], ["a", "b", "a", "b"])
    found = images.pick([3, 0])
    assert (found.files, found.labels) == (("003.png", "000.png"), ("b", "a"))
    assert (found.groups, found.digests, found.splits) == (("s", "p"), found.files, None)
