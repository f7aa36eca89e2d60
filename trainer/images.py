"""A folder of images -> files with labels and groups, splits that keep groups whole, pixels."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from sklearn.model_selection import StratifiedGroupKFold

from recommender.plan import TrainingPlan
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
SPLITS = ("train", "validation", "test")
#: Spellings of the manifest's optional columns and of its splits.
GROUP_COLUMNS = ("group", "group_id", "patient", "patient_id")
SPLIT_WORDS = {"train": "train", "training": "train", "val": "validation", "valid": "validation",
               "validation": "validation", "dev": "validation", "test": "test",
               "testing": "test"}  # fmt: skip
#: Fewest images of a class: one for each part of the split.
MIN_PER_CLASS = 3
#: Values of deeper images between these percentiles are spread over 8 bits; Pillow would clip.
WINDOW_PERCENTILES = (0.5, 99.5)
#: Pixels of one image above which a file is taken for a decompression bomb.
MAX_PIXELS = 100_000_000

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
    """

    root: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...] | None
    splits: tuple[str, ...] | None
    digests: tuple[str, ...]

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

    def units(self) -> tuple[str, ...]:
        """What a split keeps whole: the group, else all copies of one file."""
        return self.groups or self.digests


def read_images(folder: Path) -> ImageSet:
    """Read a folder of class folders, or one with a CSV of ``file,label[,group][,split]``.

    Raises
    ------
    TrainingError
        There is no such folder or nothing to learn in it; lists every bad line of the CSV.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; give a folder of class folders or one with a CSV"
        raise TrainingError(msg)
    manifests = [path for path in sorted(folder.glob("*.csv")) if _is_manifest(path)]
    if len(manifests) > 1:
        names = ", ".join(path.name for path in manifests)
        msg = f"{folder} holds several CSV files with file and label columns ({names}); keep one"
        raise TrainingError(msg)
    rows = _from_manifest(manifests[0]) if manifests else _from_class_folders(folder)
    return _checked(folder, sorted(rows))


_Row = tuple[str, str, str, str]  # file, label, group, split


def _is_manifest(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return {"file", "label"} <= set(next(csv.reader(stream), []))
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text: {error}"
        raise TrainingError(msg) from error


def _from_class_folders(folder: Path) -> list[_Row]:
    return [
        (path.relative_to(folder).as_posix(), path.relative_to(folder).parts[0], "", "")
        for path in folder.glob("*/**/*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]


def _from_manifest(path: Path) -> list[_Row]:
    rows: list[_Row] = []
    problems: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        group = next((name for name in GROUP_COLUMNS if name in (reader.fieldnames or ())), "")
        for cells in reader:
            row = tuple(
                (cells.get(name) or "").strip() for name in ("file", "label", group, "split")
            )
            problem = _row_problem(path.parent, *row)
            if problem:
                problems.append(f"  row {reader.line_num}: {problem}")
            else:
                rows.append((row[0], row[1], row[2], SPLIT_WORDS.get(row[3].lower(), "")))
    if problems:
        msg = "\n".join([f"{path.name}: {len(problems)} bad row(s):", *problems[:50]])
        raise TrainingError(msg)
    return rows


def _row_problem(root: Path, file: str, label: str, _group: str, split: str) -> str:
    if not file or not label:
        return "file and label must not be empty"
    path = (root / file).resolve()
    if not path.is_relative_to(root.resolve()):
        return f"file {file!r} lies outside the folder"
    if not path.is_file():
        return f"file {file!r} does not exist"
    if split and split.lower() not in SPLIT_WORDS:
        return f"split {split!r}; allowed: {', '.join(SPLITS)} or empty"
    return ""


def _checked(folder: Path, rows: Sequence[_Row]) -> ImageSet:
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
    rare = [f"{name} ({count})" for name, count in sorted(counts.items()) if count < MIN_PER_CLASS]
    if len(counts) < 2 or rare:
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
        _move(images, parts, "test", plan.test_fraction, plan.seed)
    if "validation" not in parts:
        _move(images, parts, "validation", plan.validation_fraction, plan.seed + 1)
    for part in SPLITS:
        missing = set(images.classes) - {images.labels[i] for i in np.flatnonzero(parts == part)}
        if missing:
            msg = (
                f"class {sorted(missing)[0]!r} has no image in the {part} part: it needs images "
                "of at least three patients or groups, or a given split that spreads it"
            )
            raise TrainingError(msg)
    return tuple(str(part) for part in parts)


def _move(
    images: ImageSet, parts: npt.NDArray[np.str_], part: str, fraction: float, seed: int
) -> None:
    """Move a stratified share of the training units to another part."""
    index = np.flatnonzero(parts == "train")
    units = np.array(images.units())[index]
    folds = max(2, round(1 / fraction))
    smallest = min(
        len(set(units[images.targets[index] == target])) for target in range(len(images.classes))
    )
    if smallest < 2:
        msg = "a class has fewer than three patients or groups: it cannot be split"
        raise TrainingError(msg)
    splitter = StratifiedGroupKFold(min(folds, smallest), shuffle=True, random_state=seed)
    _, moved = next(splitter.split(index, images.targets[index], units))
    parts[index[moved]] = part


def crossing(images: ImageSet, parts: Sequence[str]) -> dict[str, int]:
    """How many test images have an identical file, or a group, in training or validation."""
    found = {}
    for name, units in (("identical", images.digests), ("group", images.groups or ())):
        elsewhere = {unit for unit, part in zip(units, parts, strict=False) if part != "test"}
        found[name] = sum(
            part == "test" and unit in elsewhere for unit, part in zip(units, parts, strict=False)
        )
    return found


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
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "empty file" if path.is_file() and not path.stat().st_size else str(error)
        msg = f"{path.name}: {reason.replace(str(path), path.name)}"
        raise TrainingError(msg) from error


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return image.convert("RGB")
    values = np.asarray(image, dtype=np.float32)
    low, high = np.percentile(values, WINDOW_PERCENTILES)
    scaled = (values - low) / max(float(high - low), 1e-6)
    return Image.fromarray((scaled.clip(0, 1) * 255).astype(np.uint8)).convert("RGB")
