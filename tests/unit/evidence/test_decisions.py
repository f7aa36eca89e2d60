"""What decisions come to does not depend on their order, and nobody is needed twice."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.decisions import agreement, courses, differ, outcome
from evidence.living_rows import ScreeningRow
from tests.unit.evidence.living import adjudication, decision

WORDS = st.sampled_from(["include", "exclude"])


@st.composite
def decided(draw: st.DrawFn) -> list[ScreeningRow]:
    """Decisions of up to four reviewers and one adjudicator on three studies at two stages."""
    rows = []
    for study in ("a", "b", "c"):
        for stage in ("title_abstract", "full_text"):
            people = draw(st.dictionaries(st.sampled_from("wxyz"), WORDS))
            reason = draw(st.sampled_from(["old", "new"]))
            other = {"stage": stage, "reason": reason}
            rows += [decision(study, who, word, **other) for who, word in people.items()]
            if draw(st.booleans()):
                rows.append(adjudication(study, "judge", draw(WORDS), **other))
    return rows


@given(decided(), st.randoms(), st.integers(1, 3))
def test_the_order_of_decisions_never_changes_where_a_study_stands(
    rows: list[ScreeningRow], random: Random, n: int
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert courses("abc", shuffled, n) == courses("abc", rows, n)


@given(decided(), st.integers(1, 3))
def test_an_adjudicator_ends_every_conflict_and_nothing_is_read_in_full_that_was_not_included(
    rows: list[ScreeningRow], n: int
) -> None:
    for study, course in courses("abc", rows, n).items():
        assert (course.full_text is not None) == (course.title_abstract.state == "include")
        own = [r for r in rows if (r.study_key, r.stage) == (study, "title_abstract")]
        judged = [r.decision for r in own if r.role == "adjudicator"]
        if judged:
            assert course.title_abstract.state == judged[0]
        else:
            assert (course.title_abstract.state == "conflict") == differ(own)


@pytest.mark.parametrize(
    ("words", "n_reviewers", "state"),
    [
        ("", 1, "pending"),
        ("i", 2, "pending"),
        ("i", 1, "include"),
        ("ii", 2, "include"),
        ("ee", 2, "exclude"),
        ("ie", 2, "conflict"),
        ("ie", 3, "conflict"),
        ("iie", 2, "conflict"),
        ("iii", 2, "include"),
    ],
)
def test_enough_people_have_to_say_the_same(words: str, n_reviewers: int, state: str) -> None:
    spelled = {"i": "include", "e": "exclude"}
    rows = [decision("a", f"p{at}", spelled[letter]) for at, letter in enumerate(words)]
    assert outcome(rows, n_reviewers).state == state


def test_two_reasons_of_one_exclusion_are_both_kept() -> None:
    rows = [
        decision("a", "anna", "exclude", reason="no images"),
        decision("a", "ben", "exclude", reason="animals"),
    ]
    assert outcome(rows, 2) == ("exclude", "animals / no images")


def test_adjudicators_who_differ_leave_a_conflict() -> None:
    rows = [adjudication("a", "carl", "include"), adjudication("a", "dora", "exclude")]
    assert outcome(rows, 2).state == "conflict"


def test_kappa_is_that_of_the_hand_computed_example() -> None:
    """20 both include, 15 both exclude, 5 and 10 differ: (0.7 - 0.5) / (1 - 0.5) = 0.4."""
    pairs = ["ii"] * 20 + ["ie"] * 5 + ["ei"] * 10 + ["ee"] * 15
    spelled = {"i": "include", "e": "exclude"}
    rows = [
        decision(f"s{at}", person, spelled[letter])
        for at, pair in enumerate(pairs)
        for person, letter in zip(("anna", "ben"), pair, strict=True)
    ]
    (found,) = agreement(rows)
    assert found.reviewers == ("anna", "ben")
    assert (found.kappa.n, found.kappa.agreement) == (50, 0.7)
    assert found.kappa.kappa == pytest.approx(0.4, abs=1e-12)  # rounding of a division
    assert found.kappa.low is not None
    assert found.kappa.low < 0.4


def test_agreement_is_over_what_both_decided_at_one_stage_without_adjudications() -> None:
    rows = [
        decision("a", "anna", "include"),
        decision("a", "ben", "include"),
        decision("b", "anna", "exclude"),
        decision("c", "ben", "include"),
        decision("a", "carl", "exclude", stage="full_text"),
        decision("a", "ben", "include", stage="full_text"),
        adjudication("a", "dora", "include", stage="full_text"),
        decision("d", "emil", "include"),
    ]
    found = {(f.stage, f.reviewers): f.kappa for f in agreement(rows)}
    assert {key: kappa.n for key, kappa in found.items()} == {
        ("title_abstract", ("anna", "ben")): 1,
        ("full_text", ("ben", "carl")): 1,
    }
    assert found["title_abstract", ("anna", "ben")].agreement == 1
    assert found["full_text", ("ben", "carl")].agreement == 0


def test_agreement_says_how_many_decisions_were_changed() -> None:
    rows = [decision(study, who, "include") for study in "ab" for who in ("anna", "ben")]
    (found,) = agreement(rows, {("a", "title_abstract", "ben"), ("b", "full_text", "ben")})
    assert found.n_revised == 1
