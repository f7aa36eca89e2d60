"""A folder of images -> files with labels and groups, and their pixels."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from recommender.plan import Target
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError, UnreadableError
from trainer.reading.labels import check_labels, class_names, grades
from trainer.reading.manifest import SUFFIXES, Manifest, read_class_folders, read_manifest
from trainer.reading.patients import group_by_patient
from trainer.reading.pixels import quiet, read_picture, split_item

#: Bad files that an error names; it counts the others.
MAX_NAMED = 50

Pixels = npt.NDArray[np.uint8]
Progress = Callable[[str, int, int], None]


def unwatched(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


class Loaded(NamedTuple):
    """Pixels ``(px, px, 3)`` of one image, and how its values came to 8 bits."""

    pixels: Pixels
    scaling: str


Found = TypeVar("Found")


@dataclass(frozen=True)
class ImageSet:
    """Images with labels; nothing is decoded yet.

    Attributes
    ----------
    root : pathlib.Path
        Folder that the files are relative to.
    files, labels : tuple of str
        One per image, in order of the file names. A frame or slice of a file is ``file#number``,
        from 0. Several labels of one image are sorted and joined by ``|``; a number is its text.
    groups : tuple of str or None
        Patient or other unit that must not be split; None where the data name none.
    splits : tuple of str or None
        Given split of each image: ``train``, ``validation`` or ``test``.
    digests : tuple of str
        SHA-256 of each file, with ``#number`` behind it for a frame.
    notes : tuple of str
        What of the folder was left out, for the reader of the result.
    target : str
        What is learned of an image.
    order : tuple of str
        Of ordinal grades, lowest first; else empty.
    scalings : tuple of str
        How each image came to 8 bits; empty until `readable` has looked.
    alike : tuple of str or None
        Images of one name are alike (`trainer.preparing.near_duplicates`); None: not looked for.
    """

    root: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...] | None
    splits: tuple[str, ...] | None
    digests: tuple[str, ...]
    notes: tuple[str, ...] = ()
    target: Target = "classes"
    order: tuple[str, ...] = ()
    scalings: tuple[str, ...] = ()
    alike: tuple[str, ...] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes or labels in alphabetical order, grades in theirs; of numbers none."""
        return class_names(self.labels, self.target, self.order)

    @property
    def targets(self) -> npt.NDArray[np.int64]:
        """Position in `classes` of each image's class or grade, shape ``(N,)``.

        Raises
        ------
        TrainingError
            The target is numbers or several labels, which have no such position.
        """
        if self.target in {"number", "multi_label"}:
            msg = f"images with the target {self.target} have no class each"
            raise TrainingError(msg)
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index[label] for label in self.labels], dtype=np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 over file names, contents, labels and groups, and over what is learned."""
        lines = zip(self.files, self.digests, self.labels, self.groups or self.files, strict=True)
        text = "\n".join(map(repr, lines))
        if self.target != "classes":
            text += f"\n{self.target} {self.order!r}"
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def scaling_counts(self) -> dict[str, int]:
        """How many images came to 8 bits in which way; empty until `readable` has looked."""
        return dict(sorted(Counter(self.scalings).items()))

    def path(self, number: int) -> Path:
        """Where an image is; of a frame ``file#number``, as `load_image` reads it."""
        return self.root / self.files[number]

    def pick(self, index: Sequence[int]) -> "ImageSet":
        """Some of the images, in the order of `index`."""

        def of(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(values[number] for number in index)

        return replace(
            self,
            files=of(self.files),
            labels=of(self.labels),
            groups=None if self.groups is None else of(self.groups),
            splits=None if self.splits is None else of(self.splits),
            digests=of(self.digests),
            scalings=of(self.scalings) if self.scalings else (),
            alike=None if self.alike is None else of(self.alike),
        )

    def units(self) -> tuple[str, ...]:
        """What a split keeps whole: groups and near-duplicates, joined where they share a file.

        Frames of a file, and copies of it, count as the file.
        """
        files = tuple(digest.partition("#")[0] for digest in self.digests)
        if self.groups is None and self.alike is None:
            return files
        joined: dict[str, str] = {}

        def root(unit: str) -> str:
            while joined.setdefault(unit, unit) != unit:
                unit = joined[unit]
            return unit

        for file, *names in zip(files, *self._joining(), strict=True):
            for name in names:
                joined[root(f"file {file}")] = root(name)
        return tuple(root(f"file {file}") for file in files)

    def _joining(self) -> Iterator[list[str]]:
        """Names that hold images together, beside their files."""
        for kind, names in (("group", self.groups), ("alike", self.alike)):
            if names is not None:
                yield [f"{kind} {name}" for name in names]


def read_images(folder: Path, *, target: Target = "classes", order: Sequence[str] = ()) -> ImageSet:
    """Read a folder of class folders, or one with a CSV manifest (`trainer.reading.manifest`).

    Class folders may lie in folders named after the parts of a split (train, test, ...). DICOM
    files without given groups are grouped by patient.

    Parameters
    ----------
    folder : pathlib.Path
        Where the images are.
    target : str
        What is learned; a manifest that has a column ``labels`` or ``number`` but no ``label``
        says so itself.
    order : sequence of str
        Of ordinal grades, lowest first; grades that are numbers need none.

    Raises
    ------
    TrainingError
        There is no such folder or nothing to learn in it; lists every bad line of the CSV.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; give a folder of class folders or one with a CSV"
        raise TrainingError(msg)
    if order and target != "ordinal":
        msg = f"an order of grades is for the target ordinal, not {target}"
        raise TrainingError(msg)
    paths = [path for path in sorted(folder.glob("*.csv")) if path.is_file()]
    found = {path: read_manifest(path, target) for path in paths}
    manifests = {path: manifest for path, manifest in found.items() if manifest}
    if len(manifests) > 1:
        names = ", ".join(path.name for path in manifests)
        msg = f"{folder} holds several CSV files with file and label columns ({names}); keep one"
        raise TrainingError(msg)
    n_others = len(found) - len(manifests)
    told = f"{n_others} CSV files were not read: they have no columns file and label"
    notes = [told] if n_others else []
    manifest = next(iter(manifests.values()), None)
    if manifest is None:
        manifest = Manifest(read_class_folders(folder, target, notes), target)
    return _checked(folder, manifest, order, notes)


def _checked(
    folder: Path, manifest: Manifest, order: Sequence[str], notes: Sequence[str]
) -> ImageSet:
    rows, target = sorted(manifest.rows), manifest.target
    if not rows:
        kinds = ", ".join(sorted(SUFFIXES))
        msg = f"{folder} holds no images in class folders ({kinds}) and no CSV with file and label"
        raise TrainingError(msg)
    files, labels, groups, splits = zip(*rows, strict=True)
    file, count = Counter(files).most_common(1)[0]
    if count > 1:
        msg = f"{folder}: file {file!r} is listed {count} times"
        raise TrainingError(msg)
    check_labels(folder, labels, target)
    digests = _digests(folder, files)
    given = _groups(folder, groups)
    patients = group_by_patient(folder, files, digests) if given is None else None
    return ImageSet(
        root=folder,
        files=files,
        labels=labels,
        groups=patients.groups if patients else given,
        splits=_given_splits(folder, splits),
        digests=digests,
        notes=(*notes, *_unlabelled(labels), *(patients.notes if patients else ())),
        target=target,
        order=grades(labels, order) if target == "ordinal" else (),
    )


def _unlabelled(labels: Sequence[str]) -> tuple[str, ...]:
    count = labels.count("")
    return (f"{count} images have no label: they count as without a finding",) if count else ()


def _groups(folder: Path, groups: Sequence[str]) -> tuple[str, ...] | None:
    if not any(groups):
        return None
    if not all(groups):
        msg = f"{folder}: {groups.count('')} rows have no group; give every image one, or none"
        raise TrainingError(msg)
    return tuple(groups)


def _given_splits(folder: Path, splits: Sequence[str]) -> tuple[str, ...] | None:
    if not any(splits):
        return None
    if not all(splits) or not {"train", "test"} <= set(splits):
        msg = f"{folder}: a given split names train and test, and names one for every image"
        raise TrainingError(msg)
    return tuple(splits)


def _digests(folder: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Digest of each image; a file of many frames is read once."""
    items = [split_item(folder / name) for name in files]
    of_file = {path: _sha256(folder, path) for path in dict.fromkeys(path for path, _n in items)}
    return tuple(of_file[path] + ("" if frame is None else f"#{frame}") for path, frame in items)


def _sha256(folder: Path, path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        # It is listed when it is decoded; until then it is like no other file.
        return hashlib.sha256(f"no content: {path.relative_to(folder)}".encode()).hexdigest()


def load(item: Path, steps: Preprocessing) -> Loaded:
    """One image or frame, squeezed to a square.

    Raises
    ------
    TrainingError
        The file is missing, empty, broken, too large, or no image.
    """
    try:
        image, scaling = read_picture(item, steps.input_px)
    except UnreadableError as error:
        msg = f"{item.name}: {error}"
        raise TrainingError(msg) from error
    method = Image.Resampling[steps.interpolation.upper()]
    square = image.resize((steps.input_px, steps.input_px), method)
    return Loaded(np.asarray(square.convert("RGB")), scaling)


def load_image(path: Path, steps: Preprocessing) -> Pixels:
    """One image or frame as ``(px, px, 3)`` of 8 bits, upright.

    Raises
    ------
    TrainingError
        The file is missing, empty, broken, too large, or no image.
    """
    return load(path, steps).pixels


def decode(images: ImageSet, steps: Preprocessing, progress: Progress) -> Pixels:
    """Pixels of every image, squeezed to a square.

    Returns
    -------
    ndarray
        Shape ``(N, px, px, 3)``, grey values copied to three channels.

    Raises
    ------
    TrainingError
        Lists every file that cannot be decoded; no image is replaced.
    """
    px = steps.input_px
    pixels = np.empty((len(images.files), px, px, 3), dtype=np.uint8)

    def fill(number: int) -> None:
        pixels[number] = load_image(images.path(number), steps)

    found = each_image(images, fill, "images", progress)
    if problems := [str(each) for each in found if isinstance(each, TrainingError)]:
        head = f"{len(problems)} image(s) cannot be read; repair or remove them:"
        msg = f"{head}\n{listed(sorted(problems))}"
        raise TrainingError(msg)
    return pixels


def each_image(
    images: ImageSet, visit: Callable[[int], Found], stage: str, progress: Progress
) -> list[Found | TrainingError]:
    """What is found of each image by its number, or why nothing is.

    Parameters
    ----------
    images : ImageSet
        Visited in their order, several at a time.
    visit : callable
        Given the number of an image; a `TrainingError` that it raises takes the place of a result.
    stage, progress
        What `progress` is told, with done and total.
    """

    def attempt(number: int) -> Found | TrainingError:
        try:
            return visit(number)
        except TrainingError as error:
            return error

    total = len(images.files)
    found = []
    with quiet(), ThreadPoolExecutor() as pool:
        for done, each in enumerate(pool.map(attempt, range(total)), 1):
            found.append(each)
            progress(stage, done, total)
    return found


def listed(lines: Sequence[str]) -> str:
    """Lines of an error, so many as can be read."""
    more = [f"  and {len(lines) - MAX_NAMED} more"] if len(lines) > MAX_NAMED else []
    return "\n".join([*(f"  {line}" for line in lines[:MAX_NAMED]), *more])
