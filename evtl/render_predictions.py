"""What a model says of images, as CSV or JSON, a row at a time."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trainer.applying.prediction import Prediction


class Columns(NamedTuple):
    """Which columns there are beside file, predicted and problem.

    Attributes
    ----------
    classes : sequence of str
        Each has a column ``p_CLASS``; empty where a number was learned, in the column ``value``.
    at_operating_point, explanation : bool
        The run has a threshold; pictures are drawn.
    """

    classes: Sequence[str]
    at_operating_point: bool
    explanation: bool


def as_csv(predictions: "Iterable[Prediction]", columns: Columns) -> Iterator[str]:
    """Lines: a header, then a row for each image."""
    probabilities = [f"p_{name}" for name in columns.classes]
    said = ["predicted", *probabilities] if columns.classes else ["value"]
    more = [name for name in ("at_operating_point", "explanation") if getattr(columns, name)]
    yield _line(["file", *said, *more, "problem"])
    for found in predictions:
        cells = found.model_dump(include={"value", "predicted", *more})
        cells |= {f"p_{name}": chance for name, chance in found.probabilities.items()}
        yield _line([found.file, *(cells.get(name) for name in (*said, *more)), found.problem])


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
