"""What a user restricts the choice to, named as people write it."""

import pytest

from evidence.records import Backbone
from recommender.candidates import Restriction, approach_named, asked_as, parse_restriction
from recommender.errors import RecommendationError
from recommender.plan import CARRIED_OUT


def backbone(name: str, family: str, model: str = "", *aliases: str) -> Backbone:
    library = "timm" if model else ""
    return Backbone.model_validate(
        {"name": name, "family": family, "aliases": aliases, "library": library, "model": model}
    )


BACKBONES = (
    backbone("ResNet-18", "ResNet", "resnet18.tv_in1k", "ResNet18"),
    backbone("ResNet-50", "ResNet", "resnet50.tv_in1k"),
    backbone("ResNet", "ResNet"),
    backbone("ViT-Base-16", "ViT", "vit_base_patch16_224.augreg_in21k_ft_in1k", "ViT-B/16"),
    backbone("ZFNet", "ZFNet"),
)
FROZEN = ("feature_extractor", "feature_extractor_hybrid")
TUNED = ("fine_tuning", "fine_tuning_from_scratch")
RANDOM = ("random_initialisation",)


def test_names_are_resolved_each_once_in_their_order() -> None:
    asked = "ViT-B/16, resnet_50 ,timm/resnet18.a1_in1k,ResNet-50,"
    found = parse_restriction(BACKBONES, asked)
    assert found == Restriction(backbones=("ViT-Base-16", "ResNet-50", "ResNet-18"))


@pytest.mark.parametrize(
    ("words", "approaches"),
    [
        ("frozen", FROZEN), ("Frozen-Backbone", FROZEN), ("feature extractor", FROZEN[:1]),
        ("FE", FROZEN[:1]), ("feature_extraction", FROZEN[:1]), ("linear_probing", FROZEN[:1]),
        ("linear probe", FROZEN[:1]), ("hybrid", FROZEN[1:]),
        ("fine-tuning", TUNED), ("FT", TUNED), ("finetune", TUNED), ("fine_tuning", TUNED[:1]),
        ("partial", TUNED[:1]), ("full", TUNED[1:]),
        ("full fine-tuning", ("fine_tuning_from_scratch",)),
        ("FT,full,FE", (*TUNED, "feature_extractor")),
        ("random", RANDOM), ("Random initialisation", RANDOM), ("random_initialization", RANDOM),
        ("full,random weights", (TUNED[1], *RANDOM)),
    ],
)  # fmt: skip
def test_approaches_go_by_many_words(words: str, approaches: tuple[str, ...]) -> None:
    assert parse_restriction(BACKBONES, approaches=words).approaches == approaches


def test_every_approach_that_is_carried_out_goes_by_its_key() -> None:
    for way in CARRIED_OUT:
        word = asked_as(way)
        assert parse_restriction(BACKBONES, approaches=word).approaches == (word,)


def test_without_options_the_choice_is_free() -> None:
    free = parse_restriction(BACKBONES)
    assert free == Restriction()


@pytest.mark.parametrize("empty", ["", " ", ",", " , ,"])
def test_an_empty_list_is_refused(empty: str) -> None:
    with pytest.raises(RecommendationError, match="--candidates: the list is empty"):
        parse_restriction(BACKBONES, empty)
    with pytest.raises(RecommendationError, match="--approaches: the list is empty"):
        parse_restriction(BACKBONES, approaches=empty)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("resnet", r"no library carries out resnet \(ResNet\); .*ResNet: ResNet-18, ResNet-50$"),
        ("resnet200", r"no library carries out resnet200; .*: ResNet-18, ResNet-50$"),
        ("ZFNet", r"no library carries out ZFNet; carried out of the family ZFNet: none"),
        ("convnext_tiny", r"no library carries out convnext_tiny; .*ConvNeXt: none"),
        ("resnet18,nfnet", r"^--candidates: unknown backbone 'nfnet'"),
        ("nfnet,ZFNet", r"^--candidates: unknown.*\n--candidates: no library"),
        ("resnet18 vgg16", r"; put commas between names: resnet18,vgg16$"),
        ("nfnet resnet18", r"unknown backbone .*; put commas between names: nfnet,resnet18$"),
        ("nf net", r"Known families: [^;]*$"),
    ],
)
def test_a_candidate_that_nothing_carries_out_is_refused(asked: str, message: str) -> None:
    with pytest.raises(RecommendationError, match=message):
        parse_restriction(BACKBONES, asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("magic", r"unknown approach 'magic'; carried out: feature_extractor, "),
        (
            "scratch",
            r"'scratch'; [^']*random_initialisation \(or: .*, partial, full, random",
        ),
        (
            "frozen full",
            r"unknown approach 'frozen full'; .*put commas between names: frozen,full$",
        ),
        ("knn", r"'knn' is a head, not an approach; it goes with feature_extractor_hybrid;"),
        ("FE,random forest", r"^--approaches: 'random forest' is a head"),
        ("unspecified", r"unknown approach 'unspecified'"),
    ],
)
def test_an_approach_that_nothing_carries_out_is_refused(asked: str, message: str) -> None:
    with pytest.raises(RecommendationError, match=message):
        parse_restriction(BACKBONES, approaches=asked)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("fine_tuning", "fine_tuning"),
        ("fine-tuning", "fine_tuning_from_scratch"),
        ("Finetune", "fine_tuning_from_scratch"),
        ("end-to-end", "fine_tuning_from_scratch"),
        ("frozen", "feature_extractor"),
        ("linear_probing", "feature_extractor"),
        ("unspecified", "unspecified"),
        ("magic", None),
        ("random", None),
    ],
)
def test_a_table_may_write_approaches_as_people_do(written: str, meant: str | None) -> None:
    assert approach_named(written) == meant
