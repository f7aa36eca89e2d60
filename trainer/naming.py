"""Backbones by the names that people write: which network a name trains, and what stands in."""

import csv
import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import timm
import torch

from evidence.backbone_names import BackboneNames
from evidence.records import Backbone
from evidence.shipped import shipped
from recommender.plan import PlannedBackbone
from trainer.errors import TrainingError
from trainer.lenet import INPUT_PX
from trainer.weights import timm_config

#: Before the name of a timm model on the hub.
HUB_PREFIXES = ("hf-hub:timm/", "hf_hub:timm/", "timm/")
#: Name of our own network.
LENET = "LeNet-5"
NO_STAND_IN = "no library has it, and no nearest network is named"


class Resolved(NamedTuple):
    """The backbone that a name trains, and why it is not the named one (empty if it is)."""

    backbone: PlannedBackbone
    reason: str = ""


class StandIn(NamedTuple):
    """A row of ``backbone_nearest.csv``: what trains in place of a name that no library has.

    `library` and `model` are empty where nothing does; `reason` says why.
    """

    backbone: str
    library: str
    model: str
    reason: str


@cache
def stand_ins() -> Mapping[str, StandIn]:
    """What stands in for the names of the shipped corpus that no library carries out."""
    with (shipped("data") / "backbone_nearest.csv").open(encoding="utf-8", newline="") as stream:
        return {row["backbone"]: StandIn(**row) for row in csv.DictReader(stream)}


@cache
def _shipped() -> Mapping[str, tuple[str, str]]:
    """Backbone -> library and architecture in the shipped corpus."""
    with (shipped("data") / "backbones.csv").open(encoding="utf-8", newline="") as stream:
        found = {
            row["backbone"]: (row["library"], _architecture(row["model"]))
            for row in csv.DictReader(stream)
        }
    return found | {LENET: ("evtl", stand_ins()[LENET].model)}


def planned_backbone(text: str, backbones: Sequence[Backbone]) -> Resolved:
    """The backbone to train for a name as people write it.

    Parameters
    ----------
    text : str
        A name of the store (``ResNet50``), or of any timm model, with or without the tag of its
        weights (``vit_large_patch16_224``, ``resnet50.a1_in1k``). A tag is taken as it stands; a
        name of the store without one means the store's weights.
    backbones : sequence of Backbone
        All of the store.

    Returns
    -------
    Resolved
        The nearest network with the reason, where no library has the named one.

    Raises
    ------
    EvtlError
        The name is unknown or may mean several; nothing can stand in for it; or the model takes
        no square images or gives no row of features of one.
    """
    backbone = known_backbone(text, backbones)
    if backbone is None:
        other = _timm_backbone(text, backbones)
        _check_features(other)
        return Resolved(other)
    if backbone.library:
        return Resolved(PlannedBackbone.of(backbone))
    row = stand_ins().get(backbone.name)
    if row is None or not row.library:
        why = row.reason if row else NO_STAND_IN
        msg = f"{backbone.name} cannot be trained: {why}; evtl backbones lists what can"
        raise TrainingError(msg)
    trained = stand_in(row, backbones)
    own = trained.name == backbone.name
    what = trained.name if own else f"{trained.name} in place of {backbone.name}"
    return Resolved(trained, f"{what}: {row.reason}")


def known_backbone(text: str, backbones: Sequence[Backbone]) -> Backbone | None:
    """The backbone of the store that a name means; None for any other, and for other weights.

    Raises
    ------
    UnknownBackboneError
        The name may mean several backbones.
    """
    name = _without_prefix(text)
    if "." in name and timm.is_model(_architecture(name)):
        return _carried_out_by("timm", name, backbones)
    found = BackboneNames(backbones).find(text)
    if found is None or not found.known:
        return None
    return next(each for each in backbones if each.name == found.name)


def _carried_out_by(library: str, model: str, backbones: Sequence[Backbone]) -> Backbone | None:
    found = (each for each in backbones if (each.library, each.model) == (library, model))
    return next(found, None)


def _without_prefix(text: str) -> str:
    name = text.strip()
    prefix = next((each for each in HUB_PREFIXES if name.startswith(each)), "")
    return name.removeprefix(prefix)


def _timm_backbone(text: str, backbones: Sequence[Backbone]) -> PlannedBackbone:
    """A timm model, with the tag of timm's default weights where the name has none."""
    name = _without_prefix(text)
    if not timm.is_model(_architecture(name)):
        raise TrainingError(_unknown(text, name, backbones))
    config = timm_config(name)
    tag = "" if "." in name or not config.tag else f".{config.tag}"
    model = name + tag
    if (backbone := _carried_out_by("timm", model, backbones)) is not None:
        return PlannedBackbone.of(backbone)
    _, height, width = config.input_size
    if height != width:
        msg = f"{model} takes images of {width} x {height} px; only square ones are carried out"
        raise TrainingError(msg)
    return PlannedBackbone(name=model, library="timm", model=model, input_px=height)


def _check_features(backbone: PlannedBackbone) -> None:
    """Encoders of language models give a row for each patch, which no head here takes."""
    with torch.device("meta"), torch.no_grad():
        network = timm.create_model(backbone.model, num_classes=0).eval()
        shape = network(torch.zeros(1, 3, backbone.input_px, backbone.input_px)).shape
    if len(shape) != 2:
        msg = f"{backbone.model} gives {len(shape) - 1}-dimensional features of an image, not a row"
        raise TrainingError(msg)


def stand_in(row: StandIn, backbones: Sequence[Backbone]) -> PlannedBackbone:
    """The network of a row that names one."""
    if row.library == "evtl":
        return PlannedBackbone(name=LENET, library="evtl", model=row.model, input_px=INPUT_PX)
    if (backbone := _carried_out_by(row.library, row.model, backbones)) is not None:
        return PlannedBackbone.of(backbone)
    return _timm_backbone(row.model, backbones)


def _unknown(text: str, name: str, backbones: Sequence[Backbone]) -> str:
    names = sorted({*(b.name for b in backbones), *timm.list_models()})
    lowered = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower(), lowered, n=4, cutoff=0.6)
    hint = f"did you mean {', '.join(lowered[each] for each in near)}? " if near else ""
    return (
        f"unknown backbone {text!r}: {hint}Allowed: a name of evtl backbones, or a model of "
        "timm.list_models()"
    )


def check_name(backbone: PlannedBackbone) -> None:
    """Refuse a plan in which a network goes by the name of another one of the corpus.

    Other weights of the same architecture keep its name. Names that the corpus does not hold
    are free.

    Raises
    ------
    TrainingError
        The name means another network than the model.
    """
    found = (backbone.library, _architecture(backbone.model))
    expected = _shipped().get(backbone.name)
    if expected is None or expected == found:
        return
    known = {where: name for name, where in _shipped().items() if where[0]}
    if expected[0] or found in known:
        mine = f"{expected[0]} {expected[1]}".strip() or "no model"
        msg = (
            f"the plan says backbone {backbone.name} with the model {backbone.model} of "
            f"{backbone.library}, but {backbone.name} has {mine}; "
            f"{f'that model is {known[found]}: ' if found in known else ''}"
            "correct name or model"
        )
        raise TrainingError(msg)


def _architecture(model: str) -> str:
    return model.partition(".")[0]
