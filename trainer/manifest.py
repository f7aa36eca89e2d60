"""Which images a folder names: a CSV manifest, or class folders."""

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from trainer.errors import TrainingError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
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

#: File, label, group and split; the last two may be empty.
ManifestRow = tuple[str, str, str, str]


def read_manifest(path: Path) -> list[ManifestRow] | None:
    """Rows of a CSV with file and label columns; None where it is another kind of CSV.

    Comma, semicolon or tab; column names in any case, with blanks or underscores.

    Raises
    ------
    TrainingError
        Lists every bad row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise TrainingError(msg) from error
    header, delimiter = _header(text)
    if not {"file", "label"} <= set(header):
        return None
    rows: list[ManifestRow] = []
    problems: list[str] = []
    for number, cells in _cells(text, delimiter):
        row, problem = _row(path.parent, header, cells)
        rows.append(row)
        if problem:
            problems.append(f"  row {number}: {problem}")
    if problems:
        msg = "\n".join([f"{path.name}: {len(problems)} bad row(s):", *problems[:50]])
        raise TrainingError(msg)
    return rows


def _header(text: str) -> tuple[list[str], str]:
    """Plain column names, and the delimiter that gives most of them."""
    first = text.splitlines()[0] if text else ""
    delimiter = max(",;\t", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter), [])
    return ["_".join(name.lower().split()) for name in names], delimiter


def _cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    next(reader)
    return ((reader.line_num, cells) for cells in reader if cells)


def _row(root: Path, header: list[str], cells: list[str]) -> tuple[ManifestRow, str]:
    by_name = dict(zip(header, (cell.strip() for cell in cells), strict=False))
    group = next((by_name.get(name, "") for name in GROUP_COLUMNS if name in header), "")
    split = by_name.get("split", "")
    name = PurePosixPath(by_name.get("file", "").replace("\\", "/"))
    row = str(name), by_name.get("label", ""), group, SPLIT_WORDS.get(split.lower(), "")
    return row, _problem(root, name, row[1], split)


def _problem(root: Path, name: PurePosixPath, label: str, split: str) -> str:
    if not name.parts or not label:
        return "file and label must not be empty"
    if name.is_absolute() or ".." in name.parts:
        return f"file {str(name)!r} lies outside the folder"
    if "\0" in str(name) or not (root / name).is_file():
        return f"file {str(name)!r} does not exist"
    if split and split.lower() not in SPLIT_WORDS:
        return f"split {split!r}; allowed: train, validation, test or empty"
    return ""


def read_class_folders(folder: Path, notes: list[str]) -> list[ManifestRow]:
    """Images below class folders; hidden files and folders are passed over.

    Where every folder is named after a part of a split, the class folders are the ones below.

    Raises
    ------
    TrainingError
        Images lie beside class folders where classes are expected.
    """
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]
    parts = {path.name.lower() for path in inside}
    is_split = len(parts) > 1 and parts <= set(SPLIT_WORDS)
    rows: list[ManifestRow] = []
    for path in inside:
        names = [name for name in _images(path) if name.suffix.lower() in SUFFIXES]
        if not names:
            notes.append(f"folder {path.name} was left out: it holds no image of a known kind")
        for name in names:
            steps = (path / name).relative_to(folder).parts
            if is_split and len(steps) < 3:
                msg = f"{folder / path.name}: {name} lies in no class folder"
                raise TrainingError(msg)
            label = steps[1] if is_split else steps[0]
            split = SPLIT_WORDS[steps[0].lower()] if is_split else ""
            rows.append(("/".join(steps), label, "", split))
    return rows


def _images(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name


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
