"""Similarity behaves like one, on records and on columns."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.arm_table import ArmTable
from evidence.records import ArmRecord, Corpus, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY
from recommender.similarity import (
    WEIGHTS,
    class_similarity,
    similarities,
    similarity,
    size_similarity,
)
from recommender.similarity import term_similarity as terms_alike
from tests.unit.recommender import reference

modalities = st.sampled_from([term.key for term in MODALITY.terms])
sizes = st.integers(1, 10**9)
#: Organ system -> an organ of it in the same region.
SYSTEMS = {
    "nervous_system": "brain",
    "sense_organ": "eye",
    "endocrine_gland": "thyroid",
    "respiratory_system": "lung",
    "cardiovascular_system": "heart",
    "alimentary_system": "liver",
    "urinary_system": "kidney",
    "genital_system": "prostate",
    "joint": "knee",
}


def test_the_weights_add_up_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@given(modalities, modalities)
def test_term_similarity_is_symmetric_bounded_and_one_only_for_itself(a: str, b: str) -> None:
    value = terms_alike(MODALITY, a, b)
    assert value == terms_alike(MODALITY, b, a)
    assert 0 <= value <= 1
    assert (value == 1) == (a == b)


def test_a_child_is_nearer_than_a_stranger() -> None:
    assert terms_alike(MODALITY, "xray", "mammography") > terms_alike(MODALITY, "xray", "ct")
    assert terms_alike(ANATOMY, "chest", "lung") > terms_alike(ANATOMY, "breast", "lung") > 0


@pytest.mark.parametrize(
    ("region", "organ"),
    [("chest", "lung"), ("chest", "heart"), ("chest", "breast"), ("abdomen", "liver"),
     ("abdomen", "kidney"), ("head_and_neck", "brain"), ("skeletal_system", "knee")],
)  # fmt: skip
def test_a_region_is_as_near_to_its_organs_as_without_systems(region: str, organ: str) -> None:
    """Two terms of depth one and two share one: 2 * 1 / (1 + 2)."""
    assert terms_alike(ANATOMY, region, organ) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("system", "organ"), SYSTEMS.items())
def test_a_system_is_as_near_to_its_organ_as_two_organs_of_a_region(
    system: str, organ: str
) -> None:
    """Two terms of depth two share their region: 2 * 1 / (2 + 2)."""
    assert terms_alike(ANATOMY, system, organ) == pytest.approx(1 / 2)


@given(sizes, sizes)
def test_size_similarity_is_symmetric_and_bounded(a: int, b: int) -> None:
    assert size_similarity(a, b) == pytest.approx(size_similarity(b, a))
    assert 0 <= size_similarity(a, b) <= 1


def test_a_factor_of_ten_costs_the_same_everywhere() -> None:
    assert size_similarity(100, 1000) == pytest.approx(size_similarity(10_000, 100_000))


def test_two_multi_class_tasks_are_half_alike() -> None:
    assert [class_similarity(*pair) for pair in ((2, 2), (3, 7), (2, 3))] == [1.0, 0.5, 0.0]


def test_the_same_task_is_fully_alike(make_arm: Callable[..., ArmRecord]) -> None:
    profile = TaskProfile(modality="ultrasound", anatomy="breast", n_images=1000, n_classes=2)
    assert similarity(profile, make_arm()) == pytest.approx(1)


def test_an_unknown_task_is_half_alike(make_arm: Callable[..., ArmRecord]) -> None:
    profile = TaskProfile(modality="ultrasound", n_images=1000)
    blank = make_arm(modality=None, anatomy=(), n_classes=None, n_images=None)
    assert similarity(profile, blank) == pytest.approx(0.5 + 0.5 * WEIGHTS["task"])


@given(reference.questions, st.lists(reference.arms(), max_size=30))
def test_the_columns_are_as_alike_as_their_records(
    profile: TaskProfile, records: list[ArmRecord]
) -> None:
    """NumPy's exponential may differ from the C library's in the last place: 1e-12 is far above."""
    table = ArmTable.of(records)
    found = similarities(profile, table)
    wanted = [similarity(profile, arm) for arm in table.records(range(len(table)))]
    assert found.tolist() == pytest.approx(wanted, abs=1e-12)


def test_the_columns_of_the_corpus_are_as_alike_as_its_records(
    corpus: Corpus, arms: tuple[ArmRecord, ...]
) -> None:
    profile = TaskProfile(modality="fundus", anatomy="eye", n_images=3000, n_classes=2)
    wanted = sorted(similarity(profile, arm) for arm in arms)
    assert np.sort(similarities(profile, corpus.arms)) == pytest.approx(wanted, abs=1e-12)
