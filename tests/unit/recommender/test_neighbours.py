"""The neighbours are those of reference implementations; a study counts once."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from evidence.arm_table import ArmTable
from evidence.records import ArmRecord, Corpus, TaskProfile
from recommender import neighbours
from recommender.neighbours import Choosable, by_study, shares
from recommender.similarity import similarity
from tests.unit.recommender import reference

PROFILE = TaskProfile(modality="fundus", anatomy="eye", n_images=3000, n_classes=2)


@pytest.mark.parametrize("k", [1, 7, 15, 500])
def test_the_neighbours_are_those_of_scikit_learn(
    corpus: Corpus, arms: tuple[ArmRecord, ...], k: int
) -> None:
    """Of the same distances, worked out from the records one by one."""
    studies = sorted({arm.study.key for arm in arms if arm.role != "benchmark"})
    distances = [
        min(1 - similarity(PROFILE, arm) for arm in arms
            if arm.study.key == key and arm.role != "benchmark")
        for key in studies
    ]  # fmt: skip
    theirs = NearestNeighbors(n_neighbors=min(k, len(studies))).fit(np.c_[distances])
    found, _ = theirs.kneighbors([[0.0]])
    ours = [1 - study.similarity for study in by_study(PROFILE, corpus.arms, k)]
    assert ours == pytest.approx(sorted(found[0]))


@given(reference.questions, st.lists(reference.arms(), max_size=40), st.integers(1, 5))
def test_the_neighbours_and_their_arms_are_those_of_the_records_one_by_one(
    profile: TaskProfile, records: list[ArmRecord], k: int
) -> None:
    table = ArmTable.of(records)
    everyone = reference.by_study(profile, records)
    found = by_study(profile, table, len(records) + 1)
    assert {study.key: study.similarity for study in found} == pytest.approx(
        {study.key: study.similarity for study in everyone}, abs=1e-12
    )
    places = {study.key: [reference.place(arm) for arm in study.arms] for study in everyone}
    assert {s.key: [reference.place(arm) for arm in s.arms] for s in found} == places
    assert found == tuple(sorted(found, key=lambda study: (-study.similarity, study.key)))
    assert by_study(profile, table, k) == found[:k]


@pytest.mark.parametrize("prior", [5.0, neighbours.PRIOR_STUDIES])
@pytest.mark.parametrize("what", get_args(Choosable))
@given(
    profile=reference.questions,
    records=st.lists(reference.arms(), max_size=40),
    k=st.integers(1, 5),
)
def test_the_shares_are_those_of_the_records_one_by_one(
    what: Choosable, prior: float, profile: TaskProfile, records: list[ArmRecord], k: int
) -> None:
    """Where neighbours count, and with the weight that was fitted."""
    table = ArmTable.of(records)
    everyone = reference.by_study(profile, records)
    wanted = reference.shares(everyone[:k], everyone, lambda arm: getattr(arm, what), prior)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(neighbours, "PRIOR_STUDIES", prior)
        found = shares(by_study(profile, table, k), table, what)
    assert found == pytest.approx(wanted, abs=1e-12)


def test_equally_near_studies_stand_in_order_of_their_keys(
    make_arm: Callable[..., ArmRecord],
) -> None:
    keys = ["roe-2019", "ünal-2021", "Zoe-2018", "doe-2020", "abe-2017"]
    table = ArmTable.of(make_arm(study=key) for key in keys)
    assert [near.key for near in by_study(PROFILE, table, 3)] == sorted(keys)[:3]


def test_a_study_of_two_reviews_is_one_neighbour(corpus: Corpus) -> None:
    profile = TaskProfile(modality="mri", anatomy="brain", n_images=1000)
    keys = [study.key for study in by_study(profile, corpus.arms, len(corpus.arms))]
    assert len(keys) == len(set(keys)) == 145


def test_shares_add_up_to_one_and_leave_out_what_names_no_choice(corpus: Corpus) -> None:
    profile = TaskProfile(modality="ultrasound", n_images=800)
    found = shares(by_study(profile, corpus.arms), corpus.arms, "family")
    assert sum(found.values()) == pytest.approx(1)
    assert not {"custom", "unknown"} & set(found)
    assert max(found, key=lambda word: found[word]) == "Inception"


def test_shares_of_an_empty_corpus_are_empty(make_arm: Callable[..., ArmRecord]) -> None:
    assert shares((), ArmTable.of(()), "family") == {}
    assert by_study(PROFILE, ArmTable.of([make_arm(role="benchmark")])) == ()
