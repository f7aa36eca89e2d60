"""The last layer of a network that still has positions."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainer.errors import TrainingError


@dataclass(frozen=True)
class Layer:
    """A layer and how its output is laid out.

    Attributes
    ----------
    kind : str
        ``channels first`` for ``(N, C, h, w)``, ``channels last`` for ``(N, h, w, C)``, ``tokens``
        for ``(N, T, C)``.
    n_prefix : int
        Tokens that stand before those of the image: class token, registers.
    grid : tuple of int
        Rows and columns of the image's tokens.
    """

    module: nn.Module
    kind: Literal["channels first", "channels last", "tokens"]
    n_prefix: int = 0
    grid: tuple[int, int] = (0, 0)

    def positions(self, values: Tensor) -> Tensor:
        """What the layer gives, as ``(N, C, h, w)``."""
        if self.kind == "tokens":
            values = values[:, self.n_prefix :].reshape(len(values), *self.grid, -1)
        return values if self.kind == "channels first" else values.permute(0, 3, 1, 2)


def last_layer(backbone: nn.Module, images: Tensor) -> tuple[Layer, Tensor, Tensor]:
    """The last layer with positions, what it gives, and the features of the backbone.

    Of a transformer of tokens it is the entry of the last attention: beyond it the tokens do not
    meet any more, and the class token alone may decide.

    Returns
    -------
    tuple of Layer, Tensor and Tensor
        Positions ``(N, C, h, w)`` and features ``(N, D)``.

    Raises
    ------
    TrainingError
        No layer has positions.
    """
    tokens = _last_attention(backbone)
    channels_last = getattr(backbone, "output_fmt", "NCHW") == "NHWC"
    found: list[tuple[nn.Module, Tensor]] = []

    def keep(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and _has_positions(output, channels_last):
            found[:] = [(module, output)]

    watched = backbone.modules() if tokens is None else [tokens]
    handles = [module.register_forward_hook(keep) for module in watched]
    try:
        with torch.no_grad():
            features = backbone(images)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        msg = f"{type(backbone).__name__} has no layer with positions: no map can be drawn of it"
        raise TrainingError(msg)
    layer = _layer(backbone, *found[0], channels_last=channels_last)
    return layer, layer.positions(found[0][1]), features


def _last_attention(backbone: nn.Module) -> nn.Module | None:
    """Normalisation before the attention of the last block, in timm's transformers of tokens."""
    blocks = getattr(backbone, "blocks", None)
    if not hasattr(backbone, "num_prefix_tokens"):
        return None
    if not isinstance(blocks, nn.Sequential | nn.ModuleList):
        return None
    norm = getattr(blocks[-1], "norm1", None)
    return norm if isinstance(norm, nn.Module) else None


def _has_positions(output: Tensor, channels_last: bool) -> bool:
    if output.ndim == 3:
        return True
    sides = output.shape[1:3] if channels_last else output.shape[2:]
    return output.ndim == 4 and min(sides) > 1


def _layer(backbone: nn.Module, module: nn.Module, output: Tensor, *, channels_last: bool) -> Layer:
    if output.ndim == 4:
        return Layer(module, "channels last" if channels_last else "channels first")
    n_prefix = int(getattr(backbone, "num_prefix_tokens", 0))
    side = round((output.shape[1] - n_prefix) ** 0.5)
    return Layer(module, "tokens", n_prefix, (side, side))
