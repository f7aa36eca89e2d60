"""A figure agrees when it rounds to what is printed, a set when it holds the same references."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evidence.errors import EvidenceError
from evidence.reproduce import Comparison, compare
from evidence.rows import PrintedFigureRow

REFERENCES = st.sets(st.integers(1, 999).map(str))


def rounded(numerator: int, denominator: int, n_decimals: int, how: str) -> str:
    """Rounded by the decimal module, at a precision that holds every digit that matters."""
    with localcontext(prec=60):
        share = Decimal(numerator) / Decimal(denominator)
        return format(share.quantize(Decimal(1).scaleb(-n_decimals), how), "f")


@pytest.mark.parametrize(
    ("printed", "unit", "answer", "expected"),
    [
        ("29", "percent", (30, 102), Comparison("29", True, "30 of 102")),
        ("72", "percent", (50, 68), Comparison("74", False, "50 of 68")),
        ("0.72", "fraction", (50, 68), Comparison("0.74", False, "50 of 68")),
        ("8,421", "count", (8421,), Comparison("8421", True, "")),
        ("8421", "count", ("8421",), Comparison("8421", True, "")),
        ("102", "count", (101,), Comparison("101", False, "")),
        ("0.90", "fraction", (0.9,), Comparison("0.90", True, "")),
        ("0", "percent", (0, 7), Comparison("0", True, "0 of 7")),
        ("1", "count", (10**39 / 10**39,), Comparison("1", True, "")),
        ("0", "count", (1e-99,), Comparison("0", True, "")),
        ("-2.5", "count", ("-2.5",), Comparison("-2.5", True, "")),
    ],
)
def test_a_number_is_compared_at_the_printed_precision(
    printed: str, unit: str, answer: tuple[Any, ...], expected: Comparison
) -> None:
    assert compare(printed, unit, [answer]) == expected


def test_both_roundings_of_a_half_agree() -> None:
    """1 of 8 is 12.5 percent: 13 half up, 12 half to even."""
    for printed in ("12", "13"):
        assert compare(printed, "percent", [(1, 8)]) == Comparison(printed, True, "1 of 8")
    assert compare("14", "percent", [(1, 8)]) == Comparison("13", False, "1 of 8")


@given(
    st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 6),
    st.sampled_from([ROUND_HALF_UP, ROUND_HALF_EVEN]),
)  # fmt: skip
def test_what_the_decimal_module_rounds_to_agrees(
    numerator: int, denominator: int, n_decimals: int, how: str
) -> None:
    printed = rounded(numerator, denominator, n_decimals, how)
    found = compare(printed, "fraction", [(numerator, denominator)])
    assert found == Comparison(printed, True, f"{numerator} of {denominator}")
    percent = rounded(100 * numerator, denominator, n_decimals, how)
    assert compare(percent, "percent", [(numerator, denominator)]).recomputed == percent


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 4), st.sampled_from([-2, 2]))
def test_two_units_of_the_last_place_off_never_agrees(
    numerator: int, denominator: int, n_decimals: int, off: int
) -> None:
    printed = Decimal(rounded(numerator, denominator, n_decimals, ROUND_HALF_UP))
    shifted = format(printed + Decimal(off).scaleb(-n_decimals), "f")
    found = compare(shifted, "fraction", [(numerator, denominator)])
    assert not found.agrees
    assert found.recomputed == format(printed, "f")


@given(st.integers(0, 10**12))
def test_a_thousands_separator_changes_nothing(number: int) -> None:
    assert compare(f"{number:,}", "count", [(number,)]) == Comparison(str(number), True, "")


@given(st.data(), REFERENCES)
def test_a_set_has_neither_order_nor_duplicates(data: st.DataObject, references: set[str]) -> None:
    printed = data.draw(st.permutations(sorted(references) * 2))
    rows = [(item,) for item in data.draw(st.permutations(sorted(references)))]
    ordered = ";".join(sorted(references, key=int))
    assert compare(";".join(printed), "references", rows) == Comparison(ordered, True, "")


@given(REFERENCES, REFERENCES)
def test_a_set_that_differs_names_what_is_missing_and_extra(
    printed: set[str], found: set[str]
) -> None:
    comparison = compare(";".join(printed), "references", [(item,) for item in found])
    parts = [
        f"{word} {', '.join(sorted(items, key=int))}"
        for word, items in (("missing", printed - found), ("extra", found - printed))
        if items
    ]
    assert comparison.agrees == (printed == found)
    assert comparison.detail == "; ".join(parts)


def test_an_empty_cell_agrees_with_no_rows_only() -> None:
    assert compare("", "references", []) == Comparison("", True, "")
    assert compare("", "references", [("82",)]) == Comparison("82", False, "extra 82")


@pytest.mark.parametrize(
    ("unit", "answer", "message"),
    [
        ("count", [], r"^0 row\(s\); one row of a number, or of numerator and denominator"),
        ("count", [(1,), (2,)], r"^2 row\(s\)"),
        ("percent", [(1, 2, 3)], r"^1 row\(s\)"),
        ("percent", [(3, 0)], "^3 of 0, which is no share"),
        ("count", [(None,)], "^None, which is no number"),
        ("percent", [("many", 3)], "^'many', which is no number"),
        ("count", [("1e99999999",)], "^'1e99999999', which is no number of at most 40 digits"),
        ("count", [("1e-100",)], "^'1e-100', which is no number"),
        ("count", [(10**40,)], "^10+, which is no number"),
        ("count", [("1/3",)], "^'1/3', which is no number"),
        ("count", [(float("nan"),)], "^nan, which is no number"),
        ("references", [("1", "2")], "^several columns"),
    ],
)
def test_an_answer_of_another_shape_is_an_error(
    unit: str, answer: list[tuple[Any, ...]], message: str
) -> None:
    with pytest.raises(EvidenceError, match=message):
        compare("1", unit, answer)


ROW = {
    "figure": "m-x", "review": "morid2022", "section": "Table 3", "label": "studies",
    "printed": "65", "unit": "percent", "recomputed": "64", "verdict": "differs",
    "cause": "unknown", "query": "SELECT 65, 102",
}  # fmt: skip


def test_a_row_of_the_file_is_read() -> None:
    assert PrintedFigureRow.model_validate(ROW).model_dump() == ROW


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cause": ""}, "has a cause"),
        ({"verdict": "agrees"}, "what agrees has none"),
        ({"query": ""}, "without a query is not_answerable"),
        ({"verdict": "not_answerable"}, "one with a query is answered"),
        ({"printed": ""}, "only a set of references"),
        ({"printed": "about 65"}, "pattern"),
        ({"printed": "8,42"}, "pattern"),
        ({"verdict": "wrong"}, "'agrees', 'differs', 'contradicts' or 'not_answerable'"),
        ({"query": "DELETE FROM study"}, "pattern"),
        ({"query": "SELECT 1; SELECT 2"}, "pattern"),
    ],
)
def test_a_row_that_says_too_little_or_too_much_is_refused(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        PrintedFigureRow.model_validate(ROW | changes)
