"""Names of backbones as people write them find the backbone, its family, or a clear refusal."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.backbone_names import FAMILIES, BackboneNames
from evidence.errors import UnknownBackboneError
from evidence.records import Backbone
from evidence.rows import BackboneRow
from evidence.shipped import shipped


def shipped_backbones() -> tuple[Backbone, ...]:
    with (shipped("data") / "backbones.csv").open(encoding="utf-8", newline="") as stream:
        rows = [BackboneRow.model_validate(cells) for cells in csv.DictReader(stream)]
    return tuple(
        Backbone(name=row.backbone, **row.model_dump(exclude={"backbone"})) for row in rows
    )


BACKBONES = shipped_backbones()
NAMES = BackboneNames(BACKBONES)
FAMILY = {backbone.name: backbone.family for backbone in BACKBONES}
#: Every way in which the table writes a backbone, with its name.
WRITTEN = [
    (text, backbone.name)
    for backbone in BACKBONES
    for text in (backbone.name, *backbone.aliases, *filter(None, [backbone.model]))
]


def test_what_is_no_family_is_not_told_as_one() -> None:
    assert {"custom", "unknown"} & {backbone.family for backbone in BACKBONES}
    with pytest.raises(UnknownBackboneError, match=r"Known families: (?!.*(custom|unknown))"):
        NAMES.resolve("nfnet")


def test_no_two_backbones_go_by_the_same_spelling() -> None:
    assert {word: names for word, names in NAMES.spellings.items() if len(names) > 1} == {}


@given(st.sampled_from(WRITTEN), st.data())
def test_case_and_punctuation_make_no_difference(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    text, name = pair
    marks = st.sampled_from(["-", "_", " ", ".", "/", "--", " - "])
    changed = ""
    for at, letter in enumerate(text):
        if letter.isalnum():
            changed += data.draw(st.sampled_from([letter.lower(), letter.upper()]))
        else:
            apart = text[at - 1 : at].isdigit() and text[at + 1 : at + 2].isdigit()
            changed += data.draw(marks if apart else marks | st.just(""))
    assert NAMES.resolve(changed) == (name, FAMILY[name], True)


@given(st.sampled_from(WRITTEN), st.data())
def test_another_number_is_never_the_same_backbone(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    text, name = pair
    numbers = [at for at, letter in enumerate(text.partition(".")[0]) if letter.isdigit()]
    if not numbers:
        return
    at = data.draw(st.sampled_from(numbers))
    digit = data.draw(st.sampled_from("0123456789").filter(lambda other: other != text[at]))
    found = NAMES.find(text[:at] + digit + text[at + 1 :])
    assert found is None or found.name != name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("resnet18", "ResNet-18"), ("ResNet-18", "ResNet-18"), ("resnet_18", "ResNet-18"),
        ("resnet101", "ResNet-101"), ("resnext50", "ResNeXt-50"), ("vgg19", "VGG-19"),
        ("wide_resnet50_2", "Wide-ResNet-50"), ("vgg16_bn", "VGG-16-BN"), ("vgg16", "VGG-16"),
        ("densenet121", "DenseNet-121"), ("densenet", "DenseNet"), ("google net", "GoogLeNet"),
        ("efficientnet_b0", "EfficientNet-B0"), ("tf_efficientnet_b0", "EfficientNet-B0"),
        ("EfficientNetV2S", "EfficientNet-V2-S"), ("efficientnet_v2_s", "EfficientNet-V2-S"),
        ("inceptionv3", "Inception-V3"), ("inception_v3", "Inception-V3"),
        ("inception_resnet_v2", "Inception-ResNet-V2"), ("ResNet50V2", "ResNet-50-V2"),
        ("mobilenetv2_100", "MobileNet-V2"), ("mobilenet_v2", "MobileNet-V2"),
        ("mobilenet_v3_large", "MobileNet-V3-Large"), ("MobileNetV3Small", "MobileNet-V3-Small"),
        ("mnasnet1_0", "MnasNet-1.0"), ("shufflenet_v2_x1_0", "ShuffleNet-V2"),
        ("squeezenet1_1", "SqueezeNet-1.1"), ("regnet_y_400mf", "RegNetY-400MF"),
        ("convnext_tiny", "ConvNeXt-Tiny"), ("convnextv2_tiny", "ConvNeXt-V2-Tiny"),
        ("swin_tiny_patch4_window7_224", "Swin-Tiny"), ("swin_t", "Swin-Tiny"),
        ("vit_base_patch16_224", "ViT-Base-16"), ("vit_b_16", "ViT-Base-16"),
        ("ViT-B/16", "ViT-Base-16"), ("google/vit-base-patch16-224", "ViT-Base-16"),
        ("deit_small_patch16_224", "DeiT-Small"), ("dino_vitb16", "DINO-ViT-B-16"),
        ("vit_base_patch16_224.dino", "DINO-ViT-B-16"), ("dinov2_vits14", "DINOv2-ViT-S-14"),
        ("facebook/dinov2-base", "DINOv2-ViT-B-14"), ("vit_base_patch16_224.mae", "MAE-ViT-B-16"),
        ("clip_vit_base_patch16", "CLIP-ViT-B-16"), ("eva02_base_patch14_224", "EVA-02-Base"),
        ("samvit_base_patch16", "SAM-ViT-B-16"), ("maxvit_t", "MaxViT-T"),
        ("timm/resnet50.a1_in1k", "ResNet-50"), ("hf_hub:timm/resnet50.a1_in1k", "ResNet-50"),
        ("microsoft/resnet-50", "ResNet-50"), ("convnext_tiny.in12k_ft_in1k", "ConvNeXt-Tiny"),
    ],
)  # fmt: skip
def test_names_of_papers_libraries_and_hubs_are_known(text: str, name: str) -> None:
    assert NAMES.resolve(text) == (name, FAMILY[name], True)


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("resnet200", "ResNet"), ("resnet_1_8", "ResNet"), ("resnet50d", "ResNet"),
        ("resnext101_32x8d", "ResNeXt"), ("regnet_y_32gf", "RegNet"),
            ("squeezenet1_2", "SqueezeNet"),
        ("vit_large_patch16_224.mae", "ViT"), ("ViT-B", "ViT"), ("vit", "ViT"), ("swin", "Swin"),
        ("inception_next_tiny", "InceptionNeXt"), ("mobilenetv4_conv_small", "MobileNet"),
        ("convnext_tiny.dinov3_lvd1689m", "ConvNeXt"), ("RadImageNet/ResNet50", "ResNet"),
        ("vit_base_patch16_224.bamboo", "ViT"), (" wrn-28-10 ", "WideResNet"),
    ],
)  # fmt: skip
def test_of_other_networks_the_family_is_known(text: str, family: str) -> None:
    assert NAMES.resolve(text) == (text.strip(), family, False)


@pytest.mark.parametrize(
    "text",
    ["", " ", "/", ".", "nfnet", "resnest50", "vitamin_small", "dino_resnet50", "seresnet50", "18"],
)
def test_what_is_of_no_family_is_unknown(text: str) -> None:
    assert NAMES.find(text) is None
    with pytest.raises(UnknownBackboneError, match=r"unknown backbone '.*Known families: AlexNet"):
        NAMES.resolve(text)


def test_the_refusal_names_near_ones() -> None:
    with pytest.raises(UnknownBackboneError, match=r"did you mean ResNet-50, "):
        NAMES.resolve("resmet50")


def test_every_family_of_the_store_is_found_by_its_own_name() -> None:
    for family in set(FAMILY.values()):
        assert NAMES.resolve(family).family == family


def test_each_family_begins_as_its_backbones_do() -> None:
    """A backbone resolved by its beginning alone would land in its own family."""
    without = BackboneNames([b for b in BACKBONES if not b.library])
    for backbone in BACKBONES:
        if backbone.library:
            found = without.resolve(backbone.model.partition(".")[0])
            assert found.family == backbone.family


def test_a_spelling_that_two_claim_is_never_decided_in_silence() -> None:
    twins = [Backbone(name="Net-1", family="A"), Backbone(name="net1", family="B")]
    names = BackboneNames(twins)
    assert names.resolve("net1").family == "B"
    with pytest.raises(UnknownBackboneError, match="'NET1' may be Net-1 or net1"):
        names.resolve("NET1")


def test_the_order_of_the_backbones_makes_no_difference() -> None:
    turned = BackboneNames(BACKBONES[::-1])
    assert turned.spellings == NAMES.spellings


def test_no_beginning_stands_twice() -> None:
    assert len(dict(FAMILIES)) == len(FAMILIES)
