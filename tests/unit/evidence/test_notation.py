"""The notation of list cells reads what it writes and refuses the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.notation import (
    EvaluationNotation,
    items,
    parse_arm,
    parse_count,
    parse_evaluation,
)


def test_an_evaluation_keeps_its_operator() -> None:
    assert parse_evaluation("auc>0.9") == EvaluationNotation("auc", ">", 0.9, None, "auc>0.9")
    ranged = EvaluationNotation("auc", "range", 0.85, 0.96, "auc=0.85..0.96")
    assert parse_evaluation("auc = 0.85..0.96") == ranged
    assert parse_evaluation("mae=15.160")[:4] == ("mae", "=", 15.16, None)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("auc=93", "fractions"),
        ("acc=0.9", "none of"),
        ("auc~0.9", "write metric"),
        ("auc=0.9..0.8", "low < high"),
        ("auc>0.8..0.9", "low < high"),
        ("auc=nan", "write metric"),
    ],
)
def test_a_wrong_evaluation_is_refused(item: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_evaluation(item)


@given(st.floats(0, 1).map(lambda value: round(value, 4)))
def test_every_fraction_is_read_back(value: float) -> None:
    assert parse_evaluation(f"accuracy={value:.4f}").value == value


def test_an_arm_may_leave_parts_to_its_row() -> None:
    assert parse_arm("VGG-16") == ("VGG-16", "", "", "")
    assert parse_arm("AlexNet/none/random") == ("AlexNet", "none", "random", "")


@pytest.mark.parametrize("item", ["VGG-16/finetune", "a/none/random/linear/x"])
def test_a_wrong_arm_is_refused(item: str) -> None:
    with pytest.raises(ValueError, match=r"none of|write backbone"):
        parse_arm(item)


def test_a_count_has_stage_number_and_unit() -> None:
    assert parse_count("train_val 151000000 non_mitoses") == ("train_val", 151000000, "non_mitoses")
    with pytest.raises(ValueError, match="stage"):
        parse_count("later 3 images")


def test_an_empty_cell_has_no_items() -> None:
    assert items("") == items(" ; ") == ()
