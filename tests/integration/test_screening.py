"""Screening and double extraction in a store, on SQLite and PostgreSQL alike."""

import csv
import io
import threading

import pytest

from evidence import changes, double_extraction, screening, screening_lists
from evidence.codecs import CODECS
from evidence.errors import EvidenceError, IngestError
from evidence.flow import flow
from evidence.living_rows import ReadingRow, ScreeningRow
from evidence.records import ChangeSet
from evidence.rows import StudyRow
from evidence.screening import Protocol
from evidence.store import Store
from tests.integration.living import STUDIES, add_review
from tests.unit.evidence.living import EXTRACTION, REVIEW, adjudication, decision

ZHOU, ADAMS, MOORE = STUDIES
OURS = Protocol(REVIEW)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def living(request: pytest.FixtureRequest) -> Store:
    """A store with a living review."""
    name = {"sqlite": "store", "postgresql": "postgres_url"}[request.param]
    found = request.getfixturevalue(name)
    store = found if isinstance(found, Store) else Store(found)
    add_review(store)
    return store


def decide(store: Store, *words: str, stage: str = "title_abstract", study: str = ZHOU) -> None:
    """Decisions of anna, ben, ... on one study."""
    for person, word in zip(("anna", "ben", "carl"), words, strict=False):
        screening.decide(store, [decision(study, person, word, stage=stage)])


def state(store: Store, study: str = ZHOU) -> tuple[str, str | None]:
    """Where a study stands at both stages."""
    with store.connect() as connection:
        course = screening.progress(connection, OURS).courses[study]
    return course.title_abstract.state, course.full_text.state if course.full_text else None


def test_the_queue_is_what_a_person_has_not_decided_oldest_first(living: Store) -> None:
    decide(living, "include", study=ADAMS)
    found = screening_lists.queue(living, OURS, "title_abstract", "anna", limit=5)
    assert [study.study_key for study in found.studies] == [ZHOU, MOORE]
    first = screening_lists.queue(living, OURS, "title_abstract", "ben", limit=1)
    assert (first.n_left, [study.study_key for study in first.studies]) == (3, [ZHOU])
    assert first.studies[0].model_dump() == {
        "study_key": ZHOU, "title": "Nodules of zhou", "authors": ("A. Zhou", "B. Second"),
        "year": 2020, "abstract": "What zhou found.",
    }  # fmt: skip


def test_what_enough_people_decided_waits_for_nobody(living: Store) -> None:
    decide(living, "exclude", "exclude")
    found = screening_lists.queue(living, OURS, "title_abstract", "carl", limit=5)
    assert [study.study_key for study in found.studies] == [ADAMS, MOORE]


def test_a_study_goes_on_to_the_full_text_when_all_included_it(living: Store) -> None:
    decide(living, "include", "include")
    assert state(living) == ("include", "pending")
    left = screening_lists.queue(living, OURS, "full_text", "anna", limit=5)
    assert [study.study_key for study in left.studies] == [ZHOU]
    decide(living, "exclude", "exclude", stage="full_text")
    assert state(living) == ("include", "exclude")


def test_a_person_may_change_their_decision_and_undo_brings_the_first_back(living: Store) -> None:
    decide(living, "include", "include")
    changed = screening.decide(living, [decision(ZHOU, "ben", "exclude")])
    assert changed is not None
    assert (changed.kind, changed.actor, changed.n_changed) == ("screening", "ben", 1)
    assert state(living) == ("conflict", None)
    (pair,) = screening_lists.agreement(living, OURS)
    assert (pair.kappa.n, pair.kappa.agreement, pair.n_revised) == (1, 0, 1)
    with living.begin() as connection:
        changes.undo(connection, changed.id, "ben", "misread")
    assert state(living) == ("include", "pending")
    assert screening_lists.agreement(living, OURS)[0].n_revised == 0


def test_the_same_decision_again_changes_nothing(living: Store) -> None:
    decide(living, "include")
    assert screening.decide(living, [decision(ZHOU, "anna", "include")]) is None


def test_a_conflict_is_settled_by_another_person_who_may_change_their_word(living: Store) -> None:
    decide(living, "include", "exclude")
    (found,) = screening_lists.conflicts(living, OURS)
    assert (found.study_key, found.title) == (ZHOU, "Nodules of zhou")
    assert [(s.reviewer, s.decision, s.reason) for s in found.said] == [
        ("anna", "include", ""), ("ben", "exclude", "not on images"),
    ]  # fmt: skip
    screening.decide(living, [adjudication(ZHOU, "carl", "exclude")])
    assert screening_lists.conflicts(living, OURS) == ()
    assert state(living) == ("exclude", None)
    screening.decide(living, [adjudication(ZHOU, "carl", "include")])
    assert state(living) == ("include", "pending")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (decision("doe-2020", "anna", "include"), "none of the 3 identified in thyroid2026"),
        (decision(ZHOU, "anna", "include", review="kim2022"), "'kim2022' has no identified"),
        (decision(ZHOU, "anna", "include", review="no2026"), "no review 'no2026'"),
        (decision(ADAMS, "anna", "include", stage="full_text"), "its state is pending"),
        (decision(ZHOU, "carl", "include", stage="full_text"), "its state is conflict"),
        (adjudication(ADAMS, "carl", "include"), "there is no conflict on adams-2021"),
        (adjudication(ZHOU, "ben", "include"), "ben decided zhou-2020 as reviewer"),
        (adjudication(MOORE, "dora", "include"), "was adjudicated at title_abstract by carl"),
        (decision(MOORE, "carl", "include"), "carl decided moore-2019 as adjudicator"),
    ],
)
def test_a_decision_that_is_not_to_be_taken_is_refused_and_nothing_is_stored(
    living: Store, row: ScreeningRow, message: str
) -> None:
    decide(living, "include", "exclude")
    decide(living, "include", "exclude", study=MOORE)
    screening.decide(living, [adjudication(MOORE, "carl", "exclude")])
    before = _change_sets(living)
    fine = decision(ADAMS, row.reviewer, "include", review=row.review)
    with pytest.raises(EvidenceError, match=message):
        screening.decide(living, [fine, row])
    assert _change_sets(living) == before


def test_several_studies_are_decided_in_one_change_set(living: Store) -> None:
    found = screening.decide(living, [decision(study, "anna", "include") for study in STUDIES])
    assert found is not None
    assert found.n_added == 3
    assert all(study in found.reason for study in STUDIES)


def test_the_status_counts_stages_and_people(living: Store) -> None:
    decide(living, "include", "include")
    decide(living, "include", "exclude", study=ADAMS)
    found = screening_lists.status(living, OURS)
    counts = [s.model_dump(exclude={"stage"}) for s in found.stages]
    names = ("n_studies", "n_pending", "n_include", "n_exclude", "n_conflict")
    assert [tuple(count[name] for name in names) for count in counts] == [
        (3, 1, 1, 0, 1), (1, 1, 0, 0, 0),
    ]  # fmt: skip
    people = {p.reviewer: (p.n_include, p.n_exclude, p.n_left) for p in found.reviewers}
    assert people == {"anna": (2, 0, 1), "ben": (1, 1, 1)}


def test_the_flow_of_a_living_review_is_counted_and_that_of_a_published_one_is_as_printed(
    living: Store,
) -> None:
    decide(living, "exclude", "exclude")
    found = flow(living, Protocol())
    assert (found.review, found.living) == (REVIEW, True)
    assert [(step.kind, step.n_printed) for step in found.steps] == [
        ("identified", 4), ("duplicates", 1), ("screened", 3), ("excluded", 1), ("awaiting", 2),
        ("full_text", 0), ("included", 0),
    ]  # fmt: skip
    printed = flow(living, Protocol("kim2022"))
    assert not printed.living
    (wrong,) = [step for step in printed.steps if step.kind == "excluded" and step.disagrees]
    assert (wrong.n_printed, wrong.n_derived) == (114, 115)
    assert "one more than printed" in wrong.note
    with pytest.raises(EvidenceError, match=r"no flow of 'no2026'; counted: thyroid2026; printed"):
        flow(living, Protocol("no2026"))


def test_people_who_decide_at_once_lose_nothing(living: Store) -> None:
    people = [f"person {number}" for number in range(8)]
    threads = [
        threading.Thread(
            target=screening.decide, args=(living, [decision(ZHOU, name, "include")], 8)
        )
        for name in people
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = screening_lists.status(living, Protocol(REVIEW, n_reviewers=8))
    assert [person.reviewer for person in found.reviewers] == people
    assert found.stages[0].n_include == 1


def sheet(*studies: str, **cells: str) -> bytes:
    """A file that a reader hands in."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(StudyRow.model_fields), lineterminator="\n")
    writer.writeheader()
    for position, study in enumerate(studies, 1):
        own = {"review": REVIEW, "study_key": study, "position": str(position)}
        writer.writerow({**dict.fromkeys(StudyRow.model_fields, ""), **EXTRACTION, **own, **cells})
    return text.getvalue().encode()


def judge(store: Store, field: str, value: str, person: str = "carl") -> ChangeSet | None:
    """An adjudicator's word."""
    cells = {"review": REVIEW, "study_key": ZHOU, "field": field, "reader": person}
    said = {"role": "adjudicator", "value": value, "reason": "Table 1"}
    return double_extraction.adjudicate(store, ReadingRow.model_validate(cells | said))


def extraction(store: Store) -> dict[str, str] | None:
    """Cells of the study in ``studies.csv``."""
    with store.connect() as connection:
        return CODECS["studies.csv"].read(connection, [(REVIEW, ZHOU)]).get((REVIEW, ZHOU))


def test_a_study_is_adopted_when_two_read_it_and_nothing_is_open(living: Store) -> None:
    double_extraction.read_study(living, "anna", "a.csv", sheet(ZHOU, n_images="780"))
    with pytest.raises(EvidenceError, match="was read for thyroid2026 by anna; 2 people have to"):
        double_extraction.adopt(living, REVIEW, ZHOU, "carl")
    double_extraction.read_study(living, "ben", "b.csv", sheet(ZHOU, n_images="800", head="svm"))
    with pytest.raises(EvidenceError, match=r"(?s)head: anna 'unspecified', ben 'svm'.*n_images"):
        double_extraction.adopt(living, REVIEW, ZHOU, "carl")
    judge(living, "n_images", "0780")
    judge(living, "head", "")
    assert extraction(living) is None
    done = double_extraction.adopt(living, REVIEW, ZHOU, "carl")
    assert done is not None
    assert "as read by anna, ben; adjudicated: head by carl, n_images by carl" in done.reason
    found = extraction(living)
    assert found is not None
    assert (found["n_images"], found["head"], found["backbone"]) == ("780", "unspecified", "VGG-16")
    assert double_extraction.adopt(living, REVIEW, ZHOU, "carl") is None
    with living.begin() as connection:
        changes.undo(connection, done.id, "carl", "too early")
    assert extraction(living) is None


def test_an_excluded_study_is_not_adopted(living: Store) -> None:
    for person in ("anna", "ben"):
        double_extraction.read_study(living, person, "a.csv", sheet(ZHOU))
    decide(living, "exclude", "include")
    with pytest.raises(EvidenceError, match="is excluded from thyroid2026, or in conflict"):
        double_extraction.adopt(living, REVIEW, ZHOU, "carl")
    assert extraction(living) is None


def test_a_published_review_takes_up_no_extraction(living: Store) -> None:
    with pytest.raises(EvidenceError, match="morid2022 is a published review"):
        double_extraction.adopt(living, "morid2022", "shin-2016", "carl")


def test_reading_again_replaces_what_was_read(living: Store) -> None:
    double_extraction.read_study(living, "anna", "a.csv", sheet(ZHOU, n_images="780", head="svm"))
    again = double_extraction.read_study(living, "anna", "a.csv", sheet(ZHOU, n_images="800"))
    assert again is not None
    assert (again.n_changed, again.n_removed, again.n_added) == (1, 1, 0)
    assert (
        double_extraction.read_study(living, "anna", "a.csv", sheet(ZHOU, n_images="800")) is None
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (sheet(ZHOU, n_images="many", head="tree"), r"^2 problem\(s\), nothing was stored"),
        (sheet("zhou-2002"), r"^1 problem.*row 2, column study_key: found 'zhou-2002'; must be in"),
        (sheet(ZHOU, backbone="VGG-15"), "column backbone: found 'VGG-15'; must be in backbones"),
        (sheet(ZHOU, review="no2026"), "must be in reviews.csv"),
        (sheet(), "a row for each study that was read"),
        (sheet(ZHOU)[:-40], "cells are expected"),
        (b"\xff\xfe", "write UTF-8"),
    ],
)
def test_a_bad_sheet_is_refused_whole(living: Store, data: bytes, message: str) -> None:
    before = _change_sets(living)
    with pytest.raises(IngestError, match=f"(?s){message}"):
        double_extraction.read_study(living, "anna", "a.csv", data)
    assert _change_sets(living) == before


def test_only_another_person_adjudicates_and_only_what_is_open(living: Store) -> None:
    for name, n in (("anna", "780"), ("ben", "800")):
        double_extraction.read_study(living, name, "x.csv", sheet(ZHOU, ADAMS, n_images=n))
    with pytest.raises(EvidenceError, match=r"do not differ on head .*; open: n_images"):
        judge(living, "head", "svm")
    with pytest.raises(EvidenceError, match="ben read zhou-2020: another person adjudicates"):
        judge(living, "n_images", "800", "ben")
    judge(living, "n_images", "790")
    judge(living, "n_images", "800")
    with pytest.raises(EvidenceError, match="was adjudicated by carl, who may change that"):
        judge(living, "n_images", "780", "dora")
    with pytest.raises(EvidenceError, match=r"carl adjudicated n_images .* cannot be its reader"):
        double_extraction.read_study(living, "carl", "c.csv", sheet(ZHOU))
    left = double_extraction.conflicts(double_extraction.stored_readings(living))
    assert [(one.study_key, one.field) for one in left] == [(ADAMS, "n_images")]


def test_fields_that_do_not_fit_together_are_not_adopted(living: Store) -> None:
    for name, n in (("anna", "500"), ("ben", "300")):
        sheet_ = sheet(ZHOU, n_images=n, n_augmented="600")
        double_extraction.read_study(living, name, "x.csv", sheet_)
    judge(living, "n_images", "900")
    with pytest.raises(EvidenceError, match="do not fit together: augmentation does not shrink"):
        double_extraction.adopt(living, REVIEW, ZHOU, "carl")


def _change_sets(store: Store) -> tuple[ChangeSet, ...]:
    with store.connect() as connection:
        return changes.change_sets(connection)
