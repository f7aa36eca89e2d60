"""Kept advice is never stale: a change of the corpus, or a run, is in the next answer."""

import shutil

import pytest

from evidence import queries
from evidence.changes import Changes, Reason, apply, undo
from evidence.codecs import CODECS
from evidence.ingest import Line
from evidence.records import RunRecord
from evidence.store import Store, opened
from evtl import services, snapshot
from evtl.asking import TaskOptions
from recommender.records import CitedStudy

QUESTION = TaskOptions("ultrasound", 800, "breast")


def nearest() -> CitedStudy:
    """The study nearest to the question, as the answer tells of it."""
    return services.recommend(QUESTION, top=1).derivation.studies[0]


def retitle(store: Store, key: str, title: str) -> int:
    """Give a study another title; returns the number of the change set."""
    codec = CODECS["publications.csv"]
    with store.begin() as connection:
        cells = codec.read(connection, [(key,)])[key,]
        row = codec.model.model_validate({**cells, "title": title})
        puts = {"publications.csv": [Line("publications.csv", 1, row)]}
        done = apply(connection, Changes(puts), Reason("anna", "misprint", "import"))
    assert done is not None
    return done.id


def test_nothing_is_read_again_while_the_store_is_the_same(either: Store) -> None:
    assert either.dialect
    first, again = snapshot.current(), snapshot.current()
    assert again.corpus is first.corpus
    assert services.recommend(QUESTION, top=1) is services.recommend(QUESTION, top=1)


def test_a_change_of_a_study_and_its_undoing_are_in_the_next_answer(either: Store) -> None:
    before = nearest()
    number = retitle(either, before.key, "Another title")
    assert "Another title" in nearest().citation
    with either.begin() as connection:
        undo(connection, number, "anna", "it was right")
    assert nearest() == before


def test_a_recorded_run_is_in_the_next_answer_as_it_ended(either: Store) -> None:
    assert snapshot.current().corpus.runs == ()
    failed = run("failed", 10.0)
    queries.record_run(either, failed)
    assert snapshot.current().corpus.runs == (failed,)
    queries.record_run(either, run("failed", 11.0))
    assert snapshot.current().corpus.runs == (run("failed", 11.0),)
    queries.record_run(either, run("finished", 11.0))
    assert [one.status for one in snapshot.current().corpus.runs] == ["finished"]


def test_a_file_that_was_replaced_is_opened_anew(store: Store) -> None:
    before = nearest()
    copy = store.path.with_name("copy.sqlite")
    shutil.copy(store.path, copy)
    retitle(Store(f"sqlite:///{copy}"), before.key, "Another title")
    assert nearest() == before
    first = opened()
    copy.replace(store.path)
    assert not first.is_there
    assert opened() is not first
    assert "Another title" in nearest().citation


def test_another_store_is_another_corpus(
    store: Store, template: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    retitle(store, nearest().key, "Another title")
    assert "Another title" in nearest().citation
    monkeypatch.setenv("EVTL_DATABASE_URL", f"sqlite:///{template}")
    assert "Another title" not in nearest().citation


def run(status: str, seconds: float) -> RunRecord:
    """A training of one id."""
    return RunRecord.model_validate(
        {
            "run_id": "r1", "started_at": "2026-01-01T00:00:00+00:00", "status": status,
            "folder": "r1", "modality": "ultrasound", "anatomy": "breast",
            "task": "classification", "n_images": 780, "n_classes": 3,
            "backbone_recommended": "ResNet-50", "backbone": "ResNet-50", "weights": "w",
            "approach": "fine_tuning", "head": "linear", "seed": 0, "device": "cpu",
            "seconds": seconds, "metrics": {}, "digests": {}, "versions": {},
        }
    )  # fmt: skip
