"""Every setting has a reason, says where it comes from, and is safe for the images."""

import re
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.records import Backbone, Claim, Corpus, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY, Approach, Head
from recommender.advice import IN_BALANCE, advise
from recommender.errors import RecommendationError
from recommender.plan import CARRIED_OUT, TransformKind, Way
from recommender.records import Advice
from recommender.rules import Rule, load_rules
from recommender.transforms import load_transform_rules, transforms
from tests.unit.evidence.test_records import profiles

RESNET = Backbone(name="ResNet-50", family="ResNet", library="timm", input_px=224)
VGG = Backbone(name="VGG-16", family="VGGNet", library="timm", input_px=224)
KINDS = get_args(TransformKind)


@pytest.fixture(scope="module")
def claims(corpus: Corpus) -> dict[str, Claim]:
    return {claim.key: claim for claim in corpus.claims}


def advice(
    claims: Mapping[str, Claim],
    backbone: Backbone = RESNET,
    approach: Approach = "fine_tuning_from_scratch",
    head: Head = "linear",
    class_sizes: list[int] | None = None,
    **fields: Any,
) -> Advice:
    profile = TaskProfile.model_validate({"modality": "ultrasound", "n_images": 800} | fields)
    return advise(profile, backbone, approach, head, load_rules(), claims, class_sizes)


def uses(**fields: Any) -> dict[str, str]:
    profile = TaskProfile.model_validate({"n_images": 800} | fields)
    return {one.kind: one.use for one in transforms(profile, {})}


@given(profiles, st.sampled_from(CARRIED_OUT))
def test_every_setting_of_every_choice_rests_on_claims_or_says_that_it_does_not(
    claims: dict[str, Claim], profile: TaskProfile, way: Way
) -> None:
    rules, initialisation = load_rules(), way.initialisation
    found = advise(
        profile, RESNET, way.approach, way.head, rules, claims, initialisation=initialisation
    )
    assert (found.initialisation.value == "random") == (initialisation == "random")
    named = [getattr(found, name) for name in Advice.model_fields if name != "transforms"]
    settings = [*named[:-1], *found.checks, *found.transforms]
    for setting in settings:
        assert setting.reason
        assert setting.claims or "not from the reviews" in setting.reason
    assert Advice.model_validate_json(found.model_dump_json()) == found


def test_what_is_fine_tuned_is_augmented_and_what_is_frozen_is_not(
    claims: dict[str, Claim],
) -> None:
    tuned = advice(claims).augmentation
    assert (tuned.value, tuned.rules) == ("online", ("augment-when-tuned",))
    assert "m-augmentation-fine-tuning" in {claim.claim for claim in tuned.claims}
    assert all(claim.section for claim in tuned.claims)
    for approach, head, _ in CARRIED_OUT:
        if approach.startswith("feature_extractor"):
            found = advice(claims, approach=approach, head=head).augmentation
            assert (found.value, found.rules) == ("none", ("no-augmentation-when-frozen",))


def test_images_to_be_made_beforehand_are_offline_augmentation(claims: dict[str, Claim]) -> None:
    found = advice(claims, n_augmented=8000).augmentation
    assert found.value == "offline"
    assert "8,000" in found.reason
    assert advice(claims, n_augmented=800).augmentation.value == "online"


def test_the_image_is_as_large_as_the_backbone_takes_it(claims: dict[str, Claim]) -> None:
    assert advice(claims).image_px.value == 224
    bare = Backbone(name="CheXNet", family="DenseNet")
    with pytest.raises(RecommendationError, match=r"CheXNet.*input size is unknown"):
        advice(claims, backbone=bare)


@pytest.mark.parametrize(
    ("backbone", "approach", "head", "value", "why"),
    [
        (RESNET, "fine_tuning_from_scratch", "linear", "heatmap", "all that a class activation"),
        (RESNET, "feature_extractor", "linear", "heatmap", "all that a class activation"),
        (VGG, "fine_tuning_from_scratch", "linear", "heatmap", "VGG-16.*by gradients"),
        (RESNET, "feature_extractor_hybrid", "svm", "deconvolution", "needs a linear head"),
        (RESNET, "feature_extractor_hybrid", "random_forest", "deconvolution", "unlike random"),
    ],
)
def test_the_visualisation_fits_head_and_backbone(
    claims: dict[str, Claim],
    backbone: Backbone,
    approach: Approach,
    head: Head,
    value: str,
    why: str,
) -> None:
    found = advice(claims, backbone, approach, head).visualization
    assert found.value == value
    assert {claim.review for claim in found.claims} >= {"morid2022"}
    assert re.search(why, found.reason)


@pytest.mark.parametrize(
    ("head", "sizes", "fields", "value"),
    [
        ("linear", None, {}, "on"),
        ("linear", [100, 300], {}, "on"),
        ("linear", [0, 5], {}, "on"),
        ("linear", [100, 110], {}, "off"),
        ("knn", [100, 300], {}, "off"),
        ("linear", None, {"task": "regression"}, "off"),
    ],
)
def test_classes_are_weighted_where_they_are_out_of_balance(
    claims: dict[str, Claim],
    head: Head,
    sizes: list[int] | None,
    fields: dict[str, Any],
    value: str,
) -> None:
    approach: Approach = "feature_extractor_hybrid" if head == "knn" else "feature_extractor"
    found = advice(claims, RESNET, approach, head, sizes, **fields)
    assert found.class_weighting.value == value


@given(st.lists(st.integers(1, 10**6), min_size=2))
def test_the_order_of_the_classes_does_not_matter_and_equal_ones_are_in_balance(
    claims: dict[str, Claim], sizes: list[int]
) -> None:
    found = advice(claims, class_sizes=sizes).class_weighting
    assert found == advice(claims, class_sizes=sorted(sizes)).class_weighting
    assert (found.value == "off") == (max(sizes) <= IN_BALANCE * min(sizes))


def test_a_head_is_explained_by_the_rules_on_heads(claims: dict[str, Claim]) -> None:
    tuned = advice(claims).head
    assert (tuned.value, tuned.rules) == ("linear", ("fully-connected-when-tuned",))
    heavy = advice(claims, VGG, "feature_extractor_hybrid", "svm").head
    assert heavy.rules == ("hybrid-for-heavy-heads",)
    assert "ranking" in advice(claims, RESNET, "feature_extractor_hybrid", "svm").head.reason


def test_the_user_is_told_what_only_the_user_can_look_at(claims: dict[str, Claim]) -> None:
    checks = {check.value for check in advice(claims).checks}
    assert {"labels", "variety", "over-fitting", "comparison", "image quality"} <= checks
    assert "volumes" not in checks
    assert "volumes" in {check.value for check in advice(claims, modality="cbct").checks}


def test_of_two_rules_on_one_setting_the_stronger_counts() -> None:
    base = {"statement": "x", "claims": ("k-ladder",)}
    rules = [
        Rule.model_validate(base | {"id": word, "augmentation": word, "strength": strength})
        for word, strength in (("none", 0.3), ("online", 0.5), ("offline", 0.5))
    ]
    profile = TaskProfile(modality="ultrasound", n_images=800)
    found = advise(profile, RESNET, "feature_extractor", "linear", rules, {})
    assert (found.augmentation.value, found.augmentation.rules) == ("online", ("online",))


def test_without_rules_and_claims_there_is_still_an_answer() -> None:
    profile = TaskProfile(modality="ultrasound", n_images=800)
    found = advise(profile, RESNET, "feature_extractor", "linear", (), {})
    assert found.augmentation.value == "unspecified"
    assert not found.checks


@pytest.mark.parametrize(
    "images",
    [
        {"modality": "xray"},
        {"modality": "xray", "anatomy": "lung"},
        {"modality": "ct", "anatomy": "liver"},
        {"modality": "mri", "anatomy": "heart"},
        {"modality": "ultrasound", "anatomy": "heart"},
        {"modality": "fundus"},
        {"modality": "oct", "anatomy": "eye"},
        {"modality": "mri", "anatomy": "brain"},
        {"modality": "panoramic_xray", "anatomy": "tooth"},
        {"modality": "spect"},
    ],
)
def test_images_with_a_left_and_a_right_are_not_mirrored(images: dict[str, str]) -> None:
    found = uses(**images)
    assert [found[kind] for kind in KINDS[:3]] == ["no", "no", "no"]


@pytest.mark.parametrize(
    ("images", "turned"),
    [
        ({"modality": "microscopy"}, "yes"),
        ({"modality": "dermoscopy", "anatomy": "skin"}, "yes"),
        ({"modality": "colonoscopy", "anatomy": "colon"}, "no"),
        ({"modality": "ultrasound", "anatomy": "breast"}, "no"),
        ({"modality": "mammography", "anatomy": "breast"}, "no"),
        ({"modality": "xray", "anatomy": "knee"}, "no"),
    ],
)
def test_images_without_a_side_may_be_mirrored_and_few_may_be_turned(
    images: dict[str, str], turned: str
) -> None:
    found = uses(**images)
    assert found["horizontal_flip"] == "yes"
    assert {found["vertical_flip"], found["quarter_turn"]} == {turned}


def test_calibrated_grey_values_and_stains_change_little_and_grey_images_have_no_colour() -> None:
    assert (uses(modality="ct")["contrast"], uses(modality="ct")["colour"]) == ("small", "no")
    assert uses(modality="pet")["contrast"] == "small"
    assert uses(modality="mri")["contrast"] == "yes"
    assert uses(modality="microscopy")["colour"] == uses(modality="fundus")["colour"] == "small"


def test_every_kind_has_a_last_entry_for_all_images_and_every_term_is_known() -> None:
    entries = load_transform_rules()
    for kind in KINDS:
        last = [entry for entry in entries if kind in entry.kinds][-1]
        assert not last.modality, kind
        assert not last.anatomy, kind
    for entry in entries:
        assert all(MODALITY.resolve(term) == term for term in entry.modality)
        assert all(ANATOMY.resolve(term) == term for term in entry.anatomy)


def test_no_entry_on_transforms_is_out_of_reach() -> None:
    reached = set()
    for modality in MODALITY.terms:
        for anatomy in (None, *(term.key for term in ANATOMY.terms)):
            profile = TaskProfile(modality=modality.key, anatomy=anatomy, n_images=1)
            reached |= {one.reason.split(" (not")[0] for one in transforms(profile, {})}
    assert reached == {entry.reason for entry in load_transform_rules()}


def test_the_reasons_cite_claims_that_the_store_holds(claims: dict[str, Claim]) -> None:
    for entry in load_transform_rules():
        assert set(entry.claims) <= set(claims)
