"""Whether something beside the picture predicts the label: a network may learn that instead.

References
----------
Hospital, laterality marker and device predicted the label, and networks took them (Zech et al.
2018, doi:10.1371/journal.pmed.1002683; DeGrave et al. 2021, doi:10.1038/s42256-021-00338-7).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import fisher_exact

from evidence.records import Record
from trainer.images import ImageSet, Progress
from trainer.reading.properties import Mask, Rule, rules_of
from trainer.reading.thumbnails import Thumbnails, read_thumbnails

#: Least difference between how often images with and without the label have the property, where
#: more than this share of the images that have it have the label.
MIN_DIFFERENCE = 0.4
MIN_MAJORITY = 0.5
#: Or the share of a label among images that have a property of few values, where the label's
#: share of all images is at most `MAX_BASE`, and their share of all images.
PURE = 0.95
MAX_BASE = 0.75
MIN_SHARE = 0.05
#: Chance of one false alarm in a set of images, after Bonferroni.
ALPHA = 0.001


class Shortcut(Record):
    """A property that goes with a label.

    Attributes
    ----------
    about : str
        The property.
    having : str
        Which images have it; completes "images ...".
    label : str
        The label that they have.
    n_having, n_label_having : int
        Images that have the property, and those of them that have the label.
    share_others : float
        Share in [0, 1] of the label among the other images.
    p : float
        Of Fisher's exact test, one image of each patient and label, times the tests made.
    """

    about: str
    having: str
    label: str
    n_having: int
    n_label_having: int
    share_others: float
    p: float

    def __str__(self) -> str:
        found, n = self.n_label_having, self.n_having
        many = f"all {n}" if found == n else f"{found} of {n} ({found / n:.0%})"
        return (
            f"{many} images {self.having} are {self.label}, {self.share_others:.0%} of the others: "
            f"see that {self.about} is not learned instead of what the image shows"
        )


class _Found(NamedTuple):
    rule: Rule
    label: str
    is_label: Mask
    difference: float
    share: float


def find_shortcuts(
    images: ImageSet, progress: Progress, thumbnails: Thumbnails | None = None
) -> tuple[Shortcut, ...]:
    """Properties of files that predict a label well enough to be learned instead of it.

    Looked at are width, height, aspect, size and format of the file, its colour mode, the quality
    of a JPEG, black and white borders, words of the file name such as ``left``, and other columns
    of a manifest. Numbers to be learned count as above the median or not.

    Parameters
    ----------
    images : ImageSet
        From `trainer.images.read_images`.
    progress : callable
        Told of each stage: name, done, total.
    thumbnails : Thumbnails or None
        Those of `images`, where they were read before.

    Returns
    -------
    tuple of Shortcut
        The strongest of each property, the strongest first; none twice for the same images.
    """
    rules = list(rules_of(images, thumbnails or read_thumbnails(images, progress)))
    labels = dict(labels_of(images))
    index, n_tests = _independent(images), len(rules) * len(labels)
    found = sorted(_strong(rules, labels), key=lambda each: (-each.difference, -each.share))
    kept: dict[str, Shortcut] = {}
    told: set[bytes] = set()
    for each in found:
        p = min(1.0, n_tests * _fisher(each.rule.has[index], each.is_label[index]))
        if each.rule.about in kept or _content(each.rule.has) in told or p >= ALPHA:
            continue
        told.add(_content(each.rule.has))
        kept[each.rule.about] = _shortcut(each, p)
    return tuple(kept.values())


def labels_of(images: ImageSet) -> Iterator[tuple[str, Mask]]:
    """What each image is or is not, unless all of them or none are."""
    if images.target == "number":
        values = np.array([float(label) for label in images.labels])
        above = values > np.median(values)
        if above.any():
            yield "above the median", above
        return
    separator = "|" if images.target == "multi_label" else None
    held = [set(label.split(separator)) if separator else {label} for label in images.labels]
    for name in sorted(set().union(*held) - {""}):
        is_label = np.array([name in labels for labels in held])
        if not is_label.all():
            yield name, is_label


def _independent(images: ImageSet) -> npt.NDArray[np.int64]:
    """One image of each patient and label: frames of one patient are no evidence of their own."""
    pairs = {pair: n for n, pair in enumerate(zip(images.units(), images.labels, strict=True))}
    return np.array(sorted(pairs.values()), dtype=np.int64)


def _strong(rules: list[Rule], labels: dict[str, Mask]) -> Iterator[_Found]:
    for rule in rules:
        if not 0 < rule.has.sum() < len(rule.has):
            continue
        for label, is_label in labels.items():
            base, share = float(is_label.mean()), float(is_label[rule.has].mean())
            difference = float(rule.has[is_label].mean() - rule.has[~is_label].mean())
            often = rule.sharp and rule.has.mean() >= MIN_SHARE
            pure = often and share >= PURE and base <= MAX_BASE
            if (difference >= MIN_DIFFERENCE and share > MIN_MAJORITY) or pure:
                # Of two classes a property and its opposite differ alike, but for rounding.
                yield _Found(rule, label, is_label, round(difference, 9), share)


def _fisher(has: Mask, is_label: Mask) -> float:
    table = np.zeros((2, 2), dtype=np.int64)
    np.add.at(table, (has.astype(int), is_label.astype(int)), 1)
    return float(fisher_exact(table).pvalue)


def _content(has: Mask) -> bytes:
    """The same for a property and its opposite."""
    return np.packbits(has ^ has[0]).tobytes()


def _shortcut(found: _Found, p: float) -> Shortcut:
    has = found.rule.has
    return Shortcut(
        about=found.rule.about, having=found.rule.words, label=found.label,
        n_having=int(has.sum()), n_label_having=int((has & found.is_label).sum()),
        share_others=float(found.is_label[~has].mean()), p=p,
    )  # fmt: skip
