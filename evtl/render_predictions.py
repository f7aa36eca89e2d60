"""What a model says of images, as CSV or JSON, a row at a time."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.prediction import Prediction


def as_csv(
    predictions: "Iterable[Prediction]", classes: Sequence[str], *, number: bool
) -> Iterator[str]:
    """Lines: the file, what is predicted, ``p_CLASS`` of each class, and the problem if any.

    Where a number was learned, its column is ``value``.
    """
    columns = ["value"] if number else ["predicted", *(f"p_{name}" for name in classes)]
    yield _line(["file", *columns, "problem"])
    for found in predictions:
        given = [found.value] if number else [found.predicted, *_each(found, classes)]
        yield _line([found.file, *given, found.problem])


def _each(found: "Prediction", classes: Sequence[str]) -> list[float | None]:
    return [found.probabilities.get(name) for name in classes]


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def as_json(predictions: "Iterable[Prediction]") -> Iterator[str]:
    """An array with an object for each image."""
    before = "[\n"
    for found in predictions:
        yield before + found.model_dump_json()
        before = ",\n"
    yield ("[" if before == "[\n" else "\n") + "]\n"
