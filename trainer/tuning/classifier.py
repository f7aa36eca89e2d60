"""A backbone with a linear head, and what it gives for images."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainer.backbones import Preprocessing
from trainer.features import EXTRACTION_BATCH, autocast
from trainer.processes import crew
from trainer.targets import Encoded
from trainer.tuning.feeding import Source, inputs, portion
from trainer.tuning.freezing import settle
from trainer.tuning.memory import fitting_memory

Pixels = npt.NDArray[np.uint8]


class Classifier(nn.Module):
    """A backbone and a linear head: ``(N, 3, H, W)`` -> outputs ``(N, C)``.

    Batch normalisation keeps the statistics of the pretraining, in training too: some dozens of
    small batches, all that a small set gives, do not move the running means to where the weights
    have gone, and what is evaluated would then not be what was trained. Where there was no
    pretraining, ``keep_statistics`` is False and it learns them.
    """

    def __init__(self, backbone: nn.Module, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(n_features, n_classes)
        self.keep_statistics = True

    def forward(self, images: Tensor) -> Tensor:
        """Outputs of a batch."""
        outputs: Tensor = self.head(self.backbone(images))
        return outputs

    def train(self, mode: bool = True) -> Self:
        """Switch everything that learns, but batch normalisation that keeps its statistics."""
        super().train(mode)
        settle(self, keep_statistics=self.keep_statistics)
        return self


@dataclass(frozen=True)
class Part:
    """Pixels ``(N, px, px, 3)`` and targets ``(N,)`` or ``(N, C)`` of one part of the split.

    `units` name what belongs together, one name per image: patients; empty where nothing is known.
    """

    pixels: Source
    targets: Encoded
    units: tuple[str, ...] = ()


def count_features(network: nn.Module, input_px: int) -> int:
    """Length of the feature vector that a backbone gives."""
    network.eval()
    with torch.inference_mode():
        return int(network(torch.zeros(1, 3, input_px, input_px)).shape[1])


def logits_of(
    classifier: Classifier,
    pixels: Source,
    steps: Preprocessing,
    device: torch.device,
    size: int = EXTRACTION_BATCH,
) -> Tensor:
    """Outputs ``(N, C)`` on the CPU, in eval mode, of at most `size` images at once.

    Of several processes each passes a share of the images; all get the outputs of all of them.
    """
    classifier.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def outputs(own: slice) -> Tensor:
        def of_own(at_once: int) -> Tensor:
            fed = inputs(portion(pixels, own), at_once, steps, device)
            return torch.cat([classifier(images).float() for images in fed]).cpu()

        return fitting_memory(of_own, size)[0]

    with torch.inference_mode(), autocast(device):
        return crew.divided(len(pixels), outputs)
