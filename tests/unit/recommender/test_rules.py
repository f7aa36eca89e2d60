"""Every rule is cited, understood and means the size that its review means."""

import pytest
from hypothesis import given

from evidence.records import Corpus, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY
from recommender.rules import Rule, load_rules, load_unused
from tests.unit.evidence.test_records import profiles


def fired(**fields: object) -> set[str]:
    profile = TaskProfile.model_validate({"modality": "ultrasound", "n_images": 800} | fields)
    return {rule.id for rule in load_rules() if rule.fires(profile)}


def test_every_rule_rests_on_claims_of_the_store(corpus: Corpus) -> None:
    known = {claim.key for claim in corpus.claims}
    for rule in load_rules():
        assert rule.claims, rule.id
        assert {*rule.claims, *rule.against} <= known, rule.id
    assert len({rule.id for rule in load_rules()}) == len(load_rules())


def test_every_claim_is_used_by_a_rule_or_has_one_reason_why_not(corpus: Corpus) -> None:
    used = {key for rule in load_rules() for key in (*rule.claims, *rule.against)}
    unused = [key for entry in load_unused() for key in entry.claims]
    assert len(unused) == len(set(unused))
    assert used.isdisjoint(unused)
    assert used | set(unused) == {claim.key for claim in corpus.claims}


def test_no_advice_of_a_review_is_left_out(corpus: Corpus) -> None:
    unused = {key for entry in load_unused() for key in entry.claims}
    advice = {claim.key for claim in corpus.claims if claim.kind == "advice"}
    assert not advice & unused


def test_no_claim_stands_on_both_sides_of_a_rule() -> None:
    for rule in load_rules():
        for side in (rule.claims, rule.against):
            assert len(side) == len(set(side)), rule.id
        assert set(rule.claims).isdisjoint(rule.against), rule.id


def test_every_condition_and_preference_is_in_the_vocabulary(corpus: Corpus) -> None:
    families = {backbone.family for backbone in corpus.backbones if backbone.library}
    names = {backbone.name for backbone in corpus.backbones if backbone.library}
    for rule in load_rules():
        for term in rule.modality:
            assert MODALITY.resolve(term) == term
        for term in rule.anatomy:
            assert ANATOMY.resolve(term) == term
        assert set(rule.family) <= families, rule.id
        assert set(rule.backbone) <= names, rule.id


def test_the_thousand_images_are_counted_after_augmentation() -> None:
    assert not {"small-frozen", "large-fine-tuned"} & fired(n_images=800)
    assert "small-frozen" in fired(n_images=800, n_augmented=900)
    assert "large-fine-tuned" in fired(n_images=800, n_augmented=8000)
    assert "large-fine-tuned" in fired(n_images=5000)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"modality": "ultrasound"}, "inception-ultrasound"),
        ({"modality": "capsule_endoscopy"}, "inception-endoscopy"),
        ({"modality": "xray", "anatomy": "knee"}, "inception-skeletal-xray"),
        ({"modality": "xray", "anatomy": "lung"}, "densenet-lung-xray"),
        ({"modality": "xray", "anatomy": "tooth"}, "vgg-tooth-xray"),
        ({"modality": "mammography", "anatomy": "breast"}, "alexnet-breast-xray"),
        ({"modality": "mri", "anatomy": "brain"}, "alexnet-brain-mri"),
        ({"modality": "mri", "anatomy": "breast"}, "googlenet-svm-breast-mri"),
        ({"modality": "dermoscopy"}, "vgg-skin"),
        ({"modality": "fundus"}, "vgg-fundus"),
        ({"modality": "oct"}, "vgg-oct"),
        ({"modality": "ultrasound", "anatomy": "breast"}, "inception-breast"),
        ({"modality": "ultrasound", "anatomy": "eye"}, "vgg-eye"),
        ({"modality": "cbct", "anatomy": "tooth"}, "vgg-tooth"),
        ({"modality": "pet", "anatomy": "brain"}, "alexnet-brain"),
        ({"modality": "mri", "anatomy": "lung"}, "densenet-lung"),
    ],
)
def test_a_track_of_the_reviews_fires_where_it_applies(
    fields: dict[str, object], rule: str
) -> None:
    assert rule in fired(**fields)
    assert rule not in fired(modality="ct", anatomy="liver")


def test_a_rule_without_claims_is_refused() -> None:
    with pytest.raises(ValueError, match="claims"):
        Rule.model_validate({"id": "x", "statement": "x", "strength": 0.5, "claims": ()})


def test_a_rule_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="prefers nothing"):
        Rule.model_validate({"id": "x", "statement": "x", "strength": 0.5, "claims": ("a",)})


def test_a_setting_is_for_the_choices_it_names_and_scores_none() -> None:
    rule = next(rule for rule in load_rules() if rule.id == "augment-when-tuned")
    network = ("ResNet-50", "ResNet")
    assert rule.concerns(*network, "fine_tuning_from_scratch", "linear")
    assert not rule.concerns(*network, "feature_extractor", "linear")
    assert not rule.prefers(*network, "fine_tuning_from_scratch", "linear")


def test_a_rule_on_numbers_fires_for_numbers_only() -> None:
    assert "numbers-rare" in fired(task="regression")
    assert "numbers-rare" not in fired()


@given(profiles)
def test_a_rule_for_narrower_images_never_fires_where_a_broader_one_does_not(
    profile: TaskProfile,
) -> None:
    for rule in load_rules():
        broader = rule.model_copy(update={"modality": (), "anatomy": ()})
        assert broader.fires(profile) or not rule.fires(profile)
