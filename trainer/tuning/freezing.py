"""Blocks of a network from bottom to top, and which of them learn."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from timm.models import group_parameters
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from recommender.plan import TrainingPlan
from trainer.errors import TrainingError

#: A child of the network is a block, or a child of these containers that torchvision uses.
_UNIT = re.compile(r"(?:features|classifier|encoder\.layers)\.[^.]+|[^.]+")
#: What torch's parametrisation makes of the name of a parameter.
_PARAMETRIZED = re.compile(r"\.parametrizations\.(\w+)\..*")
_POOLING = re.compile(r"(Max|Avg)Pool")


class Block(NamedTuple):
    """Some consecutive layers: what is frozen or trained as one.

    Attributes
    ----------
    name : str
        Of its first module.
    parameters : tuple of str
        Names of its parameters in the network.
    """

    name: str
    parameters: tuple[str, ...]


def blocks(network: nn.Module, input_px: int) -> tuple[Block, ...]:
    """Blocks from bottom to top, each parameter in exactly one.

    timm says which parameters make a stage; elsewhere each child of the network is a block. Plain
    layers up to the next pooling are one block, as VGG's authors draw them, and a normalisation
    belongs to the block that it follows. One forward pass tells the order.

    Parameters
    ----------
    network : nn.Module
        ``(N, 3, H, W)`` -> ``(N, D)``, without a classifier.
    input_px : int
        Height and width of an image that it takes.
    """
    order = _forward_order(network, input_px)
    found: list[list[str]] = []
    for names in sorted(_units(network), key=lambda names: _first(names, order)):
        if found and _belongs(network, found[-1], names, order):
            found[-1] += names
        else:
            found.append(names)
    return tuple(Block(_name(names, found), tuple(names)) for names in found)


def _units(network: nn.Module) -> list[list[str]]:
    """Names of parameters that stay together, in the order of their definition."""
    if hasattr(network, "group_matcher"):
        grouped = group_parameters(network, network.group_matcher(coarse=True))  # type: ignore[operator]
        return [list(names) for names in grouped.values()]
    found: dict[str, list[str]] = {}
    for name, _ in network.named_parameters():
        unit = _UNIT.match(name)
        found.setdefault(unit[0] if unit else name, []).append(name)
    return list(found.values())


def _forward_order(network: nn.Module, input_px: int) -> dict[str, int]:
    """When each layer with parameters of its own, and each pooling, is first called."""
    order: dict[str, int] = {}

    def note(name: str) -> None:
        order.setdefault(name, len(order))

    handles = [
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: note(name))
        for name, module in network.named_modules()
        if list(module.parameters(recurse=False)) or _POOLING.search(type(module).__name__)
    ]
    mode, device = network.training, next(network.parameters()).device
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, input_px, input_px, device=device))
    finally:
        network.train(mode)
        for handle in handles:
            handle.remove()
    return order


def _first(names: Sequence[str], order: dict[str, int]) -> int:
    """Call of the first of its layers; what is never called stays on top."""
    # Parameters of the network itself, such as the tokens of a transformer, are used at once.
    return min(order.get(name.rpartition(".")[0], len(order)) for name in names)


def _belongs(
    network: nn.Module, below: Sequence[str], names: Sequence[str], order: dict[str, int]
) -> bool:
    """Whether it only normalises what is below, or is the next plain layer before a pooling."""
    if all(network.get_parameter(name).ndim < 2 for name in names):
        return True
    if not _is_one_layer(names) or _container(below[0]) != _container(names[0]):
        return False
    last = max(order.get(name.rpartition(".")[0], -1) for name in below)
    between = [name for name, number in order.items() if last < number < _first(names, order)]
    return not any(_POOLING.search(type(network.get_submodule(n)).__name__) for n in between)


def _is_one_layer(names: Sequence[str]) -> bool:
    return len({name.rpartition(".")[0] for name in names}) == 1


def _container(name: str) -> str:
    """Where the layer of a parameter lies."""
    return name.rpartition(".")[0].rpartition(".")[0]


def _name(names: Sequence[str], every: Sequence[Sequence[str]]) -> str:
    """The beginning of its first parameter's name that no other block has."""
    others = [other for block in every if block is not names for other in block]
    parts = names[0].split(".")
    for n in range(1, len(parts)):
        prefix = ".".join(parts[:n])
        if not any(other.startswith(f"{prefix}.") for other in others):
            return prefix
    return names[0]


def most_open(plan: TrainingPlan, n_blocks: int) -> int:
    """How many of `n_blocks` blocks the plan ever trains, counted from the top.

    Raises
    ------
    TrainingError
        The plan asks for more blocks than there are.
    """
    if plan.approach != "fine_tuning":
        return n_blocks
    wanted = plan.n_blocks or 0
    if wanted > n_blocks:
        msg = (
            f"n_blocks {wanted} of the plan: {plan.backbone.name} has {n_blocks} blocks; allowed: "
            f"1 to {n_blocks}, or the approach fine_tuning_from_scratch for all of it"
        )
        raise TrainingError(msg)
    return wanted


def n_open(plan: TrainingPlan, most: int, epoch: int) -> int:
    """How many blocks, from the top, learn in an epoch counted from 1.

    Gradual unfreezing begins with the head alone and gives every further block an equal share of
    the epochs; where the epochs are fewer, several blocks are opened at once.

    References
    ----------
    Howard and Ruder 2018, section 3.3 (arXiv:1801.06146).
    """
    stages = min(most + 1, plan.epochs)
    if not plan.gradual or stages < 2:
        return most
    stage = stages * (epoch - 1) // plan.epochs
    return round(most * stage / (stages - 1))


def unfreeze(network: nn.Module, found: Sequence[Block], n: int) -> None:
    """Let the last `n` blocks learn and nothing else."""
    for number, block in enumerate(found):
        for name in block.parameters:
            network.get_parameter(name).requires_grad_(number >= len(found) - n)


def settle(network: nn.Module, *, keep_statistics: bool) -> None:
    """Put what does not learn into eval mode, however the rest trains.

    A frozen batch normalisation that went on averaging, or a frozen dropout, would give other
    features in training than in use.

    Parameters
    ----------
    keep_statistics : bool
        Batch normalisation that learns its scale and shift keeps its statistics.
    """
    for module in network.modules():
        own = list(module.parameters())
        frozen = bool(own) and not any(parameter.requires_grad for parameter in own)
        if frozen or (keep_statistics and isinstance(module, _BatchNorm)):
            module.eval()


def plain_name(name: str) -> str:
    """Name that a parameter had before `trainer.tuning.lora` gave it a low-rank update."""
    return _PARAMETRIZED.sub(r".\1", name)
