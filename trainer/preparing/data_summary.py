"""What became of the images on their way to training."""

from collections.abc import Sequence

from pydantic import Field

from evidence.records import Record
from trainer.images import ImageSet
from trainer.reading.readable import Unreadable


class DataSummary(Record):
    """What the images are. Group ids are only counted.

    Attributes
    ----------
    counts : dict
        Part -> class -> images; for a number a single class with its name.
    n_groups : int or None
        Patients or other groups; None where the data name none.
    unreadable : tuple of Unreadable
        Files that training went on without.
    near_duplicates, conflicts : tuple of tuple of str
        Files that show the same image; those of them that have different labels.
    crossing : tuple of str
        Files whose copy or group is in another part.
    shortcuts : tuple of str
        Sentences on file properties that predict the label.
    scaling : dict of str to int
        How values were brought to 8 bits -> images.
    notes : tuple of str
        Anything else that a reader must know.
    """

    counts: dict[str, dict[str, int]]
    n_groups: int | None = None
    unreadable: tuple[Unreadable, ...] = ()
    near_duplicates: tuple[tuple[str, ...], ...] = ()
    conflicts: tuple[tuple[str, ...], ...] = ()
    crossing: tuple[str, ...] = ()
    shortcuts: tuple[str, ...] = ()
    scaling: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


def count_parts(images: ImageSet, parts: Sequence[str]) -> dict[str, dict[str, int]]:
    """Images of each class in each part; an image with several labels counts for each."""
    found: dict[str, dict[str, int]] = {}
    for label, part in zip(images.labels, parts, strict=True):
        of_part = found.setdefault(part, dict.fromkeys(images.classes, 0))
        names = label.split("|") if images.target == "multi_label" else [label]
        for name in ["images"] if images.target == "number" else filter(None, names):
            of_part[name] = of_part.get(name, 0) + 1
    return dict(sorted(found.items()))
