"""Records survive JSON and refuse what contradicts itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evidence.records import ArmRecord, Corpus, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY

profiles = st.builds(
    TaskProfile,
    modality=st.sampled_from([term.key for term in MODALITY.terms]),
    anatomy=st.none() | st.sampled_from([term.key for term in ANATOMY.terms]),
    n_images=st.integers(1, 10**9),
    n_classes=st.none() | st.integers(2, 1000),
)


@given(profiles)
def test_a_profile_survives_json(profile: TaskProfile) -> None:
    assert TaskProfile.model_validate_json(profile.model_dump_json()) == profile


def test_the_records_of_the_corpus_survive_json(
    corpus: Corpus, arms: tuple[ArmRecord, ...]
) -> None:
    for record in (*arms, *corpus.claims, *corpus.backbones):
        assert type(record).model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_images": 0}, "greater than or equal to 1"),
        ({"n_images": -5}, "greater than or equal to 1"),
        ({"n_images": 10**12}, "less than or equal to 1000000000"),
        ({"n_images": 800, "n_classes": 1}, "greater than or equal to 2"),
        ({"n_images": 800, "n_augmented": 10}, "below n_images"),
        ({"n_images": 800, "n_classes": 2, "task": "regression"}, "has no classes"),
        ({"n_images": 800, "colour": "red"}, "Extra inputs"),
    ],
)
def test_a_contradictory_profile_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TaskProfile.model_validate({"modality": "ct"} | fields)
