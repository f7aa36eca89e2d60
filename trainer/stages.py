"""A backbone read at the ends of its last stages: features for heads that are fitted on them.

The layers before a classifier are shaped to the classes of the pretraining; those below tell more
of other images (Yosinski et al. 2014, arXiv:1411.1792; features of several depths together: Evci
et al. 2022, arXiv:2201.03529). Means over positions of the last three stages rank test images of
the shipped comparisons better than the last layer does, with nearly every head; README, "What was
measured".
"""

import torch
from torch import Tensor, nn

from recommender.plan import FeatureDepth

#: Stages from the top; features of finer ones added nothing.
N_STAGES = 3


class Stages(nn.Module):
    """Means over the positions of each of the last stages: ``(N, 3, H, W)`` -> ``(N, D)``.

    Parameters
    ----------
    network : torch.nn.Module
        One of timm's that halves the image stage by stage; its last layers are not run.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def maps(self, images: Tensor) -> list[Tensor]:
        """What each stage gives, ``(N, C, h, w)``, the finest first."""
        found: list[Tensor] = self.network.forward_intermediates(  # type: ignore[operator]
            images, indices=N_STAGES, intermediates_only=True, stop_early=True, output_fmt="NCHW"
        )
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""
        return torch.cat([found.mean((2, 3)) for found in self.maps(images)], dim=1)


def depth_of(network: nn.Module, wanted: FeatureDepth) -> FeatureDepth:
    """Where a backbone is read: where that is wanted, as far as it has stages at all.

    Transformers of tokens, whose layers all see the same positions, have none.
    """
    stages = {info["reduction"] for info in getattr(network, "feature_info", ())}
    known = hasattr(network, "forward_intermediates") and len(stages) >= N_STAGES
    return wanted if known else "last"


def read_at(network: nn.Module, depth: FeatureDepth) -> nn.Module:
    """The network as a source of features at that depth; its weights are shared."""
    return Stages(network) if depth == "stages" else network
