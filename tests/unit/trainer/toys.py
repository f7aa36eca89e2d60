"""A toy network and a plan for tests of the trainer."""

import torch
from torch import Tensor, nn

from evidence.records import TaskProfile
from recommender.plan import PlannedBackbone, TrainingPlan
from trainer.errors import TrainingError
from trainer.weights import Weights

TOY_PX = 16
LITE0 = PlannedBackbone(
    name="EfficientNet-Lite0",
    library="timm",
    model="tf_efficientnet_lite0.in1k",
    input_px=224,
)


class Toy(nn.Module):
    """Convolution, batch normalisation and pooling: ``(N, 3, H, W)`` -> ``(N, 4)``."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.normalisation = nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""
        features: Tensor = self.normalisation(self.convolution(images)).relu().mean((2, 3))
        return features


def toy() -> Toy:
    """The same toy every time."""
    torch.manual_seed(0)
    return Toy()


def plan_of(seed: int = 0, **fields: object) -> TrainingPlan:
    """A plan for EfficientNet-Lite0, whose weights an installed package ships."""
    base: dict[str, object] = {
        "profile": TaskProfile(modality="ultrasound", n_images=100),
        "backbone": LITE0,
        "approach": "feature_extractor",
        "head": "linear",
        "augmentation": "none",
        "seed": seed,
    }
    return TrainingPlan.model_validate(base | fields)


def no_network(_backbone: PlannedBackbone) -> Weights:
    """Fetching as on a machine without a network."""
    msg = "no network"
    raise TrainingError(msg)
