"""A trained model as one network: bytes of images in, probabilities out."""

import torch
from torch import Tensor, nn

from trainer import heads
from trainer.applying.trained import TrainedModel
from trainer.errors import TrainingError
from trainer.targets import Labels
from trainer.tuning.classifier import Classifier


class Deployed(nn.Module):
    """Normalisation, network, head, temperature and softmax of a run, so that none is forgotten.

    Parameters
    ----------
    model : TrainedModel
        With a head that is a linear layer, or can be written as one.

    Raises
    ------
    TrainingError
        The head cannot be written as a linear layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.classifier = as_classifier(model).eval()
        self.labels = model.labels
        self.temperature = model.result.temperature or 1.0
        self.register_buffer("mean", torch.tensor(model.steps.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(model.steps.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Of bytes ``(N, px, px, 3)``: the answers, and the logits that they come from."""
        normal = (images.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        logits: Tensor = self.classifier(normal)
        return _answers(self.labels, logits, self.temperature), logits


def _answers(labels: Labels, logits: Tensor, temperature: float) -> Tensor:
    """`Labels.predict`, then `trainer.measures.calibration.apply_temperature`, as a network."""
    if labels.target == "number":
        return logits[:, 0] * labels.spread + labels.centre
    if labels.target == "multi_label":
        return (logits / temperature).sigmoid()
    if labels.target == "classes":
        return (logits / temperature).softmax(1)
    grades = _grades(logits.sigmoid())
    return grades if temperature == 1 else (grades.log() / temperature).softmax(1)


def _grades(worse: Tensor) -> Tensor:
    """Probability of each grade ``(N, C)`` from "worse than k, given k or worse"."""
    at_least = [torch.ones_like(worse[:, :1])]
    for step in range(worse.shape[1]):
        at_least.append(at_least[-1] * worse[:, step : step + 1])
    return torch.cat(at_least, 1) * torch.cat([1 - worse, at_least[0]], 1)


def as_classifier(model: TrainedModel) -> Classifier:
    """The network with a linear head, whichever head was fitted.

    Raises
    ------
    TrainingError
        The head cannot be written as a linear layer.
    """
    if isinstance(model.network, Classifier):
        return model.network
    if model.result.head != "lda":
        msg = (
            f"{model.run}: a head {model.result.head} cannot be exported, only linear and lda: "
            "train one of these on the same images, or apply this run with evtl predict"
        )
        raise TrainingError(msg)
    weight, bias = heads.as_linear_layer(model.head, model.labels)
    classifier = Classifier(model.network, weight.shape[1], weight.shape[0])
    classifier.head.load_state_dict({"weight": weight, "bias": bias})
    return classifier
