"""``predictions.csv`` of a run: what the model said of every image, to draw and compare.

Columns ``file,part,label,group`` and one ``p_NAME`` for each class, label or grade, or ``value``.
Groups are digests, so that no patient's name stands in the file; who knows the names can still
tell which is which.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recommender.plan import Target
from trainer.errors import TrainingError
from trainer.places import new_file
from trainer.reading.private import numbered
from trainer.targets import NUMBER_NAME, Labels, Predictions

PREDICTIONS_FILE = "predictions.csv"
COLUMNS = ("file", "part", "label", "group")
PROBABILITY_PREFIX = "p_"
#: What a sum of probabilities may be above 1.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Predicted:
    """Images and what was predicted of them.

    Attributes
    ----------
    files, parts, labels, groups : tuple of str
        One per image; labels as in the manifest.
    names : tuple of str
        As in `Labels`.
    predictions : ndarray, shape (N, C) or (N,)
        Probabilities, or numbers.
    """

    files: tuple[str, ...]
    parts: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    predictions: Predictions

    def means(self, target: Target) -> Labels:
        """What the columns mean."""
        return Labels(target=target, names=self.names)

    def pick(self, index: Sequence[int]) -> "Predicted":
        """Some of the images, in the order of `index`."""

        def of(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(values[number] for number in index)

        return Predicted(
            files=of(self.files),
            parts=of(self.parts),
            labels=of(self.labels),
            groups=of(self.groups),
            names=self.names,
            predictions=self.predictions[np.asarray(index, dtype=np.int64)],
        )


def write_predictions(path: Path, predicted: Predicted) -> None:
    """Write the file whole or not at all; groups become numbers.

    Raises
    ------
    TrainingError
        It cannot be written.
    """
    with new_file(path) as draft:
        draft.write_text(_text(predicted), encoding="utf-8")


def _text(predicted: Predicted) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *_columns(predicted.names)])
    groups = numbered(predicted.groups)
    words = zip(predicted.files, predicted.parts, predicted.labels, groups, strict=True)
    rows = predicted.predictions.reshape(len(predicted.files), -1).tolist()
    for (file, part, label, group), row in zip(words, rows, strict=True):
        # All digits: rounded, images that the model ranks would be ties.
        writer.writerow([file, part, label, group, *map(repr, row)])
    return text.getvalue()


def _columns(names: Sequence[str]) -> list[str]:
    if tuple(names) == (NUMBER_NAME,):
        return [NUMBER_NAME]
    return [PROBABILITY_PREFIX + name for name in names]


def digest_of(path: Path) -> str:
    """SHA-256 of the file.

    Raises
    ------
    TrainingError
        It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        msg = f"{path}: {error.strerror}; a run writes it where it finishes"
        raise TrainingError(msg) from error


def read_predictions(path: Path, digest: str = "") -> Predicted:
    """Read the file.

    Parameters
    ----------
    digest : str
        Of the file as the run wrote it; empty where none was kept.

    Raises
    ------
    TrainingError
        It is missing or another one, or a column or row is wrong; says which.
    """
    if digest and digest_of(path) != digest:
        msg = (
            f"{path} is not what the run wrote (its digest differs); put the file back, or train "
            "again"
        )
        raise TrainingError(msg)
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
    except OSError as error:
        msg = f"{path}: {error.strerror}; a run writes it where it finishes"
        raise TrainingError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} is no CSV in UTF-8: {error}"
        raise TrainingError(msg) from error
    names = _names(path, header)
    numbers = [_row(path, line, cells, header) for line, cells in enumerate(rows, 2)]
    words = [tuple(row[column] for row in rows) for column in range(len(COLUMNS))]
    predictions = np.array(numbers, dtype=np.float64).reshape(len(rows), len(names))
    whole = predictions[:, 0] if names == (NUMBER_NAME,) else predictions
    return Predicted(words[0], words[1], words[2], words[3], names, whole)


def _names(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    found, columns = tuple(header[: len(COLUMNS)]), header[len(COLUMNS) :]
    if columns == [NUMBER_NAME] and found == COLUMNS:
        return (NUMBER_NAME,)
    if (
        found != COLUMNS
        or not columns
        or not all(c.startswith(PROBABILITY_PREFIX) for c in columns)
    ):
        msg = (
            f"{path} has the columns {', '.join(header) or 'none'}; allowed are "
            f"{', '.join(COLUMNS)} and then {PROBABILITY_PREFIX}NAME of each class, or "
            f"{NUMBER_NAME}"
        )
        raise TrainingError(msg)
    return tuple(column.removeprefix(PROBABILITY_PREFIX) for column in columns)


def _row(path: Path, line: int, cells: Sequence[str], header: Sequence[str]) -> list[float]:
    try:
        numbers = [float(cell) for cell in cells[len(COLUMNS) :]]
    except ValueError as error:
        msg = f"{path}, row {line}: {error}"
        raise TrainingError(msg) from error
    low, high = (-np.inf, np.inf) if header[-1] == NUMBER_NAME else (0, 1 + ROUNDING)
    wrong = not all(np.isfinite(number) and low <= number <= high for number in numbers)
    if wrong or len(cells) != len(header):
        msg = (
            f"{path}, row {line}: found {', '.join(cells)[:80]}; {len(header)} cells are needed, "
            "probabilities between 0 and 1"
        )
        raise TrainingError(msg)
    return numbers
