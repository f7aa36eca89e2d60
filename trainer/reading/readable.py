"""Which images of a set can be decoded, before anything is split or trained."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from evidence.records import Record
from recommender.plan import MAX_UNREADABLE
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import ImageSet, Loaded, Progress, each_image, listed, load, unwatched
from trainer.reading.labels import check_labels, count_labels

#: Side in pixels at which files are looked at for whether they can be read at all.
LOOKED_AT_PX = 32

Load = Callable[[Path], Loaded]


class Unreadable(Record):
    """A file that gives no picture, and why; the reason is free of what the file holds."""

    file: str
    reason: str


def look(item: Path) -> Loaded:
    """Enough of an image to know whether it can be decoded, all of it."""
    return load(item, Preprocessing(LOOKED_AT_PX, (0.5,) * 3, (0.5,) * 3, "nearest"))


def readable(
    images: ImageSet,
    limit: float = MAX_UNREADABLE,
    progress: Progress = unwatched,
    load: Load = look,
) -> tuple[ImageSet, tuple[Unreadable, ...]]:
    """The images that can be decoded, with their scalings; those that cannot are listed.

    Parameters
    ----------
    images : ImageSet
        Each is decoded once.
    limit : float
        Share in [0, 1) of images that may be unreadable.
    progress : callable
        Told of the stage, done, total.
    load : callable
        Decodes an item; one that keeps the pixels saves decoding them again.

    Raises
    ------
    TrainingError
        More images than `limit` are unreadable, or too few are left to learn from; lists them.
    """
    found = each_image(images, lambda number: load(images.path(number)).scaling, "files", progress)
    bad = tuple(
        Unreadable(file=name, reason=str(each).removeprefix(f"{Path(name).name}: "))
        for name, each in zip(images.files, found, strict=True)
        if isinstance(each, TrainingError)
    )
    if len(bad) > limit * len(found):
        allowed = f"{limit:.1%} may be: repair or remove them, or allow a larger max_unreadable"
        msg = f"{len(bad)} of {len(found)} images cannot be read, at most {allowed}\n{_told(bad)}"
        raise TrainingError(msg)
    good = [number for number, each in enumerate(found) if isinstance(each, str)]
    scalings = tuple(each for each in found if isinstance(each, str))
    kept = replace(images.pick(good), scalings=scalings)
    if bad:
        _check_left(images, kept, bad)
    return kept, bad


def _check_left(images: ImageSet, kept: ImageSet, bad: Sequence[Unreadable]) -> None:
    before, after = (count_labels(each.labels, each.target) for each in (images, kept))
    if lost := sorted(set(before) - set(after)):
        msg = (
            f"no image of {', '.join(lost)} can be read: repair them, or leave it out\n{_told(bad)}"
        )
        raise TrainingError(msg)
    try:
        check_labels(images.root, kept.labels, kept.target)
    except TrainingError as error:
        msg = f"{error}; {len(bad)} image(s) cannot be read\n{_told(bad)}"
        raise TrainingError(msg) from error


def _told(bad: Sequence[Unreadable]) -> str:
    return listed([f"{each.file}: {each.reason}" for each in bad])
