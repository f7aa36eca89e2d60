"""Pictures of what a model saw in the images that it is applied to."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from trainer import heads
from trainer.applying.prediction import Prediction
from trainer.applying.trained import TrainedModel
from trainer.errors import TrainingError
from trainer.reporting.case_maps import Explainer


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
        self.labels = model.labels
        self.folder = folder
        self.n_drawn = 0
        self.explainer = Explainer(
            model.network,
            model.labels.target,
            model.labels.names,
            model.steps,
            device,
            None if model.head is None else lambda features: heads.predict(model.head, features),
        )
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
        chances = list(prediction.probabilities.values())
        drawn = self.explainer.overlaid(pixels, int(np.argmax(chances)) if chances else 0)
        self.n_drawn += 1
        name = f"{self.n_drawn:05d}-{Path(prediction.file).stem}.png"
        try:
            Image.fromarray(drawn.picture).save(self.folder / name)
        except OSError as error:
            msg = f"cannot write {self.folder / name}: {error.strerror or error}"
            raise TrainingError(msg) from error
        return prediction.model_copy(update={"explanation": name})
