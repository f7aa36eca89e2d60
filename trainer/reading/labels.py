"""What is learned of an image: labels as a manifest or a folder spells them, checked."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recommender.plan import Target
from trainer.errors import TrainingError

#: Fewest images of a class: one for each part of the split.
MIN_PER_CLASS = 3
#: Numbers are learned in single precision.
LARGEST = float(np.finfo(np.float32).max)
#: Between the names of several labels of one image, as they are kept; `;` is read too.
SEPARATOR = "|"


def names_of(label: str) -> tuple[str, ...]:
    """Names in a label of the target ``multi_label``; none where no finding was seen."""
    return tuple(filter(None, label.split(SEPARATOR)))


def plain_label(text: str, target: Target) -> str:
    """A label as it is kept: sorted names joined by ``|``, a number's text, else as it stands.

    Raises
    ------
    ValueError
        A number is none, or an image of one class has no label.
    """
    if target == "multi_label":
        return SEPARATOR.join(sorted(set(filter(None, map(str.strip, re.split("[;|]", text))))))
    if not text:
        msg = "file and label must not be empty"
        raise ValueError(msg)
    if target == "number" and _number(text) is None:
        msg = f"{text!r} is no finite number, as the target number asks for"
        raise ValueError(msg)
    return text


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= LARGEST else None


def grades(labels: Sequence[str], order: Sequence[str]) -> tuple[str, ...]:
    """Names of ordered grades, lowest first: as given, else by their numbers.

    Raises
    ------
    TrainingError
        Names are no numbers and no order is given, or the order names others.
    """
    found = sorted(set(labels))
    if order:
        if sorted(order) != found:
            msg = (
                f"the order of grades names {', '.join(order)}; the images have {', '.join(found)}:"
                " name each of these once, lowest first"
            )
            raise TrainingError(msg)
        return tuple(order)
    numbers = {name: _number(name) for name in found}
    if None in numbers.values():
        msg = (
            f"the grades {', '.join(found)} are no numbers: give their order, lowest first, "
            "or train classes"
        )
        raise TrainingError(msg)
    return tuple(sorted(found, key=lambda name: (numbers[name] or 0.0, name)))


def class_names(labels: Sequence[str], target: Target, order: Sequence[str]) -> tuple[str, ...]:
    """Names of classes or labels in alphabetical order, of grades in theirs; none of numbers."""
    if target == "number":
        return ()
    if target == "ordinal":
        return tuple(order)
    return tuple(sorted(count_labels(labels, target)))


def count_labels(labels: Sequence[str], target: Target) -> Counter[str]:
    """Images of each class, grade or label name; of numbers nothing is counted."""
    if target == "number":
        return Counter()
    if target == "multi_label":
        return Counter(name for label in labels for name in names_of(label))
    return Counter(labels)


def check_labels(where: Path, labels: Sequence[str], target: Target) -> None:
    """Refuse labels of which nothing can be learned.

    Raises
    ------
    TrainingError
        Fewer than two classes or grades, or two different numbers; a class, or the presence or
        the absence of a label, has too few images for three parts of a split.
    """
    counts = count_labels(labels, target)
    problem = {
        "classes": _few_classes,
        "ordinal": _few_classes,
        "multi_label": _few_labelled,
        "number": _few_numbers,
    }[target](labels, counts)
    if problem:
        msg = f"{where}: {problem}"
        raise TrainingError(msg)


def _few_classes(_labels: Sequence[str], counts: Mapping[str, int]) -> str:
    if len(counts) > 1 and min(counts.values()) >= MIN_PER_CLASS:
        return ""
    return f"at least two classes of {MIN_PER_CLASS} images are needed; found {_listed(counts)}"


def _few_labelled(labels: Sequence[str], counts: Mapping[str, int]) -> str:
    most = len(labels) - MIN_PER_CLASS
    bad = {name: n for name, n in counts.items() if not MIN_PER_CLASS <= n <= most}
    if counts and not bad:
        return ""
    return (
        f"every label must be present in {MIN_PER_CLASS} images and absent from {MIN_PER_CLASS}; "
        f"found {_listed(bad)} in {len(labels)} images: leave such labels out"
    )


def _few_numbers(labels: Sequence[str], _counts: Mapping[str, int]) -> str:
    different = len({_number(label) for label in labels})
    if different > 1 and len(labels) >= 2 * MIN_PER_CLASS:
        return ""
    return (
        f"at least {2 * MIN_PER_CLASS} images with two different numbers are needed; found "
        f"{len(labels)} images with {different}"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items())) or "none"
