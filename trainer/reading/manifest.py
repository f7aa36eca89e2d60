"""Which images a folder names: a CSV manifest, or class folders."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from recommender.plan import Target
from trainer.errors import TrainingError
from trainer.reading.dicom import MAGIC, MAGIC_AT
from trainer.reading.labels import plain_label
from trainer.reading.pixels import DICOM_SUFFIXES, NIFTI_SUFFIXES

SUFFIXES = (
    frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
    | DICOM_SUFFIXES
    | NIFTI_SUFFIXES
)
#: Directory of the files on a medium: DICOM, but no image.
DICOMDIR = "DICOMDIR"
#: Spellings of the manifest's optional column, and of the parts of a split.
GROUP_COLUMNS = ("group", "group_id", "patient", "patient_id")
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
#: Columns that may hold what is learned, the first that is there counts, and for which target.
LABEL_COLUMNS: dict[Target, tuple[tuple[str, Target], ...]] = {
    "classes": (("label", "classes"), ("labels", "multi_label"), ("number", "number")),
    "multi_label": (("labels", "multi_label"), ("label", "multi_label")),
    "ordinal": (("label", "ordinal"),),
    "number": (("number", "number"), ("label", "number")),
}


class ManifestRow(NamedTuple):
    """An image as it is named; group and split may be empty."""

    file: str
    label: str
    group: str
    split: str


class Manifest(NamedTuple):
    """Rows of a manifest, and what its label column says is learned."""

    rows: list[ManifestRow]
    target: Target


def read_manifest(path: Path, target: Target = "classes") -> Manifest | None:
    """Rows of a CSV with a file and a label column; None where it is another kind of CSV.

    Comma, semicolon or tab; column names in any case, with blanks or underscores. A column
    ``labels`` holds names separated by ``;`` or ``|``, none for an image without a finding; a
    column ``number`` holds numbers. A frame or slice is named in its own column ``frame``, from 0,
    or behind the file: ``volume.nii.gz#40``.

    Raises
    ------
    TrainingError
        Lists every bad row; or the columns do not fit the target, or are there twice; or it is no
        text of UTF-8, or no CSV.
    """
    try:
        return _read_manifest(path, target)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise TrainingError(msg) from error
    except csv.Error as error:
        msg = f"{path.name} cannot be read as CSV: {error}"
        raise TrainingError(msg) from error


def _read_manifest(path: Path, target: Target) -> Manifest | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        plain = path.read_bytes().replace(b"\0", b"").decode("latin-1")
        if not _names_images(_header(plain.lstrip("\xff\xfe"))[0]):
            return None
        msg = f"{path.name} is no UTF-8 text: save it as CSV in UTF-8"
        raise TrainingError(msg) from error
    header, delimiter = _header(text)
    if not _names_images(header):
        return None
    _check_columns(path, header)
    column, found = _label_column(path, header, target)
    rows: list[ManifestRow] = []
    problems: list[str] = []
    for number, cells in _cells(text, delimiter):
        by_name = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        try:
            rows.append(_row(by_name, by_name.get(column, ""), found))
        except ValueError as error:
            problems.append(f"  row {number}: {error}")
    if problems:
        msg = "\n".join([f"{path.name}: {len(problems)} bad row(s):", *problems[:50]])
        raise TrainingError(msg)
    return Manifest(rows, found)


def _names_images(header: Sequence[str]) -> bool:
    return "file" in header and bool({"label", "labels", "number"} & set(header))


def _check_columns(path: Path, header: Sequence[str]) -> None:
    """Refuse a column that is there twice: which one counts, nobody could tell."""
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        msg = f"{path.name}: the column {twice[0]} is there {header.count(twice[0])} times"
        raise TrainingError(msg)


def _header(text: str) -> tuple[list[str], str]:
    """Plain column names of the first line that is not blank, and what gives most of them."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter), [])
    return ["_".join(name.lower().split()) for name in names], delimiter


def _label_column(path: Path, header: Sequence[str], target: Target) -> tuple[str, Target]:
    for column, found in LABEL_COLUMNS[target]:
        if column in header:
            return column, found
    allowed = " or ".join(column for column, _ in LABEL_COLUMNS[target])
    msg = f"{path.name}: the target {target} needs a column {allowed}; found {', '.join(header)}"
    raise TrainingError(msg)


def _cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    rows = ((reader.line_num, cells) for cells in reader if any(map(str.strip, cells)))
    next(rows)
    return rows


def _row(by_name: dict[str, str], label: str, target: Target) -> ManifestRow:
    """A row that is in order; whether there is such a file is seen when it is read.

    Raises
    ------
    ValueError
        It is not; says why.
    """
    split = by_name.get("split", "")
    group = next((by_name[name] for name in GROUP_COLUMNS if name in by_name), "")
    file = _file(by_name.get("file", ""), by_name.get("frame", ""))
    if problem := _problem(file, split):
        raise ValueError(problem)
    return ManifestRow(
        str(file), plain_label(label, target), group, SPLIT_WORDS.get(split.lower(), "")
    )


def _file(name: str, frame: str) -> PurePosixPath:
    if frame and not (frame.isascii() and frame.isdigit()):
        msg = f"frame {frame!r} is no number from 0"
        raise ValueError(msg)
    return PurePosixPath(name.replace("\\", "/") + (f"#{int(frame)}" if frame else ""))


def _problem(name: PurePosixPath, split: str) -> str:
    if not name.parts:
        return "file and label must not be empty"
    if name.is_absolute() or ".." in name.parts:
        return f"file {str(name)!r} may lie outside the folder: name it as seen from there"
    if "\0" in str(name):
        return f"file {str(name)!r} is no name of a file"
    if split and split.lower() not in SPLIT_WORDS:
        return f"split {split!r}; allowed: train, validation, test or empty"
    return ""


def read_class_folders(folder: Path, target: Target, notes: list[str]) -> list[ManifestRow]:
    """Images below class folders; hidden files and folders are passed over.

    Where every folder is named after a part of a split, the class folders are the ones below.

    Raises
    ------
    TrainingError
        Images lie beside class folders where classes are expected, or a folder's name is no number
        where numbers are learned.
    """
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]
    parts = {path.name.lower() for path in inside}
    is_split = len(parts) > 1 and parts <= set(SPLIT_WORDS)
    rows: list[ManifestRow] = []
    if beside := sum(path.name[0] != "." and _is_image(path) for path in folder.iterdir()):
        notes.append(f"{beside} images beside the class folders were left out: they have no class")
    found = {path: images_below(path) for path in inside}
    if n_empty := sum(not names for names in found.values()):
        notes.append(f"{n_empty} folders were left out: they hold no image of a known kind")
    for names in found.values():
        for name in names:
            steps = name.relative_to(folder).parts
            if is_split and len(steps) < 3:
                msg = f"{name.parent}: {name.name} lies in no class folder"
                raise TrainingError(msg)
            label = _folder_label(folder, steps[1] if is_split else steps[0], target)
            split = SPLIT_WORDS[steps[0].lower()] if is_split else ""
            rows.append(ManifestRow("/".join(steps), label, "", split))
    return rows


def _folder_label(folder: Path, name: str, target: Target) -> str:
    try:
        return plain_label(name, target)
    except ValueError as error:
        msg = f"{folder}: class folder {error}"
        raise TrainingError(msg) from error


def images_below(folder: Path) -> list[Path]:
    """Files that are images by their suffix, or by their content DICOM, in order of their names.

    Hidden files and folders are passed over. A link that leads nowhere counts as the image that
    it stands for, so that it is missed.

    Raises
    ------
    TrainingError
        A name is no text of UTF-8, so that no file of a run could hold it.
    """
    found = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and _is_image(path):
            _check_name(path)
            found.append(path)
    return sorted(found)


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        msg = f"{str(path)!a}: the name is no UTF-8 text; rename the file"
        raise TrainingError(msg) from error


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(tuple(SUFFIXES)):
        return path.is_file() or (path.is_symlink() and not path.is_dir())
    return path.is_file() and path.name != DICOMDIR and _is_dicom(path)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] == MAGIC
    except OSError:
        return False


def read_other_columns(path: Path, read: frozenset[str]) -> dict[str, dict[str, str]]:
    """Columns of a manifest beside those that are `read` already: of each, values by file."""
    header, delimiter = _header(text := path.read_text(encoding="utf-8-sig"))
    found: dict[str, dict[str, str]] = {name: {} for name in header if name not in read}
    for _, cells in _cells(text, delimiter):
        by_name = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        file = str(PurePosixPath(by_name["file"].replace("\\", "/")))
        for name in found:
            found[name][file] = by_name.get(name, "")
    return found
