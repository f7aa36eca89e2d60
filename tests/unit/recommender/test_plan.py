"""A plan survives a person's editing or is refused by name."""

import json
from pathlib import Path

import pytest

from evidence.records import Corpus, TaskProfile
from recommender.answering import recommend
from recommender.errors import RecommendationError
from recommender.plan import TrainingPlan, read_plan
from recommender.ranking import Question


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
        ({"approach": "fine_tuning"}, "not carried out; allowed"),
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
    for approach, augmentation in (
        ("feature_extractor", "none"), ("fine_tuning_from_scratch", "online"),
    ):  # fmt: skip
        asked = Question(profile, approaches=frozenset({approach}))
        assert recommend(asked, corpus).plan.augmentation == augmentation
