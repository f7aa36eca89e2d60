"""Kappa equals the published example and scikit-learn, and says why where there is none."""

from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from evidence.agreement import kappa


def pairs_of(table: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    return list(chain.from_iterable(repeat(pair, times) for pair, times in table.items()))


def test_the_published_example_comes_out() -> None:
    # Fleiss, Cohen & Everitt 1969, doi:10.1037/h0028106: 200 subjects in three categories. By
    # hand: agreement .53 + .14 + .03 = .70; by chance .60*.65 + .30*.25 + .10*.10 = .475;
    # kappa = .225 / .525 = .429. Standard error .054, so the interval is .429 -/+ 1.96 * .0537.
    printed = {
        "aa": 106,
        "ab": 10,
        "ac": 4,
        "ba": 22,
        "bb": 28,
        "bc": 10,
        "ca": 2,
        "cb": 12,
        "cc": 6,
    }
    found = kappa(pairs_of({(pair[0], pair[1]): times for pair, times in printed.items()}))
    assert found.n == 200
    assert found.agreement == pytest.approx(0.70)
    assert found.kappa == pytest.approx(0.225 / 0.525)
    assert (found.low, found.high) == pytest.approx((0.323, 0.534), abs=0.0015)
    assert found.reason == ""


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=40))
def test_kappa_equals_scikit_learns_or_says_why_not(pairs: list[tuple[str, str]]) -> None:
    found = kappa(pairs)
    if found.kappa is None:
        assert found.reason
        assert len(pairs) < 2 or len(set(chain.from_iterable(pairs))) == 1
        return
    one, other = zip(*pairs, strict=True)
    assert found.kappa == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    if found.low is not None:
        assert -1 <= found.low <= found.kappa <= (found.high or 0) <= 1
    else:
        assert "no interval" in found.reason


@pytest.mark.parametrize(
    ("pairs", "agreement", "reason"),
    [
        ([], None, "no study"),
        ([("in", "out")], 0.0, "too few"),
        ([("in", "in")], 1.0, "too few"),
        ([("in", "in")] * 5, 1.0, "0/0"),
    ],
)
def test_kappa_without_a_meaning_is_none_with_a_reason(
    pairs: list[tuple[str, str]], agreement: float | None, reason: str
) -> None:
    found = kappa(pairs)
    assert (found.kappa, found.low, found.agreement) == (None, None, agreement)
    assert reason in found.reason


def test_perfect_agreement_has_a_kappa_and_no_interval() -> None:
    found = kappa([("in", "in"), ("out", "out"), ("in", "in")])
    assert (found.kappa, found.low, found.high) == (1.0, None, None)
    assert "standard error is zero" in found.reason
