"""Pictures of what a model saw in the images that it is applied to."""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from trainer import heads
from trainer.applying.prediction import Prediction, predict
from trainer.applying.trained import TrainedModel
from trainer.errors import TrainingError, UnreadableError
from trainer.reading.pixels import read_header
from trainer.reporting.case_maps import Explainer
from trainer.reporting.doubts import doubts
from trainer.reporting.report_data import Drawn


class Pictures:
    """A folder with an overlay of each image, drawn as the images are predicted.

    The map is that of the most probable class, label or grade, or of the number.

    Parameters
    ----------
    model : TrainedModel
        On `device`.
    folder : pathlib.Path
        New or empty. Files are named after the images, with a number before it.

    Raises
    ------
    TrainingError
        The folder holds something, or cannot be made.
    """

    def __init__(self, model: TrainedModel, folder: Path, device: torch.device) -> None:
        self.folder = folder
        self.n_drawn = 0
        self.explainer = _explainer(model, device)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                msg = f"{folder} is not empty; name a new folder for the pictures"
                raise TrainingError(msg)
        except OSError as error:
            msg = f"cannot write {folder}: {error.strerror}"
            raise TrainingError(msg) from error

    def draw(self, prediction: Prediction, pixels: npt.NDArray[np.uint8]) -> Prediction:
        """Keep the picture of an image ``(px, px, 3)``; its prediction then names the file.

        Raises
        ------
        TrainingError
            The picture cannot be drawn or written.
        """
        drawn = _overlaid(self.explainer, prediction, pixels)
        self.n_drawn += 1
        name = f"{self.n_drawn:05d}-{Path(prediction.file).stem}.png"
        try:
            Image.fromarray(drawn.picture).save(self.folder / name)
        except OSError as error:
            msg = f"cannot write {self.folder / name}: {error.strerror or error}"
            raise TrainingError(msg) from error
        return prediction.model_copy(update={"explanation": name})


class Seen(NamedTuple):
    """What a model says of one image, and two pictures as PNG.

    Attributes
    ----------
    image : bytes
        As the network was given it.
    overlay : bytes
        The same under the map that `caption` names.
    doubts : tuple of str
        Why the answer is to be doubted, as far as the image shows it.
    """

    prediction: Prediction
    image: bytes
    overlay: bytes
    caption: str
    doubts: tuple[str, ...]


def see(model: TrainedModel, file: Path, device: torch.device) -> Seen:
    """Apply a model to one image and draw what it saw; nothing is written.

    Raises
    ------
    TrainingError
        The image cannot be read; the reason holds nothing of its content.
    """
    given: list[npt.NDArray[np.uint8]] = []

    def keep(prediction: Prediction, pixels: npt.NDArray[np.uint8]) -> Prediction:
        given.append(pixels)
        return prediction

    (prediction,) = predict(model, [file], device, keep)
    if prediction.problem:
        raise UnreadableError(prediction.problem)
    drawn = _overlaid(_explainer(model, device), prediction, given[0])
    header = read_header(file)
    told = doubts(given[0], header.width_px, header.height_px, model.steps.input_px)
    return Seen(prediction, _png(given[0]), _png(drawn.picture), drawn.caption, told)


def _explainer(model: TrainedModel, device: torch.device) -> Explainer:
    return Explainer(
        model.network,
        model.labels.target,
        model.labels.names,
        model.steps,
        device,
        None if model.head is None else lambda features: heads.predict(model.head, features),
    )


def _overlaid(explainer: Explainer, prediction: Prediction, pixels: npt.NDArray[np.uint8]) -> Drawn:
    chances = list(prediction.probabilities.values())
    return explainer.overlaid(pixels, int(np.argmax(chances)) if chances else 0)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
