"""Low-rank updates of a transformer's attention, trained instead of its weights.

References
----------
Hu et al. 2021, arXiv:2106.09685.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from trainer.errors import TrainingError

#: Names that timm gives to the layers of an attention.
_QUERIES, _OUTPUTS = ("qkv", "q", "q_proj"), ("proj", "out_proj")
_LAYERS = (*_QUERIES, "k", "v", "kv", "k_proj", "v_proj", *_OUTPUTS)


class LowRank(nn.Module):
    """A weight ``(out, in)`` -> the weight plus the product of two narrow matrices, at first zero.

    Parameters
    ----------
    weight : Tensor, shape (out, in)
        What is updated.
    rank : int
        Width of the narrow matrices.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The updated weight."""
        return torch.addmm(weight, self.up, self.down)


def adapt(network: nn.Module, rank: int) -> int:
    """Freeze a network but for updates of `rank` to every weight of its attention.

    Returns
    -------
    int
        Number of weights that are updated.

    Raises
    ------
    TrainingError
        The network has no attention, or a rank so high that an update is no smaller than a weight.
    """
    network.requires_grad_(requires_grad=False)
    found = list(_attention_weights(network))
    if not found:
        msg = (
            f"lora_rank: {type(network).__name__} has no attention to update; take a transformer "
            "such as a ViT, or n_blocks instead of lora_rank"
        )
        raise TrainingError(msg)
    largest = min(min(getattr(module, name).shape) for module, name in found)
    if rank >= largest:
        msg = f"lora_rank {rank} of the plan; allowed for this network: 1 to {largest - 1}"
        raise TrainingError(msg)
    for module, name in found:
        update = LowRank(getattr(module, name), rank)
        parametrize.register_parametrization(module, name, update)
    return len(found)


def merge(network: nn.Module) -> None:
    """Make the updates part of the plain weights: nobody who uses them needs to know."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name)


def _attention_weights(network: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Each weight of an attention: the module that holds it, and its name there."""
    for module in network.modules():
        if isinstance(module, nn.MultiheadAttention):
            if module.in_proj_weight is not None:
                yield module, "in_proj_weight"
            yield module.out_proj, "weight"
            continue
        linear = {n: child for n, child in module.named_children() if isinstance(child, nn.Linear)}
        if linear.keys() & {*_QUERIES} and linear.keys() & {*_OUTPUTS}:
            yield from ((linear[name], "weight") for name in _LAYERS if name in linear)
