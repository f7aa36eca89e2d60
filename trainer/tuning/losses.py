"""What training makes small: a loss for ordered grades and one for numbers, beside torch's own."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

#: Share of each target spread over all classes (Szegedy et al. 2016, arXiv:1512.00567).
LABEL_SMOOTHING = 0.1


class GradeLoss(nn.Module):
    """Loss of conditional logits of ordered grades (CORN), weighted by grade.

    Output k is the log-odds of "worse than grade k" among images of grade k or worse; only these
    images count for it. Any linear layer can give such outputs, and their products are
    probabilities that fall with the grade, which independent thresholds do not promise.

    Parameters
    ----------
    weight : Tensor, shape (C,)
        Weight of the images of each grade.

    References
    ----------
    Shi, Cao and Raschka 2023, doi:10.1007/s10044-023-01181-9.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean over the images of logits ``(N, C - 1)`` against grades ``(N,)``."""
        threshold = torch.arange(outputs.shape[1], device=outputs.device)
        worse = (targets[:, None] > threshold).to(outputs.dtype)
        losses = functional.binary_cross_entropy_with_logits(outputs, worse, reduction="none")
        weight = self.get_buffer("weight")[targets]
        asked = (targets[:, None] >= threshold).to(outputs.dtype)
        return ((losses * asked).sum(1) * weight).sum() / weight.sum()


class NumberLoss(nn.Module):
    """Squares of small errors, absolute values of large ones, in standard deviations.

    References
    ----------
    Huber 1964, doi:10.1214/aoms/1177703732: a few wrong measurements do not rule the fit.
    """

    def __init__(self, centre: float, spread: float) -> None:
        super().__init__()
        self.centre, self.spread = centre, spread

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean over outputs ``(N, 1)`` against numbers ``(N,)`` in their own unit."""
        return functional.smooth_l1_loss(outputs[:, 0], (targets - self.centre) / self.spread)


def inverse_frequency(targets: npt.NDArray[np.int64], n_classes: int) -> Tensor:
    """Weight of each class that makes all classes count alike; 1 on average over the images."""
    counts = np.bincount(targets, minlength=n_classes)
    return torch.tensor(len(targets) / (n_classes * np.maximum(counts, 1)), dtype=torch.float32)


def negatives_per_positive(targets: npt.NDArray[np.float32]) -> Tensor:
    """Weight of the images that have each label ``(C,)``, of indicators ``(N, C)``.

    References
    ----------
    As in CheXNet: Rajpurkar et al. 2017, arXiv:1711.05225.
    """
    counts = targets.sum(0)
    return torch.tensor((len(targets) - counts) / np.maximum(counts, 1), dtype=torch.float32)
