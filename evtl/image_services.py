"""What a folder of images holds, before anything is asked about it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evidence.records import Record

if TYPE_CHECKING:  # torch must not be imported to ask
    from trainer.images import ImageSet
    from trainer.preparing.fingerprint import Fingerprint


class Held(Record):
    """Images of a folder, as far as a question goes.

    Attributes
    ----------
    n_images : int
        Those that can be read.
    classes : dict of str to int
        Images of each class or label, the unreadable among them; none of numbers.
    n_groups : int or None
        Patients or other groups, where the data name them.
    warnings : tuple of str
        What to look at before training.
    """

    n_images: int
    n_classes: int | None
    task: Literal["classification", "regression"]
    classes: dict[str, int]
    n_groups: int | None
    has_split: bool
    warnings: tuple[str, ...]


def held(folder: Path, *, shortcuts: bool = False) -> Held:
    """Look at the images of a folder.

    Parameters
    ----------
    shortcuts : bool
        Look also for what beside the picture predicts the label: every image is decoded for it.

    Raises
    ------
    TrainingError
        There are none, or they cannot be used.
    """
    from trainer.images import read_images  # noqa: PLC0415  (torch only with images)
    from trainer.preparing.fingerprint import fingerprint  # noqa: PLC0415

    images = read_images(folder)
    seen = fingerprint(images)
    number = images.target == "number"
    return Held(
        n_images=seen.n_images - seen.n_unreadable,
        n_classes=None if number else len(seen.classes),
        task="regression" if number else "classification",
        classes=seen.classes,
        n_groups=seen.n_groups,
        has_split=seen.has_split,
        warnings=(
            *_warnings(images, seen),
            *(_shortcuts(images) if shortcuts else ()),
            *images.notes,
        ),
    )


def _warnings(images: "ImageSet", seen: "Fingerprint") -> Iterator[str]:
    from evtl.probing import unreadable  # noqa: PLC0415
    from recommender.advice import IN_BALANCE  # noqa: PLC0415
    from recommender.doubt import counted  # noqa: PLC0415
    from trainer.preparing.leakage import check_leakage  # noqa: PLC0415

    yield from unreadable(seen)
    if images.splits is not None:
        yield from check_leakage(images, images.splits, allow=True).warnings
    else:
        if seen.n_contradicting:
            yield f"{seen.n_contradicting} images are there again with another label"
        if seen.n_copies:
            yield f"{counted(seen.n_copies, 'image')} more than once: copies stay in one part"
    if seen.balance > IN_BALANCE:
        yield f"the largest class has {seen.balance:.1f} times the images of the smallest"
    if seen.n_groups is None:
        yield "no patients are named: images of one patient may come to both sides of the split"


def _shortcuts(images: "ImageSet") -> Iterator[str]:
    from trainer.preparing.shortcuts import find_shortcuts  # noqa: PLC0415

    yield from map(str, find_shortcuts(images, lambda *_: None))
