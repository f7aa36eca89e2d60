"""Counts of a flow always add up, and what waits is never counted as excluded."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evidence.decisions import Course, Outcome, State, courses
from evidence.flow import counted
from evidence.prisma import FlowStep
from tests.unit.evidence.living import adjudication, decision

STATES: st.SearchStrategy[State] = st.sampled_from(["pending", "include", "exclude", "conflict"])
REASONS = st.sampled_from(["no images", "animals", "not retrieved"])


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    """Where a study stands at one stage."""
    state = draw(STATES)
    return Outcome(state, draw(REASONS) if state == "exclude" else "")


@st.composite
def studies(draw: st.DrawFn) -> Course:
    """How far a study came."""
    first = draw(outcomes())
    return Course(first, draw(outcomes()) if first.state == "include" else None)


def totals(steps: tuple[FlowStep, ...]) -> Counter[tuple[str, str]]:
    """Numbers by stage and kind; what follows the screening belongs to the full texts."""
    found: Counter[tuple[str, str]] = Counter()
    stage = "identification"
    for step in steps:
        stage = {"screened": "first", "full_text": "second"}.get(step.kind, stage)
        found[stage, step.kind] += step.n_derived or 0
    return found


@given(st.dictionaries(st.text(min_size=1), studies()), st.data())
def test_the_counts_of_a_flow_add_up(found: dict[str, Course], data: st.DataObject) -> None:
    more = data.draw(st.lists(st.sampled_from(["PubMed", "Embase"])))
    steps = counted(["PubMed"] * len(found) + more, found)
    n = totals(steps)
    full = [s for s in steps if s.kind == "full_text"]
    reached = full[0].n_derived
    identified, *_ = steps
    assert identified.n_derived == sum(count for _, count in identified.sources)
    assert identified.n_derived == n["identification", "duplicates"] + n["first", "screened"]
    assert n["identification", "duplicates"] == len(more)
    assert n["first", "screened"] == (
        n["first", "excluded"] + n["first", "awaiting"] + (reached or 0)
    )
    assert reached == (n["second", "excluded"] + n["second", "awaiting"] + n["second", "included"])
    waiting = sum(c.title_abstract.state in {"pending", "conflict"} for c in found.values())
    assert n["first", "awaiting"] == waiting
    for step in steps:
        if step.reasons:
            assert sum(count for _, count in step.reasons) == step.n_derived


def test_a_flow_names_its_sources_reasons_and_what_waits() -> None:
    rows = [
        decision("a", "anna", "exclude"),
        decision("b", "anna", "include"),
        decision("c", "anna", "include"),
        decision("d", "anna", "include"),
        decision("e", "anna", "include"),
        decision("e", "ben", "exclude"),
        decision("g", "anna", "include"),
        decision("g", "ben", "exclude"),
        adjudication("g", "carl", "include"),
        decision("b", "anna", "include", stage="full_text"),
        decision("c", "anna", "exclude", stage="full_text", reason="Not retrieved"),
        decision("d", "anna", "exclude", stage="full_text", reason="animals"),
    ]
    steps = counted(["PubMed"] * 6 + ["Embase"] * 3, courses("abcdefg", rows, n_reviewers=1))
    assert [(s.kind, s.label, s.n_printed, s.sources + s.reasons) for s in steps] == [
        ("identified", "records identified", 9, (("PubMed", 6), ("Embase", 3))),
        ("duplicates", "duplicate records removed", 2, ()),
        ("screened", "studies to screen by title and abstract", 7, ()),
        ("excluded", "excluded by title and abstract", 1, ()),
        ("awaiting", "not decided yet", 1, ()),
        ("awaiting", "in conflict, not adjudicated yet", 1, ()),
        ("full_text", "full texts sought", 4, ()),
        ("excluded", "full texts not retrieved", 1, ()),
        ("full_text", "full texts to assess", 3, ()),
        ("excluded", "excluded by full text", 1, (("animals", 1),)),
        ("awaiting", "not decided yet", 1, ()),
        ("included", "studies included", 1, ()),
    ]
    assert not any(step.disagrees for step in steps)


def test_a_flow_that_is_over_has_no_word_of_waiting() -> None:
    rows = [decision("a", "anna", "include"), decision("a", "anna", "include", stage="full_text")]
    steps = counted(["PubMed"], courses("a", rows, n_reviewers=1))
    assert [(s.label, s.n_derived) for s in steps] == [
        ("records identified", 1),
        ("studies screened by title and abstract", 1),
        ("full texts assessed", 1),
        ("studies included", 1),
    ]
