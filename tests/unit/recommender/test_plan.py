"""A plan survives a person's editing or is refused by name."""

import json
from pathlib import Path

import pytest

from evidence.records import Corpus, TaskProfile
from recommender.answering import recommend
from recommender.candidates import Asked
from recommender.errors import RecommendationError
from recommender.plan import HEADS, MILD, TrainingPlan, read_plan
from recommender.ranking import Question
from tests.unit.recommender.methods import without_new_methods


@pytest.fixture(scope="module")
def corpus(corpus: Corpus) -> Corpus:
    """Whatever was measured since of other ways to train."""
    return without_new_methods(corpus)


@pytest.fixture
def plan(corpus: Corpus) -> TrainingPlan:
    return recommend(Question(TaskProfile(modality="ultrasound", n_images=800)), corpus).plan


def test_a_plan_is_read_back_as_written(plan: TrainingPlan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan.model_dump_json(), encoding="utf-8")
    assert read_plan(path) == plan


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"epochs": 0}, "epochs.*greater than or equal to 1"),
        ({"epoch": 5}, "epoch.*Extra inputs"),
        ({"head": "knn"}, "not carried out; allowed"),
        ({"approach": "fine_tuning"}, "fine_tuning needs n_blocks"),
        ({"approach": "feature_extractor", "layer_decay": 0.5}, "are for fine-tuning"),
        ({"n_blocks": 2}, "n_blocks is for the approach fine_tuning"),
        ({"approach": "fine_tuning", "lora_rank": 4, "gradual": True}, "exclude each other"),
        ({"ladder": True}, "a ladder begins with feature_extractor"),
        ({"target": "number", "sensitivity": 0.9}, "sensitivity is for"),
        ({"order": ["mild", "severe"]}, "an order names each grade of the target ordinal once"),
        ({"target": "ordinal", "order": ["mild", "mild"]}, "names each grade"),
        ({"approach": "feature_extractor_hybrid", "head": "svr"}, "target classes is learned by"),
        ({"weights": {"path": "w.pth", "sha256": "0"}}, "sha256"),
        ({"test_fraction": 1.5}, "test_fraction.*less than 1"),
        ({"backbone_learning_rate": float("nan")}, "backbone_learning_rate"),
    ],
)
def test_a_wrong_edit_is_named(
    plan: TrainingPlan, tmp_path: Path, edit: dict[str, object], message: str
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan.model_dump() | edit), encoding="utf-8")
    with pytest.raises(RecommendationError, match=message):
        read_plan(path)


def test_a_file_that_is_no_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecommendationError, match="No such file"):
        read_plan(tmp_path / "none.json")
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RecommendationError, match="UTF-8"):
        read_plan(tmp_path / "bad.json")
    (tmp_path / "text.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecommendationError, match="not valid"):
        read_plan(tmp_path / "text.json")


def test_frozen_features_are_not_augmented_and_fine_tuning_is(corpus: Corpus) -> None:
    profile = TaskProfile(modality="ultrasound", n_images=800)
    expected: dict[Asked, str] = {
        "feature_extractor": "none", "fine_tuning": "online", "fine_tuning_from_scratch": "online",
        "random_initialisation": "online",
    }  # fmt: skip
    for approach, augmentation in expected.items():
        asked = Question(profile, approaches=frozenset({approach}))
        assert recommend(asked, corpus).plan.augmentation == augmentation


def test_the_plan_is_what_the_advice_says(corpus: Corpus) -> None:
    profile = TaskProfile(modality="ultrasound", anatomy="breast", n_images=800, n_augmented=4000)
    found = recommend(Question(profile, class_sizes=(400, 400)), corpus)
    assert (found.plan.augmentation, found.plan.n_copies) == ("offline", 5)
    safe = {each.kind for each in found.advice.transforms if each.use != "no"}
    assert "horizontal_flip" in safe
    assert set(found.plan.transforms) == safe & set(MILD)
    assert not found.plan.class_weights
    assert recommend(Question(profile, class_sizes=(700, 100)), corpus).plan.class_weights


def test_a_number_is_learned_by_heads_that_give_numbers(corpus: Corpus) -> None:
    profile = TaskProfile(modality="xray", n_images=800, task="regression")
    found = recommend(Question(profile), corpus)
    assert {choice.head for choice in found.ranking} == HEADS["number"]
    assert found.plan.target == "number"
