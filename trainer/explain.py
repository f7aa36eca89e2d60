"""Where a network looks, and what its parts respond to: maps for people, never a proof.

A map is sound only as far as it changes with the network. Class activation maps do, and
`resemblance_to_shuffled` measures how far; deconvolution and guided backpropagation hardly do
(Adebayo 2018, arXiv:1810.03292; Nie 2018, arXiv:1805.07039): they show what a network can see of
an image, not why it decided.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import (
    Deconvolution,
    GuidedBackprop,
    LayerGradCam,
    LayerGradientXActivation,
    Occlusion,
    Saliency,
)
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional

from trainer.finetune import Classifier
from trainer.reporting.spatial import last_layer
from trainer.stages import Stages

#: Side of the square that is covered, and of its steps, as parts of the image's side: a quarter
#: and an eighth give 49 to 64 forward passes of an image.
WINDOW, STRIDE = 4, 8
#: Covered copies of an image in one forward pass: a head is asked less often.
COVERED_AT_ONCE = 16
#: Share of pixels whose gradient may exceed the brightest value of a map (Smilkov 2017,
#: arXiv:1706.03825, section 3): single pixels would darken all others.
CLIPPED_PERCENTILE = 99.0
#: How far features may lie from the mean over positions and still count as it.
POOLED_TOLERANCE = 1e-4

Network = TypeVar("Network", bound=nn.Module)
Scores = Callable[[Tensor], Tensor]
Planes = npt.NDArray[np.float64]


class Maps(NamedTuple):
    """Maps of some images.

    Attributes
    ----------
    method : str
        What drew them, as people call it.
    maps : ndarray, shape (N, H, W)
        From 0 (nothing) to 1 (the most in this image), at the size of the images.
    note : str
        What of the method did not fit the network; empty where all did.
    """

    method: str
    maps: Planes
    note: str = ""


class Contrast(nn.Module):
    """Each logit above the mean of all: what speaks for a class rather than for any.

    A softmax does not change with a number that is added to all its logits, so a single logit
    means nothing; of two classes one may even have no weights at all.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Centred logits of a batch, shape ``(N, C)``."""
        logits: Tensor = self.model(images)
        return logits - logits.mean(1, keepdim=True)


def activation_map(
    model: Classifier, images: Tensor, outputs: Sequence[int], *, exclusive: bool = True
) -> Maps:
    """Which places of each image speak for an output.

    Parameters
    ----------
    model : Classifier
        Not changed.
    images : Tensor, shape (N, 3, H, W)
        Normalised, as the network takes them.
    outputs : sequence of int, length N
        Class, label or, for a number, 0.
    exclusive : bool
        The outputs are classes of which one holds: explained is what sets one apart.

    Returns
    -------
    Maps
        ``CAM`` where the features are means over the positions of the last layer, or of the last
        stages: the mean of a map, before it is scaled, is then the logit. Else ``Grad-CAM``;
        for transformers of tokens ``HiResCAM`` at the entry of the last attention, beyond which
        single tokens decide.

    Raises
    ------
    TrainingError
        No layer of the network has positions.

    References
    ----------
    CAM: Zhou 2016, doi:10.1109/CVPR.2016.319. Grad-CAM: Selvaraju 2017,
    doi:10.1109/ICCV.2017.74. HiResCAM: Draelos and Carin 2020, arXiv:2011.08891.
    """
    method, found = _evidence_map(model, images, outputs, exclusive)
    return Maps(method, _scaled(found, images))


def _evidence_map(
    model: Classifier, images: Tensor, outputs: Sequence[int], exclusive: bool
) -> tuple[str, Tensor]:
    """Method and signed map ``(N, h, w)`` at the size of the layer."""
    model = _readable(model)
    scores: nn.Module = Contrast(model) if exclusive and model.head.out_features > 1 else model
    if isinstance(model.backbone, Stages):
        return "CAM", _stages_map(model, model.backbone, scores, images, outputs)
    layer, values, features = last_layer(model.backbone, images)
    if layer.kind != "tokens" and _same(values.mean((2, 3)), features):
        return "CAM", _class_map(model, scores, values, outputs)
    if layer.kind == "channels first":
        found = LayerGradCam(scores, layer.module).attribute(images, target=list(outputs))
        return "Grad-CAM", found[:, 0]
    product = LayerGradientXActivation(scores, layer.module)
    found = product.attribute(images, target=list(outputs))
    return "HiResCAM", layer.positions(found).sum(1)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(
        one, other, rtol=POOLED_TOLERANCE, atol=POOLED_TOLERANCE
    )


def _class_map(
    model: Classifier, scores: nn.Module, values: Tensor, outputs: Sequence[int]
) -> Tensor:
    """The head applied at each position, its bias included: ``(N, h, w)``."""
    weight, bias = _weights_of(model, scores, outputs)
    return torch.einsum("nchw,nc->nhw", values, weight) + bias[:, None, None]


def _weights_of(
    model: Classifier, scores: nn.Module, outputs: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Weights ``(N, D)`` and bias ``(N,)`` of the output that is asked of each image."""
    weight, bias = model.head.weight.detach(), model.head.bias.detach()
    if isinstance(scores, Contrast):
        weight, bias = weight - weight.mean(0), bias - bias.mean()
    chosen = list(outputs)
    return weight[chosen], bias[chosen]


def _stages_map(
    model: Classifier, backbone: Stages, scores: nn.Module, images: Tensor, outputs: Sequence[int]
) -> Tensor:
    """The same of several stages, each with its part of the head, at the size of the finest."""
    weight, bias = _weights_of(model, scores, outputs)
    with torch.no_grad():
        maps = backbone.maps(images)
    parts = torch.split(weight, [found.shape[1] for found in maps], dim=1)
    total = bias[:, None, None]
    for found, part in zip(maps, parts, strict=True):
        plane = torch.einsum("nchw,nc->nhw", found, part)[:, None]
        fine = functional.interpolate(plane, maps[0].shape[2:], mode="nearest-exact")
        # Sides that do not divide each other weigh positions unequally; the mean is to stay.
        shift = plane.mean((2, 3), keepdim=True) - fine.mean((2, 3), keepdim=True)
        total = total + (fine + shift)[:, 0]
    return total


def occlusion_map(predict: Scores, images: Tensor, outputs: Sequence[int]) -> Maps:
    """Where covering the image lowers the prediction, for models without a gradient.

    Parameters
    ----------
    predict : callable
        Images ``(N, 3, H, W)`` -> probabilities or numbers ``(N, C)``.
    images, outputs
        As for `activation_map`.

    References
    ----------
    Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53, section 4.2.
    """
    side = min(images.shape[2:])
    window, stride = max(1, side // WINDOW), max(1, side // STRIDE)
    found = Occlusion(predict).attribute(
        images,
        sliding_window_shapes=(images.shape[1], window, window),
        strides=(images.shape[1], stride, stride),
        target=list(outputs),
        perturbations_per_eval=COVERED_AT_ONCE,
        # Covered with the mean colour of the image: black would itself be a sign in many images.
        baselines=images.mean((2, 3), keepdim=True).expand_as(images),
    )
    return Maps("occlusion", _scaled(found.mean(1), images))


def reversed_map(model: nn.Module, images: Tensor, outputs: Sequence[int] | None = None) -> Maps:
    """Pixels that the network carries back from an output, or from its features.

    Parameters
    ----------
    model : Module
        Not changed. A backbone where `outputs` is None.
    images : Tensor, shape (N, 3, H, W)
        Normalised.
    outputs : sequence of int or None
        None for all features together, each as strongly as the image excites it: what a
        classifier without a gradient was given to see.

    Returns
    -------
    Maps
        ``deconvolution`` where max-pooling halves the image; it remembers where each maximum was.
        Where strides do, deconvolution would hardly depend on the image (Springenberg 2015,
        section 3.4): there ``guided backpropagation``. ``gradient`` (Simonyan 2013,
        arXiv:1312.6034) where the network has no rectifiers, for only they can be reversed so.

    References
    ----------
    Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53. Springenberg 2015, arXiv:1412.6806.
    """
    readable = with_plain_rectifiers(_readable(model))
    explained = readable if outputs is not None else _Strength(readable)
    target = [0] * len(images) if outputs is None else list(outputs)
    images = images.detach().clone().requires_grad_()
    if not any(isinstance(module, nn.ReLU) for module in readable.modules()):
        found = Saliency(explained).attribute(images, target=target)
        note = "no layer of the network is a rectifier to reverse: drawn is the plain gradient"
        return Maps("gradient", _brightest(found), note)
    name, method = _reversal(readable)
    with warnings.catch_warnings():
        # Captum warns on each call that it sets hooks, and takes them away again.
        warnings.filterwarnings("ignore", "Setting backward hooks", UserWarning)
        found = method(explained).attribute(images, target=target)
    return Maps(name, _brightest(found.abs()), _other_activations(readable))


def _reversal(model: nn.Module) -> tuple[str, type[Deconvolution | GuidedBackprop]]:
    """Name and method, by what makes most of the steps from fine to coarse."""
    n_pooled = sum(isinstance(module, nn.MaxPool2d) for module in model.modules())
    n_strided = sum(
        isinstance(module, nn.Conv2d) and max(module.stride) > 1 for module in model.modules()
    )
    if n_pooled > n_strided:
        return "deconvolution", Deconvolution
    return "guided backpropagation", GuidedBackprop


class _Strength(nn.Module):
    """Half the squared length of the features, whose gradient weighs each by its own value."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.backbone(images)
        return features.square().sum(1, keepdim=True) / 2


def with_plain_rectifiers(model: nn.Module) -> nn.Module:
    """Write each ReLU6 as a ReLU and a ceiling, in place: the same function.

    Captum reverses modules of the class ReLU only, and would pass over those of many small
    networks without a word.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.ReLU6):
            parent, _, own = name.rpartition(".")
            # The floor lies below all that a ReLU gives, so that it never takes a gradient away.
            setattr(model.get_submodule(parent), own, nn.Sequential(nn.ReLU(), nn.Hardtanh(-1, 6)))
    return model


def _other_activations(model: nn.Module) -> str:
    smooth = (nn.SiLU, nn.GELU, nn.Hardswish, nn.ELU, nn.PReLU, nn.LeakyReLU)
    others = {type(module).__name__ for module in model.modules() if isinstance(module, smooth)}
    if not others:
        return ""
    return f"only rectifiers are reversed; {', '.join(sorted(others))} let their gradient through"


def _readable(model: Network) -> Network:
    """A copy that measures only: hooks and other layers never touch the model itself."""
    return copy.deepcopy(model).eval().requires_grad_(requires_grad=False)


def _scaled(found: Tensor, images: Tensor) -> Planes:
    """Coarse signed maps ``(N, h, w)`` at the size of the images; what speaks against is 0."""
    size = [int(side) for side in images.shape[2:]]
    fine = functional.interpolate(
        found.detach().float()[:, None], size, mode="bilinear", align_corners=False
    )
    return _unit(fine[:, 0].clamp(min=0).cpu().double().numpy())


def _brightest(found: Tensor) -> Planes:
    planes = found.detach().amax(1).cpu().double().numpy()
    most = np.percentile(planes, CLIPPED_PERCENTILE, axis=(1, 2), keepdims=True)
    return _unit(np.where(most > 0, np.minimum(planes, most), planes))


def _unit(planes: Planes) -> Planes:
    """Each map over its own maximum; all zero where it has none."""
    most = planes.max((1, 2), keepdims=True)
    return np.asarray(np.divide(planes, most, out=np.zeros_like(planes), where=most > 0))


def resemblance_to_shuffled(
    model: Classifier, images: Tensor, outputs: Sequence[int], seed: int, *, exclusive: bool = True
) -> float | None:
    """How much activation maps are those of the same network with its weights shuffled.

    Parameters
    ----------
    model, images, outputs, exclusive
        As for `activation_map`.
    seed : int
        Of the shuffling, within each layer: what they learned is gone, their size is not.

    Returns
    -------
    float or None
        Mean rank correlation over the images, from -1 to 1: near 1, the maps show the images and
        not what the network learned. None where all maps are constant.

    References
    ----------
    Model parameter randomisation test: Adebayo 2018, arXiv:1810.03292.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in shuffled.parameters():
            if parameter.ndim > 1:
                order = torch.randperm(parameter.numel(), generator=generator)
                parameter.copy_(parameter.flatten()[order.to(parameter.device)].view_as(parameter))
    maps = [_evidence_map(each, images, outputs, exclusive)[1] for each in (model, shuffled)]
    pairs = zip(*(each.detach().double().cpu().numpy() for each in maps), strict=True)
    found = [
        float(spearmanr(one, other, axis=None).statistic)
        for one, other in pairs
        if np.ptp(one) and np.ptp(other)
    ]
    return float(np.mean(found)) if found else None
