"""What is known of each backbone: network, weights, licence, what it sees, what it costs."""

from collections.abc import Sequence
from typing import Literal

import timm
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from evidence.records import Backbone, Record
from recommender.plan import PlannedBackbone
from trainer.backbones import build_backbone, stated_config
from trainer.naming import NO_STAND_IN, known_backbone, planned_backbone, stand_in, stand_ins
from trainer.weights import Weights, find_weights, published

#: Parameters and operations of corpus backbones were counted with this many classes.
N_CLASSES = 1000


class BackboneCard(Record):
    """What is known of one backbone.

    Attributes
    ----------
    name : str
        In the store, else the timm model.
    kind : str
        ``exact``: a library has this very network; ``nearest``: another one is trained in its
        place; ``own``: our own network; ``none``: nothing can be trained under this name.
    reason : str
        Why the network is not exact; empty where it is.
    trained : PlannedBackbone or None
        What is trained.
    weights : str
        Where they are published: a repository of the hub or an address; empty for none.
    here : str
        Where they are on this machine (``folder``, ``package``, ``hub``), empty for nowhere; for
        a single backbone with the file's name and SHA-256.
    licence : str
        Of the weights, as timm states it; empty where none is stated. torchvision states none.
    mean, std : tuple of float
        Per channel, of values in [0, 1].
    interpolation : str
        How images are scaled to the square of `trained.input_px`.
    crop_pct : float or None
        Share of the side that the publisher cuts from the middle when measuring. Not done here:
        the whole image is squeezed to the square.
    n_parameters, n_macs : int or None
        With 1000 classes (our own network: without a classifier); multiply-accumulates of one
        image of `trained.input_px`.
    imagenet_top1 : float or None
        Of the weights that `imagenet_source` names.
    """

    name: str
    family: str = ""
    aliases: tuple[str, ...] = ()
    kind: Literal["exact", "nearest", "own", "none"]
    reason: str = ""
    trained: PlannedBackbone | None = None
    weights: str = ""
    here: str = ""
    licence: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    interpolation: str = ""
    crop_pct: float | None = None
    n_parameters: int | None = None
    n_macs: int | None = None
    year: int | None = None
    imagenet_top1: float | None = None
    imagenet_source: str = ""
    note: str = ""


def cards(backbones: Sequence[Backbone]) -> tuple[BackboneCard, ...]:
    """A card of each backbone of the store; no network is asked.

    Raises
    ------
    TrainingError
        ``EVTL_WEIGHTS_DIR`` is not there, or a backbone names no model of its library.
    """
    return tuple(_of_store(each, backbones, full=False) for each in backbones)


def card(text: str, backbones: Sequence[Backbone]) -> BackboneCard:
    """The card of a backbone of the store or of any timm model, by a name as people write it.

    Raises
    ------
    EvtlError
        The name is unknown or may mean several; or as `cards`.
    """
    if (backbone := known_backbone(text, backbones)) is not None:
        return _of_store(backbone, backbones, full=True)
    trained = planned_backbone(text, backbones).backbone
    if (backbone := known_backbone(trained.model, backbones)) is not None:
        return _of_store(backbone, backbones, full=True)
    facts = _facts(trained, backbones, full=True)
    return BackboneCard.model_validate({"name": trained.name, "kind": "exact"} | facts)


def _of_store(backbone: Backbone, backbones: Sequence[Backbone], *, full: bool) -> BackboneCard:
    fields: dict[str, object] = {
        "name": backbone.name, "family": backbone.family, "aliases": backbone.aliases,
        "year": backbone.year, "note": backbone.note,
    }  # fmt: skip
    if backbone.library:
        facts = _facts(PlannedBackbone.of(backbone), backbones, full=full)
        return BackboneCard.model_validate(fields | facts | {"kind": "exact"})
    row = stand_ins().get(backbone.name)
    if row is None or not row.library:
        why = row.reason if row else NO_STAND_IN
        return BackboneCard.model_validate(fields | {"kind": "none", "reason": why})
    trained = stand_in(row, backbones)
    kind = "own" if trained.name == backbone.name else "nearest"
    facts = _facts(trained, backbones, full=full)
    return BackboneCard.model_validate(fields | facts | {"kind": kind, "reason": row.reason})


def _facts(
    trained: PlannedBackbone, backbones: Sequence[Backbone], *, full: bool
) -> dict[str, object]:
    """Of the network that is trained and of its weights."""
    source, weights, seen = published(trained), find_weights(trained), stated_config(trained)
    names = ("mean", "std", "interpolation", "crop_pct")
    facts: dict[str, object] = {name: seen[name] for name in names}
    found = next((each for each in backbones if each.name == trained.name), None)
    if found is not None and found.n_parameters is not None:
        names = ("n_parameters", "n_macs", "imagenet_top1", "imagenet_source")
        facts |= {name: getattr(found, name) for name in names}
    else:
        facts |= dict(zip(("n_parameters", "n_macs"), count(trained), strict=True))
    return facts | {
        "trained": trained,
        "weights": source.hub or source.url,
        "licence": source.licence,
        "here": _here(weights, full=full),
    }


def _here(weights: Weights | None, *, full: bool) -> str:
    if weights is None:
        return ""
    return weights.describe() if full else weights.source


def count(backbone: PlannedBackbone) -> tuple[int, int | None]:
    """Parameters, and multiply-accumulates of one image; None where they cannot be counted.

    Nothing is computed: the network has shapes only.
    """
    with torch.device("meta"), torch.no_grad():
        network = _with_classes(backbone).eval()
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        image = torch.zeros(1, 3, backbone.input_px, backbone.input_px)
        try:
            with FlopCounterMode(display=False) as counter:
                network(image)
        except (NotImplementedError, RuntimeError):  # it computes what depends on the values
            return n_parameters, None
    # Two operations of torch's counter are one multiply-accumulate.
    return n_parameters, counter.get_total_flops() // 2


def _with_classes(backbone: PlannedBackbone) -> nn.Module:
    if backbone.library == "timm":
        network: nn.Module = timm.create_model(backbone.model, num_classes=N_CLASSES)
        return network
    if backbone.library == "torchvision":
        options = {"aux_logits": False, "init_weights": False}
        given = options if backbone.model == "googlenet" else {}
        found: nn.Module = torchvision.models.get_model(backbone.model, weights=None, **given)
        return found
    return build_backbone(backbone, None)
