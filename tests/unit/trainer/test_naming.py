"""A name trains the network that it means, or one that stands in for it with the reason."""

import contextlib
import csv
import re

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import EvtlError, UnknownBackboneError
from evidence.records import Backbone
from evidence.rows import BackboneRow
from evidence.shipped import shipped
from recommender.plan import PlannedBackbone
from trainer.backbones import build_backbone
from trainer.errors import TrainingError
from trainer.naming import check_name, planned_backbone, stand_in, stand_ins
from trainer.weights import published


def _load() -> tuple[Backbone, ...]:
    with (shipped("data") / "backbones.csv").open(encoding="utf-8", newline="") as stream:
        rows = [BackboneRow.model_validate(cells) for cells in csv.DictReader(stream)]
    return tuple(
        Backbone.model_validate({"name": row.backbone, **row.model_dump(exclude={"backbone"})})
        for row in rows
    )


BACKBONES = _load()
MISSING = [each.name for each in BACKBONES if not each.library]
STAND_INS = [row for row in stand_ins().values() if row.library]


@pytest.mark.parametrize(
    ("text", "name", "model", "px"),
    [
        ("ResNet50", "ResNet-50", "resnet50.tv_in1k", 224),
        ("resnet50", "ResNet-50", "resnet50.tv_in1k", 224),
        ("timm/resnet50.tv_in1k", "ResNet-50", "resnet50.tv_in1k", 224),
        ("resnet50.a1_in1k", "resnet50.a1_in1k", "resnet50.a1_in1k", 224),
        ("Inception-V1", "GoogLeNet", "googlenet", 224),
        ("hf_hub:timm/vit_base_patch16_224.mae", "MAE-ViT-B-16", "vit_base_patch16_224.mae", 224),
        ("mixnet_s", "mixnet_s.ft_in1k", "mixnet_s.ft_in1k", 224),
        ("test_vit2", "test_vit2.r160_in1k", "test_vit2.r160_in1k", 160),
        (" rexnet_100 ", "rexnet_100.nav_in1k", "rexnet_100.nav_in1k", 224),
    ],
)  # fmt: skip
def test_a_name_means_a_network_and_its_size(text: str, name: str, model: str, px: int) -> None:
    backbone, reason = planned_backbone(text, BACKBONES)
    assert (backbone.name, backbone.model, backbone.input_px, reason) == (name, model, px, "")


@pytest.mark.parametrize(
    ("text", "model", "reason"),
    [
        ("CaffeNet", "alexnet", "AlexNet in place of CaffeNet: .* published for Caffe"),
        ("ZFNet", "alexnet", "AlexNet in place of ZFNet: .*filters of 7 pixels"),
        ("CheXNet", "densenet121.tv_in1k", "DenseNet-121 in place of CheXNet: .*not of chest"),
        ("DarkNet", "darknet53.c2ns_in1k", "DarkNet: version not stated"),
        ("resnet-v2", "resnetv2_50.a1h_in1k", "ResNet-50-V2 in place of ResNet-V2"),
        ("LeNet", "lenet5", "^LeNet-5: our own network, .*random initialisation only"),
    ],
)
def test_what_stands_in_says_why(text: str, model: str, reason: str) -> None:
    found = planned_backbone(text, BACKBONES)
    assert found.backbone.model == model
    assert re.search(reason, found.reason)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnet5O", r"unknown backbone 'resnet5O': did you mean resnet50, .*evtl backbones"),
        ("RadImageNet/ResNet50", "unknown backbone 'RadImageNet/ResNet50'"),
        ("zzz", r"unknown backbone 'zzz': Allowed: a name of evtl backbones"),
        ("", "unknown backbone ''"),
        ("resnet50.a99_in1k", r"timm has no model 'resnet50\.a99_in1k'; its weights: .*a1_in1k"),
        ("custom", "custom cannot be trained: a study's own network"),
        ("unknown", "unknown cannot be trained: the review prints no backbone"),
        ("vit_base_patch16_sapiens2", "takes images of 768 x 1024 px; only square"),
        ("gemma4_vit_167m_enc", "gives 2-dimensional features of an image, not a row"),
    ],
)
def test_a_name_that_trains_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        planned_backbone(text, BACKBONES)


def test_a_name_of_several_is_refused() -> None:
    twice = [Backbone(name=name, family="A", aliases=("both",)) for name in ("A-1", "A-2")]
    with pytest.raises(UnknownBackboneError, match="may be A-1 or A-2"):
        planned_backbone("both", twice)


def test_a_name_of_the_users_own_store_without_a_network_is_refused() -> None:
    with pytest.raises(TrainingError, match="MyNet cannot be trained: no library has it"):
        planned_backbone("MyNet", [Backbone(name="MyNet", family="custom")])


@given(st.text(max_size=30) | st.sampled_from(timm.list_models()).map(lambda name: f"{name}x"))
def test_any_text_is_a_network_or_one_clear_error(text: str) -> None:
    with contextlib.suppress(EvtlError):
        assert planned_backbone(text, BACKBONES).backbone.input_px > 0


def test_every_name_that_no_library_has_stands_in_the_table_and_no_other() -> None:
    assert list(stand_ins()) == MISSING
    assert all(row.reason for row in stand_ins().values())
    assert all(bool(row.library) == bool(row.model) for row in stand_ins().values())


@pytest.mark.parametrize("row", STAND_INS, ids=lambda row: row.backbone)
def test_what_stands_in_is_a_network_with_published_weights(row: object) -> None:
    assert isinstance(row, tuple)
    trained = stand_in(stand_ins()[row[0]], BACKBONES)
    source = published(trained)
    assert bool(source.hub or source.url) == (trained.library != "evtl")
    with torch.device("meta"), torch.no_grad():
        network = build_backbone(trained, None).eval()
        features = network(torch.zeros(1, 3, trained.input_px, trained.input_px))
    assert len(features) == 1


def plan_says(name: str, model: str, library: str = "timm") -> PlannedBackbone:
    fields = {"name": name, "library": library, "model": model, "input_px": 224}
    return PlannedBackbone.model_validate(fields)


@pytest.mark.parametrize(
    ("name", "model", "library", "message"),
    [
        ("ResNet-50", "vgg16.tv_in1k", "timm", "has timm resnet50; that model is VGG-16"),
        ("ResNet-50", "resnet50d.ra2_in1k", "timm", "has timm resnet50; correct name or model"),
        ("CaffeNet", "alexnet", "torchvision", "CaffeNet has no model; that model is AlexNet"),
        ("AlexNet", "googlenet", "torchvision", "has torchvision alexnet; that model is GoogLe"),
        ("VGG-16", "lenet5", "evtl", "VGG-16 has timm vgg16"),
        ("LeNet-5", "vgg16.tv_in1k", "timm", "LeNet-5 has evtl lenet5; that model is VGG-16"),
    ],
)
def test_a_network_under_the_name_of_another_is_refused(
    name: str, model: str, library: str, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        check_name(plan_says(name, model, library))


@pytest.mark.parametrize(
    ("name", "model", "library"),
    [
        ("ResNet-50", "resnet50.a1_in1k", "timm"),
        ("LeNet-5", "lenet5", "evtl"),
        ("my network", "vgg16.tv_in1k", "timm"),
        ("resnet50d.ra2_in1k", "resnet50d.ra2_in1k", "timm"),
    ],
)
def test_other_weights_and_own_names_are_free(name: str, model: str, library: str) -> None:
    check_name(plan_says(name, model, library))


@pytest.mark.parametrize("name", [each.name for each in BACKBONES])
def test_what_a_name_of_the_corpus_trains_goes_by_its_own_name(name: str) -> None:
    if name in MISSING and not stand_ins()[name].library:
        return
    check_name(planned_backbone(name, BACKBONES).backbone)
