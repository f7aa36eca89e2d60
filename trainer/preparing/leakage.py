"""What a split lets across: images of the test part that training has seen in some form."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from evidence.records import Record
from trainer.errors import TrainingError
from trainer.images import ImageSet
from trainer.preparing.near_duplicates import NearDuplicates
from trainer.reading.private import numbered

#: Pairs that a message lists; the report holds them all.
LISTED = 20

Kind = Literal["identical", "same group", "near-duplicate"]


class Crossing(Record):
    """A test image and an image of training or validation that it should not be apart from.

    Attributes
    ----------
    kind : str
        ``identical``: the same file, or the same pixels in another file.
    test, other : str
        The two files; the first is tested, or chosen by where the other is trained on.
    part : str
        ``train`` or ``validation``: where the other one is.
    group : str
        Number of the group that both belong to, whose name may be that of a patient; or empty.
    """

    kind: Kind
    test: str
    other: str
    part: str
    group: str = ""

    def __str__(self) -> str:
        group = f" {self.group}" if self.group else ""
        return f"{self.test} ({self.kind}{group}: {self.other} in {self.part})"


class Conflict(Record):
    """Images that are alike and not all labelled alike; `kind` is of the least alike."""

    kind: Literal["identical", "near-duplicate"]
    files: tuple[str, ...]
    labels: tuple[str, ...]


class LeakageReport(Record):
    """What crosses a split, and what contradicts itself.

    Attributes
    ----------
    n_test : int
        Images of the test part.
    crossings : tuple of Crossing
        One per test image and kind, in order of the files.
    n_validation : int
        Validation images that are identical or nearly so to a training image, or share its group.
    chosen_by : tuple of Crossing
        Those of them that are identical or share its group: a choice by them is none.
    conflicts : tuple of Conflict
        Clusters of images that are alike, in order of their first file.
    not_compared : dict of str to int
        Images of which only identical copies could be found, by the reason.
    """

    n_test: int
    crossings: tuple[Crossing, ...]
    n_validation: int
    chosen_by: tuple[Crossing, ...]
    conflicts: tuple[Conflict, ...]
    not_compared: dict[str, int]

    def count(self, *kinds: Kind) -> int:
        """How many test images cross in one of these ways."""
        return len({each.test for each in self.crossings if each.kind in kinds})

    @property
    def refused(self) -> bool:
        """Whether the measured figures would not be those of unseen images."""
        return self.count("identical", "same group") > 0 or bool(self.chosen_by)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence on each thing that a reader of the result must know."""
        return tuple(_warnings(self))


def check_leakage(
    images: ImageSet,
    parts: Sequence[str],
    *,
    allow: bool,
    found: NearDuplicates | None = None,
) -> LeakageReport:
    """Refuse a split that lets identical images or groups cross from one part to another.

    Near-duplicates that cross are reported: a hash may err, and a given split is honoured.

    Parameters
    ----------
    images : ImageSet
        The images that are split.
    parts : sequence of str, length N
        From `trainer.preparing.splits.split_images`.
    allow : bool
        Report what crosses instead of refusing it.
    found : NearDuplicates or None
        Of `images`; without it only identical files are known.

    Raises
    ------
    TrainingError
        Identical images or groups cross; lists the first of them and says what to do.
    """
    unit_of = _units(images, found)
    report = LeakageReport(
        n_test=sum(part == "test" for part in parts),
        crossings=_crossings(images, parts, unit_of),
        n_validation=_shared_with_training(parts, unit_of.values()),
        chosen_by=_chosen_by(images, parts, unit_of),
        conflicts=conflicts(images, found),
        not_compared={} if found is None else found.not_compared,
    )
    if report.refused and not allow:
        raise TrainingError(_refusal(images, report))
    return report


def conflicts(images: ImageSet, found: NearDuplicates | None = None) -> tuple[Conflict, ...]:
    """Images that are identical, or nearly, and have different labels.

    Parameters
    ----------
    found : NearDuplicates or None
        Of `images`; without it only identical files are known.
    """
    unit_of = _units(images, found)
    same, clusters = unit_of["identical"], dict[str, list[int]]()
    for number, unit in enumerate(unit_of.get("near-duplicate", same)):
        clusters.setdefault(unit, []).append(number)
    return tuple(
        Conflict(
            kind="identical" if len({same[n] for n in cluster}) == 1 else "near-duplicate",
            files=tuple(images.files[n] for n in cluster),
            labels=tuple(images.labels[n] for n in cluster),
        )
        for cluster in clusters.values()
        if len({images.labels[n] for n in cluster}) > 1
    )


def _units(images: ImageSet, found: NearDuplicates | None) -> dict[Kind, Sequence[str]]:
    """By the kind of crossing, the name of what each image must not be apart from."""
    same = () if found is None else found.identical
    units: dict[Kind, Sequence[str]] = {"identical": _named(images.digests, same)}
    if images.groups is not None:
        units["same group"] = numbered(images.groups)
    if found is not None:
        units["near-duplicate"] = _named(images.digests, found.clusters)
    return units


def _named(names: Sequence[str], clusters: Sequence[Sequence[int]]) -> list[str]:
    """The names, all of a cluster by the name of its first."""
    found = list(names)
    for cluster in clusters:
        for number in cluster:
            found[number] = names[cluster[0]]
    return found


def _crossings(
    images: ImageSet, parts: Sequence[str], unit_of: dict[Kind, Sequence[str]]
) -> tuple[Crossing, ...]:
    """Of each test image how it crosses, a near-duplicate only where nothing worse is known."""
    crossed: list[Crossing] = []
    for kind, units in unit_of.items():
        known = {each.test for each in crossed} if kind == "near-duplicate" else set()
        crossed += [
            each for each in _crossing(images, parts, kind, units) if each.test not in known
        ]
    return tuple(sorted(crossed, key=lambda each: (each.test, each.kind)))


def _chosen_by(
    images: ImageSet, parts: Sequence[str], unit_of: dict[Kind, Sequence[str]]
) -> tuple[Crossing, ...]:
    """Of each validation image how it crosses into training, beyond likeness."""
    sure: tuple[Kind, ...] = ("identical", "same group")
    return tuple(
        each
        for kind in sure
        if kind in unit_of
        for each in _crossing(images, parts, kind, unit_of[kind], of="validation")
    )


def _crossing(
    images: ImageSet, parts: Sequence[str], kind: Kind, units: Sequence[str], of: str = "test"
) -> Iterator[Crossing]:
    elsewhere = _first(parts, units, "train")
    if of == "test":
        elsewhere = _first(parts, units, "validation") | elsewhere
    for number, part in enumerate(parts):
        other = elsewhere.get(units[number])
        if part == of and other is not None:
            yield Crossing(
                kind=kind, test=images.files[number], other=images.files[other],
                part=parts[other], group=units[number] if kind == "same group" else "",
            )  # fmt: skip


def _first(parts: Sequence[str], units: Sequence[str], part: str) -> dict[str, int]:
    """Of each unit its first image in a part."""
    found: dict[str, int] = {}
    for number, unit in enumerate(units):
        if parts[number] == part:
            found.setdefault(unit, number)
    return found


def _shared_with_training(parts: Sequence[str], units_of: Iterable[Sequence[str]]) -> int:
    """How many validation images have their like in training, in any of the ways."""
    shared: set[int] = set()
    for units in units_of:
        trained = _first(parts, units, "train")
        shared |= {
            number
            for number, unit in enumerate(units)
            if parts[number] == "validation" and unit in trained
        }
    return len(shared)


def _sayings(report: LeakageReport) -> Iterator[str]:
    """How many test images cross, in each of the ways."""
    for kind, words in {
        "identical": "identical to images of training or validation",
        "same group": "of a patient or group that is also in training or validation",
        "near-duplicate": "nearly identical to images of training or validation",
    }.items():
        if count := len({each.test for each in report.crossings if each.kind == kind}):
            yield f"{count} of {report.n_test} test images are {words}"


def _choices(report: LeakageReport) -> Iterator[str]:
    if count := len({each.test for each in report.chosen_by}):
        yield f"{count} validation images are copies of training images, or of the same group"


def _listed(items: Sequence[Crossing]) -> list[str]:
    """The first of them, a line each, and how many more there are."""
    lines = [f"  {item}" for item in items[:LISTED]]
    return [*lines, f"  and {len(items) - LISTED} more"] if len(items) > LISTED else lines


def _refusal(images: ImageSet, report: LeakageReport) -> str:
    worst = [each for each in report.crossings if each.kind != "near-duplicate"]
    worst += report.chosen_by
    found = "; ".join((*_sayings(report), *_choices(report)))
    return "\n".join(
        [
            f"{images.root}: the given split leaks: {found}",
            *_listed(worst),
            "Drop the split (column or folders) to have the images split anew, remove the copies, "
            "or train all the same with --allow-leakage; the report will say so.",
        ]
    )


def _warnings(report: LeakageReport) -> Iterator[str]:
    yield from _sayings(report)
    yield from _choices(report)
    if report.n_validation:
        yield f"{report.n_validation} validation images have their like in training"
    if report.conflicts:
        yield f"{len(report.conflicts)} sets of images are alike and labelled differently"
    for reason, count in report.not_compared.items():
        yield f"{count} images were not searched for near-duplicates: {reason}"
