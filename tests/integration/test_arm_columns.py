"""The columns of a store are those of its records; records come from the store when asked for."""

import numpy as np
import pytest
from sqlalchemy import text

from evidence import arm_columns, queries
from evidence.arm_table import NUMBERS, WORDS, ArmTable
from evidence.errors import EvidenceError
from evidence.records import TaskProfile
from evidence.store import Store
from recommender.answering import recommend
from recommender.ranking import Question

CT = Question(TaskProfile(modality="ct", n_images=300))


def same(first: ArmTable, second: ArmTable) -> None:
    """Fail where a column differs."""
    for name in WORDS:
        ours, theirs = getattr(first, name), getattr(second, name)
        assert ours.words == theirs.words, name
        assert ours.codes.tolist() == theirs.codes.tolist(), name
    for name in ("regression", *NUMBERS):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), name)


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the corpus many portions."""
    monkeypatch.setattr(arm_columns, "PORTION", 7)
    monkeypatch.setattr(arm_columns, "ASKED", 3)


@pytest.mark.usefixtures("small_portions")
def test_the_columns_and_records_are_those_of_the_arms(either: Store) -> None:
    with either.connect() as connection:
        arms = queries.arms(connection)
    found = queries.corpus(either).arms
    wanted = ArmTable.of(arms)
    same(found, wanted)
    rows = range(len(wanted))
    assert found.records(rows) == wanted.records(rows)
    assert found.record(5) == wanted.record(5)
    assert found.records([]) == ()


def test_a_store_without_arms_has_empty_columns(either: Store) -> None:
    with either.begin() as connection:
        connection.execute(text("DELETE FROM evaluation"))
        connection.execute(text("DELETE FROM arm"))
    corpus = queries.corpus(either)
    same(corpus.arms, ArmTable.of(()))
    assert recommend(CT, corpus).expected.n_studies == 0


def test_a_store_that_changes_between_is_noticed(either: Store) -> None:
    corpus = queries.corpus(either)
    with either.begin() as connection:
        connection.execute(text("DELETE FROM evaluation"))
        connection.execute(text("DELETE FROM arm"))
    with pytest.raises(EvidenceError, match="store was changed while it was read; ask again"):
        recommend(CT, corpus)
