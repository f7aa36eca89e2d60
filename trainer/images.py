"""A folder of images -> files with labels and groups, and their pixels."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from recommender.plan import Target
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.manifest import SUFFIXES, ManifestRow, read_class_folders, read_manifest

#: Fewest images of a class: one for each part of the split.
MIN_PER_CLASS = 3
#: Values of deeper images between these percentiles are spread over 8 bits; Pillow would clip.
WINDOW_PERCENTILES = (0.5, 99.5)
#: Pixels of one image above which a file is taken for a decompression bomb.
MAX_PIXELS = 100_000_000

#: What Pillow raises on broken files of one kind or another.
PILLOW_ERRORS = (
    SyntaxError,
    ValueError,
    TypeError,
    NotImplementedError,
    Image.DecompressionBombError,
)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ImageSet:
    """Images with labels; nothing is decoded yet.

    Attributes
    ----------
    root : pathlib.Path
        Folder that the files are relative to.
    files, labels : tuple of str
        One per image, in order of the file names.
    groups : tuple of str or None
        Patient or other unit that must not be split; None where the data name none.
    splits : tuple of str or None
        Given split of each image: ``train``, ``validation`` or ``test``.
    digests : tuple of str
        SHA-256 of each file.
    notes : tuple of str
        What of the folder was left out, for the reader of the result.
    target : str
        What the labels are: ``classes``, ``multi_label``, ``ordinal`` or ``number``.
    alike : tuple of str or None
        Images of one name are near-duplicates (`trainer.near_duplicates`); None: not looked for.
    """

    root: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...] | None
    splits: tuple[str, ...] | None
    digests: tuple[str, ...]
    notes: tuple[str, ...] = ()
    target: Target = "classes"
    alike: tuple[str, ...] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in alphabetical order; targets are their positions."""
        return tuple(sorted(set(self.labels)))

    @property
    def targets(self) -> npt.NDArray[np.int64]:
        """Class index of each image, shape ``(N,)``."""
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index[label] for label in self.labels], dtype=np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 over file names, contents, labels and groups."""
        lines = zip(self.files, self.digests, self.labels, self.groups or self.files, strict=True)
        return hashlib.sha256("\n".join(map(repr, lines)).encode()).hexdigest()

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
            alike=None if self.alike is None else of(self.alike),
        )

    def units(self) -> tuple[str, ...]:
        """What a split keeps whole: groups, joined where they share a file, or one alike."""
        files, alike = self.digests, self.alike or self.digests
        if self.groups is None and self.alike is None:
            return files
        joined: dict[str, str] = {}

        def root(unit: str) -> str:
            while joined.setdefault(unit, unit) != unit:
                unit = joined[unit]
            return unit

        groups = self.groups or files
        for group, file, like in zip(groups, files, alike, strict=True):
            joined[root(f"file {file}")] = root(f"group {group}")
            joined[root(f"alike {like}")] = root(f"group {group}")
        return tuple(root(f"group {group}") for group in groups)

    def contradictions(self) -> int:
        """How many images have an identical file under another label."""
        labels: dict[str, set[str]] = {}
        for digest, label in zip(self.digests, self.labels, strict=True):
            labels.setdefault(digest, set()).add(label)
        return sum(len(labels[digest]) > 1 for digest in self.digests)


def read_images(folder: Path) -> ImageSet:
    """Read a folder of class folders, or one with a CSV of ``file,label[,group][,split]``.

    Class folders may lie in folders named after the parts of a split (train, test, ...).

    Raises
    ------
    TrainingError
        There is no such folder or nothing to learn in it; lists every bad line of the CSV.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; give a folder of class folders or one with a CSV"
        raise TrainingError(msg)
    found = {path: read_manifest(path) for path in sorted(folder.glob("*.csv")) if path.is_file()}
    manifests = [path for path, rows in found.items() if rows is not None]
    if len(manifests) > 1:
        names = ", ".join(path.name for path in manifests)
        msg = f"{folder} holds several CSV files with file and label columns ({names}); keep one"
        raise TrainingError(msg)
    notes = [
        f"{path.name} was not read: it has no columns file and label"
        for path in found
        if path not in manifests
    ]
    rows = found[manifests[0]] if manifests else read_class_folders(folder, notes)
    return _checked(folder, sorted(rows or ()), tuple(notes))


def _checked(folder: Path, rows: Sequence[ManifestRow], notes: tuple[str, ...]) -> ImageSet:
    if not rows:
        kinds = ", ".join(sorted(SUFFIXES))
        msg = f"{folder} holds no images in class folders ({kinds}) and no CSV with file and label"
        raise TrainingError(msg)
    files, labels, groups, splits = zip(*rows, strict=True)
    twice = [name for name, count in Counter(files).items() if count > 1]
    if twice:
        msg = f"{folder}: file {twice[0]!r} is listed {Counter(files)[twice[0]]} times"
        raise TrainingError(msg)
    counts = Counter(labels)
    if len(counts) < 2 or min(counts.values()) < MIN_PER_CLASS:
        found = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
        msg = f"{folder}: at least two classes of {MIN_PER_CLASS} images are needed; found {found}"
        raise TrainingError(msg)
    return ImageSet(
        root=folder,
        files=files,
        labels=labels,
        groups=_groups(folder, groups),
        splits=_given_splits(folder, splits),
        digests=tuple(_sha256(folder / name) for name in files),
        notes=notes,
    )


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


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise TrainingError(msg) from error


def decode(images: ImageSet, steps: Preprocessing, progress: Progress) -> npt.NDArray[np.uint8]:
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
    problems: list[str] = []

    def fill(number: int) -> None:
        try:
            pixels[number] = load_image(images.root / images.files[number], steps)
        except TrainingError as error:
            problems.append(f"  {error}")

    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(fill, range(len(images.files))), 1):
            progress("images", done, len(images.files))
    if problems:
        head = f"{len(problems)} image(s) cannot be read; repair or remove them:"
        msg = "\n".join([head, *sorted(problems)[:50]])
        raise TrainingError(msg)
    return pixels


def load_image(path: Path, steps: Preprocessing) -> npt.NDArray[np.uint8]:
    """One image as ``(px, px, 3)`` of 8 bits, upright.

    Raises
    ------
    TrainingError
        The file is missing, empty, broken, too large, or no image.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                msg = f"{path.name}: {opened.width} x {opened.height} pixels are too many"
                raise TrainingError(msg)
            upright = ImageOps.exif_transpose(opened)
            method = Image.Resampling[steps.interpolation.upper()]
            return np.asarray(_eight_bit(upright).resize((steps.input_px, steps.input_px), method))
    except (*PILLOW_ERRORS, OSError) as error:
        reason = "empty file" if path.is_file() and not path.stat().st_size else str(error)
        msg = f"{path.name}: {reason.replace(str(path), path.name)}"
        raise TrainingError(msg) from error


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return image.convert("RGB")
    values = np.asarray(image, dtype=np.float32)
    if not np.isfinite(values).all():
        msg = "holds values that are no numbers"
        raise ValueError(msg)
    low, high = np.percentile(values, WINDOW_PERCENTILES)
    scaled = (values - low) / max(float(high - low), 1e-6)
    return Image.fromarray((scaled.clip(0, 1) * 255).astype(np.uint8)).convert("RGB")
