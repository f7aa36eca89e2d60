"""Columns hold what the records hold, in an order of their own."""

import gc
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.arm_table import ORDER, WORDS, ArmTable, once_for_each
from evidence.errors import EvidenceError
from evidence.records import ArmRecord
from tests.unit.recommender import reference


def word(table: ArmTable, name: str, row: int) -> object:
    """What a column of words says in a row; None where nothing is known."""
    codes, words = getattr(table, name)
    return None if codes[row] == -1 else words[codes[row]]


def said(arm: ArmRecord, name: str) -> object:
    return arm.study.key if name == "study" else getattr(arm, name)


@given(st.lists(reference.arms(), max_size=30))
def test_every_row_says_what_its_record_says(records: list[ArmRecord]) -> None:
    table = ArmTable.of(records)
    assert sorted(table.records(range(len(table))), key=repr) == sorted(records, key=repr)
    for row in range(len(table)):
        arm = table.record(row)
        assert [word(table, name, row) for name in WORDS] == [said(arm, name) for name in WORDS]
        assert table.regression[row] == ("regression" in arm.tasks)
        for name in ("n_images", "n_classes", "n_augmented"):
            assert getattr(table, name)[row] == pytest.approx(
                getattr(arm, name) or np.nan, rel=0, nan_ok=True
            )


@given(st.lists(reference.arms(), max_size=30), st.randoms(use_true_random=False))
def test_rows_stand_in_order_of_their_words_in_whatever_order_they_come(
    records: list[ArmRecord], shuffler: random.Random
) -> None:
    table = ArmTable.of(shuffler.sample(records, len(records)))
    rows = [[str(word(table, name, row)) for name in ORDER] for row in range(len(table))]
    assert rows == sorted([str(said(arm, name)) for name in ORDER] for arm in records)


@given(st.lists(reference.arms(), max_size=30))
def test_arms_of_a_task_share_it(records: list[ArmRecord]) -> None:
    table = ArmTable.of(records)
    tasks = table.tasks
    for name in ("modality", "anatomy"):
        codes = getattr(tasks, name).codes[tasks.of_arm]
        assert codes.tolist() == getattr(table, name).codes.tolist()
    for name in ("n_images", "n_classes"):
        codes, values = getattr(tasks, name)
        numbers = np.append(values, np.nan)[codes][tasks.of_arm]
        np.testing.assert_array_equal(numbers, getattr(table, name))
    assert tasks.regression[tasks.of_arm].tolist() == table.regression.tolist()


def test_neighbouring_arms_of_one_extraction_have_one_task(
    make_arm: Callable[..., ArmRecord],
) -> None:
    arms = [make_arm(), make_arm(backbone="VGG-19"), make_arm("roe-2019", n_images=7)]
    assert ArmTable.of(arms).tasks.of_arm.tolist() == [0, 0, 1]


@given(st.lists(reference.arms(), max_size=30))
def test_a_part_of_a_table_is_the_table_of_that_part(records: list[ArmRecord]) -> None:
    table = ArmTable.of(records)
    part = table.where(~table.study.among({"doe-2020"}))
    wanted = ArmTable.of(arm for arm in records if arm.study.key != "doe-2020")
    assert part.imaged() == wanted.imaged()
    for row in range(len(wanted)):
        names = [word(part, name, row) for name in ORDER]
        assert names == [word(wanted, name, row) for name in ORDER]
        assert part.record(row).study.key == names[0]
    assert len(part) == len(wanted)


def test_what_is_unknown_is_among_no_words(make_arm: Callable[..., ArmRecord]) -> None:
    table = ArmTable.of([make_arm("a", modality=None), make_arm("b"), make_arm("c", modality="ct")])
    assert table.modality.among({"ct", "mri"}).tolist() == [False, False, True]
    assert table.imaged() == {("ultrasound", ("breast",)), ("ct", ("breast",))}


@pytest.mark.parametrize("study", [None, "roe-2019"])
def test_a_record_that_is_not_that_of_its_row_is_refused(
    make_arm: Callable[..., ArmRecord], study: str | None
) -> None:
    table = ArmTable.of([make_arm()])
    another = None if study is None else make_arm(study)
    changed = replace(table, _fetch=lambda rows: [another for _ in rows])
    with pytest.raises(EvidenceError, match=r"doe-2020: the store was changed.*ask again"):
        changed.record(0)


def test_what_is_found_of_a_table_is_found_once_and_goes_with_it(
    make_arm: Callable[..., ArmRecord],
) -> None:
    asked: list[int] = []

    @once_for_each
    def size(table: ArmTable) -> set[int]:
        asked.append(len(table))
        return {len(table)}

    table = ArmTable.of([make_arm()])
    found = size(table)
    assert size(table) is found
    del table
    gc.collect()
    assert size(ArmTable.of([])) == {0}
    assert asked == [1, 0]
