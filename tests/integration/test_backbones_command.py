"""The command that shows every network, and what it says."""

import json
import re
import socket
from pathlib import Path

import pytest

from evidence import questions
from evidence.store import Store
from evtl import backbone_services as services
from tests.integration.commands import evtl, refused
from trainer.cards import BackboneCard
from trainer.naming import stand_ins


@pytest.fixture(scope="module")
def listed(template: Path) -> list[dict[str, object]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVTL_DATABASE_URL", f"sqlite:///{template}")
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
        found: list[dict[str, object]] = json.loads(evtl("backbones", "--json"))
    return found


def test_every_backbone_of_the_corpus_is_listed(
    store: Store, listed: list[dict[str, object]]
) -> None:
    names = questions.question(store, "select name from backbone order by name").rows
    assert [each["name"] for each in listed] == [name for (name,) in names]


#: As the reviews, and the task that this table is for, name them.
NAMED = (
    "AlexNet CaffeNet ZFNet VGG VGG-16 VGG-19 GoogLeNet Inception-V2 Inception-V3 Inception-V4 "
    "Inception-ResNet-V1 Inception-ResNet-V2 Xception ResNet ResNet-50 ResNet-V2 DenseNet "
    "MobileNet LeNet-5 OverFeat CheXNet DarkNet SqueezeNet CifarNet"
).split()


def test_every_named_network_can_be_trained_or_says_why_not(
    listed: list[dict[str, object]],
) -> None:
    cards = {each["name"]: BackboneCard.model_validate(each) for each in listed}
    for name in NAMED:
        assert cards[name].trained is not None, name
    for card in cards.values():
        assert bool(card.reason) == (card.kind != "exact"), card.name
        if card.trained is None:
            continue
        assert card.n_parameters, card.name
        assert card.n_macs, card.name
        assert len(card.mean) == len(card.std) == 3, card.name
        assert card.interpolation in {"bicubic", "bilinear"}, card.name
        assert bool(card.weights) == (card.trained.library != "evtl"), card.name
        if card.trained.library == "timm":
            assert card.licence, card.name
    assert cards["MAE-ViT-B-16"].licence == "cc-by-nc-4.0"
    assert cards["AlexNet"].licence == ""
    assert (cards["LeNet-5"].kind, cards["LeNet-5"].n_parameters) == ("own", 61_156)


def test_a_version_that_is_not_stated_is_the_one_that_most_studies_name(store: Store) -> None:
    sql = (
        "select b.family, b.name, b.model, count(distinct e.study) from arm a "
        "join extraction e on a.extraction = e.id join backbone b on a.backbone = b.name "
        "where b.library <> '' group by 1, 2, 3 order by 4 desc"
    )
    rows = questions.question(store, sql).rows
    families = dict(questions.question(store, "select name, family from backbone").rows)
    claims = [row for row in stand_ins().values() if "most studies of the corpus" in row.reason]
    assert len(claims) == 6
    for row in claims:
        models = [model for family, _, model, _ in rows if family == families[row.backbone]]
        assert models[0] == row.model, row.backbone


def test_the_table_shows_models_licences_and_reasons(store: Store) -> None:
    assert store.path.exists()
    text = evtl("backbones", "--family", "densenet")
    assert re.search(r"^DenseNet-121 +densenet121\.tv_in1k +224 +7\.98 +2\.83 +apache", text, re.M)
    assert re.search(r"^CheXNet +~ densenet121\.tv_in1k", text, re.M)
    assert "CheXNet: the same network with weights of ImageNet, not of chest X-rays" in text
    assert "VGG" not in text


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("densenet121", ["DenseNet-121", "apache-2.0, as timm states it", "7,978,856", "224 x 224",
                         "timm/densenet121.tv_in1k", "0.485, 0.456, 0.406"]),
        ("efficientnet_lite0", ["package: ", "sha256:"]),
        ("CaffeNet", ["alexnet of torchvision", "nearest", "not stated", "download.pytorch.org"]),
        ("LeNet", ["lenet5 of evtl", "61,156", "none are published"]),
        ("custom", ["nothing: a study's own network"]),
        ("test_resnet", ["test_resnet.r160_in1k", "160 x 160", "parameters"]),
        ("resnetv2_152", ["none are published"]),
    ],
)  # fmt: skip
def test_one_backbone_is_shown_whole(store: Store, name: str, parts: list[str]) -> None:
    assert store.path.exists()
    text = " ".join(evtl("backbones", name).split())
    for part in parts:
        assert part in text, part


def test_weights_that_are_here_are_shown(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.path.exists()
    (tmp_path / "resnet18.tv_in1k.safetensors").write_bytes(b"x")
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path))
    here = {card.name: card.here for card in services.backbones("ResNet")}
    assert {name for name, where in here.items() if where} == {"ResNet-18"}
    text = " ".join(evtl("backbones", "ResNet-18").split())
    assert "folder: resnet18.tv_in1k.safetensors sha256:" in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("resnet5O",), "did you mean resnet50"),
        (("--family", "Nets"), "unknown family 'Nets'; allowed: AlexNet"),
        (("resnet50", "--family", "ResNet"), "leave it out"),
    ],
)
def test_what_is_unknown_is_refused(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert store.path.exists()
    assert message in refused(monkeypatch, capsys, "backbones", *words)
