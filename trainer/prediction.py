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
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.features import EXTRACTION_BATCH, batches
from trainer.images import load_image
from trainer.manifest import SUFFIXES
from trainer.targets import SEPARATOR, Labels, Predictions
from trainer.trained import TrainedModel
from trainer.weighted import THRESHOLD

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
    problem : str
        Why the image could not be read; all else is then empty.
    """

    file: str
    predicted: str = ""
    probabilities: dict[str, float] = Field(default_factory=dict)
    value: float | None = None
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
    seen: Callable[[Prediction, Pixels], None] = lambda _prediction, _pixels: None,
) -> Iterator[Prediction]:
    """Apply a model to images, in their order; an image that cannot be read tells why.

    Parameters
    ----------
    model : TrainedModel
        From `trainer.trained.load_model`.
    files : sequence of pathlib.Path
        From `find_files`. Two batches are in memory at a time, however many there are.
    device : torch.device
        From `trainer.features.choose_device`.
    seen : callable
        Given each prediction with the pixels ``(px, px, 3)`` it was made of.
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
            found = _prediction(model.labels, name, next(rows))
            seen(found, image.pixels)
            yield found


def _prediction(labels: Labels, name: str, row: Predictions) -> Prediction:
    if labels.target == "number":
        return Prediction(file=name, value=round(float(row), 6))
    if labels.target == "multi_label":
        given = [label for label, p in zip(labels.names, row, strict=True) if p >= THRESHOLD]
    else:
        given = [labels.names[int(row.argmax())]]
    probabilities = {label: round(float(p), 6) for label, p in zip(labels.names, row, strict=True)}
    return Prediction(file=name, predicted=SEPARATOR.join(given), probabilities=probabilities)


def _decoded(files: Sequence[Path], steps: Preprocessing) -> Iterator[list[_Decoded]]:
    """Batches of decoded images; the next one is decoded while the last is worked on."""
    with ThreadPoolExecutor() as pool:
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

    Raises
    ------
    TrainingError
        A name is neither, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                msg = f"{path} holds no images ({', '.join(sorted(SUFFIXES))})"
                raise TrainingError(msg)
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            msg = f"{path}: no such file or folder"
            raise TrainingError(msg)
    return found
