"""Similarity behaves like one, and the neighbours are those of a reference implementation."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from evidence.records import ArmRecord, Corpus, TaskProfile
from evidence.vocabulary import ANATOMY, MODALITY
from recommender.neighbours import by_study, shares
from recommender.similarity import WEIGHTS, class_similarity, similarity, size_similarity
from recommender.similarity import term_similarity as terms_alike

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


@pytest.mark.parametrize("k", [1, 7, 15, 500])
def test_the_neighbours_are_those_of_scikit_learn(corpus: Corpus, k: int) -> None:
    profile = TaskProfile(modality="fundus", anatomy="eye", n_images=3000, n_classes=2)
    everyone = by_study(profile, corpus.arms)
    distances = np.array([[1 - study.similarity] for study in everyone])
    reference = NearestNeighbors(n_neighbors=min(k, len(everyone))).fit(distances)
    found, _ = reference.kneighbors([[0.0]])
    ours = [1 - study.similarity for study in everyone[:k]]
    assert ours == pytest.approx(sorted(found[0]))


def test_a_study_of_two_reviews_is_one_neighbour(corpus: Corpus) -> None:
    profile = TaskProfile(modality="mri", anatomy="brain", n_images=1000)
    keys = [study.key for study in by_study(profile, corpus.arms)]
    assert len(keys) == len(set(keys)) == 145


def test_shares_add_up_to_one_and_leave_out_what_names_no_choice(corpus: Corpus) -> None:
    profile = TaskProfile(modality="ultrasound", n_images=800)
    everyone = by_study(profile, corpus.arms)
    found = shares(everyone[:15], everyone, lambda arm: arm.family)
    assert sum(found.values()) == pytest.approx(1)
    assert not {"custom", "unknown"} & set(found)
    assert max(found, key=lambda word: found[word]) == "Inception"


def test_shares_of_an_empty_corpus_are_empty() -> None:
    assert shares((), (), lambda arm: arm.family) == {}
