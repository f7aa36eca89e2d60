"""Every rule is cited, understood and means the size that its review means."""

import pytest

from evidence.records import Corpus, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY
from recommender.rules import Rule, load_rules


def fired(**fields: object) -> set[str]:
    profile = TaskProfile.model_validate({"modality": "ultrasound", "n_images": 800} | fields)
    return {rule.id for rule in load_rules() if rule.fires(profile)}


def test_every_rule_rests_on_claims_of_the_store(corpus: Corpus) -> None:
    known = {claim.key for claim in corpus.claims}
    for rule in load_rules():
        assert rule.claims, rule.id
        assert {*rule.claims, *rule.against} <= known, rule.id
    assert len({rule.id for rule in load_rules()}) == len(load_rules())


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
        assert rule.family or rule.backbone or rule.approach or rule.head, rule.id


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
