"""A finished run and new images -> what its model says of each, a batch at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from evidence.records import Record
from trainer.applying.trained import TrainedModel
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.features import EXTRACTION_BATCH, batches
from trainer.images import load_image
from trainer.measures.operating_point import OperatingPoint
from trainer.measures.weighted import THRESHOLD
from trainer.reading.manifest import SUFFIXES, images_below
from trainer.reading.pixels import quiet, split_item
from trainer.targets import SEPARATOR, Predictions

#: Significant decimal digits of single precision.
DIGITS = 7

Pixels = npt.NDArray[np.uint8]


class Prediction(Record):
    """What a model says of one image.

    Attributes
    ----------
    predicted : str
        The most probable class; of several labels those given, joined by ``|``.
    probabilities : dict
        Of each class; empty where a number was learned.
    value : float or None
        The number, where one was learned.
    at_operating_point : str
        The class that is called at the run's threshold; empty where it has none.
    explanation : str
        File of a picture of what the model saw, where one was drawn.
    problem : str
        Why the image could not be read; all else is then empty.
    """

    file: str
    predicted: str = ""
    probabilities: dict[str, float] = Field(default_factory=dict)
    value: float | None = None
    at_operating_point: str = ""
    explanation: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Decoded:
    path: Path
    pixels: Pixels | None
    problem: str = ""


def predict(
    model: TrainedModel,
    files: Sequence[Path],
    device: torch.device,
    completed: Callable[[Prediction, Pixels], Prediction] = lambda prediction, _pixels: prediction,
) -> Iterator[Prediction]:
    """Apply a model to images, in their order; an image that cannot be read tells why.

    Parameters
    ----------
    model : TrainedModel
        From `trainer.applying.trained.load_model`.
    files : sequence of pathlib.Path
        From `find_files`. Two batches are in memory at a time, however many there are.
    device : torch.device
        From `trainer.features.choose_device`.
    completed : callable
        Given each prediction with the pixels ``(px, px, 3)`` it was made of; gives it back, with
        more in it.
    """
    model.to(device)
    for decoded in _decoded(files, model.steps):
        read = [image.pixels for image in decoded if image.pixels is not None]
        rows = iter(model.answers(np.stack(read), device) if read else ())
        for image in decoded:
            name = os.fsencode(image.path).decode(errors="replace")
            if image.pixels is None:
                yield Prediction(file=name, problem=image.problem)
                continue
            yield completed(_prediction(model, name, next(rows)), image.pixels)


def _prediction(model: TrainedModel, name: str, row: Predictions) -> Prediction:
    labels = model.labels
    if labels.target == "number":
        return Prediction(file=name, value=_rounded(float(row)))
    if labels.target == "multi_label":
        given = [label for label, p in zip(labels.names, row, strict=True) if p >= THRESHOLD]
    else:
        given = [labels.names[int(row.argmax())]]
    return Prediction(
        file=name,
        predicted=SEPARATOR.join(given),
        probabilities={
            label: round(float(p), 6) for label, p in zip(labels.names, row, strict=True)
        },
        at_operating_point=_called(model.result.operating_point, labels.names, row),
    )


def _rounded(number: float) -> float:
    """To the digits that a network computes with, of small probabilities too."""
    return float(f"{number:.{DIGITS}g}")


def _called(point: OperatingPoint | None, names: Sequence[str], row: Predictions) -> str:
    """The class of two that is called at a threshold."""
    if point is None or point.threshold is None:
        return ""
    (other,) = (name for name in names if name != point.positive)
    positive = row[list(names).index(point.positive)] >= point.threshold
    return point.positive if positive else other


def _decoded(files: Sequence[Path], steps: Preprocessing) -> Iterator[list[_Decoded]]:
    """Batches of decoded images; the next one is decoded while the last is worked on."""
    with quiet(), ThreadPoolExecutor() as pool:
        waiting: deque[list[Future[_Decoded]]] = deque()
        for part in batches(len(files), EXTRACTION_BATCH):
            waiting.append([pool.submit(_decode, path, steps) for path in files[part]])
            if len(waiting) > 1:
                yield [pending.result() for pending in waiting.popleft()]
        for last in waiting:
            yield [pending.result() for pending in last]


def _decode(path: Path, steps: Preprocessing) -> _Decoded:
    try:
        return _Decoded(path, load_image(path, steps))
    except TrainingError as error:
        return _Decoded(path, None, str(error).removeprefix(f"{path.name}: "))


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Images of those names, and every image below those that are folders.

    A frame of a file of several is named ``cine.dcm#12``; without a number it is the middle one.

    Raises
    ------
    TrainingError
        A name is neither, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = images_below(path)
            if not inside:
                msg = f"{path} holds no images ({', '.join(sorted(SUFFIXES))})"
                raise TrainingError(msg)
            found += inside
        elif split_item(path)[0].is_file():
            found.append(path)
        else:
            msg = f"{path}: no such file or folder"
            raise TrainingError(msg)
    return found
