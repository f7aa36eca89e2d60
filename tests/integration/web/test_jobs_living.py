"""Workers and servers that come and go: nothing is lost, nothing runs twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence import queries
from evidence.store import Store
from evtl import job_services
from evtl import run_services as services
from evtl.jobs.dispatcher import MOST_STARTS, dispatching
from evtl.jobs.queue import JobFolder, Queue
from tests.integration.web.trainings import ENDLESS, SMALL, Workers, sample, until, wanted
from tests.unit.trainer.toys import plan_of

pytestmark = pytest.mark.slow


@pytest.fixture
def queue(store: Store, tmp_path: Path) -> Queue:
    assert store.path.is_file()
    sample(tmp_path / "images" / "set")
    return Queue(tmp_path / "runs")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    found = Workers()
    monkeypatch.setattr("evtl.jobs.dispatcher.subprocess", found)
    yield found
    found.end()


def is_measured(job: JobFolder) -> bool:
    """Only the report is still to be drawn, which takes long where others work too."""
    assert job.ended is None or job.state == "finished", job.log.read_text(encoding="utf-8")
    return job.result().get("status") == "finished"


def has_trained(job: JobFolder, n_epochs: int = 1) -> bool:
    assert job.ended is None, job.log.read_text(encoding="utf-8")
    return len(services.lines(job.run.parent, job.run.name)) >= n_epochs if job.is_begun else False


def test_a_training_outlives_the_server_and_is_cancelled_by_the_next(
    queue: Queue, store: Store, workers: Workers, tmp_path: Path
) -> None:
    data = tmp_path / "images" / "set"
    first = queue.add(wanted(data), ENDLESS)
    second = queue.add(wanted(data), plan_of(backbone=SMALL))
    with dispatching(queue.runs), dispatching(queue.runs):  # two servers: one does the work
        until(lambda: has_trained(first))
        assert (first.state, second.state, len(workers.begun)) == ("running", "waiting", 1)
        assert services.snapshot(queue.runs, second.run.name).place == 1
    assert workers.begun[0].poll() is None
    with dispatching(queue.runs):
        until(lambda: has_trained(first, 2))
        assert (second.state, len(workers.begun)) == ("waiting", 1)
        job_services.cancel(queue.runs, first.run.name)
        assert first.state in {"cancelling", "cancelled"}
        until(lambda: is_measured(second))
        until(lambda: len(queries.runs(store)) == 2)
    assert (first.state, len(workers.begun)) == ("cancelled", 2)
    assert [path.name for path in first.run.glob(".*.tmp")] == []
    result = json.loads((first.run / "result.json").read_text(encoding="utf-8"))
    assert (result["status"], result["error"]) == ("failed", "Cancelled: somebody asked for it")
    assert sorted(run.status for run in queries.runs(store)) == ["failed", "finished"]
    states = {each.run: each.state for each in services.ended(queue.runs)}
    assert states[first.run.name] == "cancelled"
    assert services.snapshot(queue.runs, first.run.name).can_resume


def test_a_training_whose_worker_was_killed_is_gone_on_with(
    queue: Queue, store: Store, workers: Workers, tmp_path: Path
) -> None:
    plan = ENDLESS.model_copy(update={"epochs": 6})
    job = queue.add(wanted(tmp_path / "images" / "set"), plan)
    with dispatching(queue.runs):
        until(lambda: has_trained(job))
    workers.begun[0].kill()
    workers.begun[0].wait()
    until(lambda: job.state == "interrupted")
    now = services.snapshot(queue.runs, job.run.name)
    assert (now.place, now.is_over, now.can_resume) == (1, False, False)
    with dispatching(queue.runs):
        until(lambda: is_measured(job))
        until(lambda: queries.runs(store))
    assert job.result()["n_resumed"] == 1
    lines = services.lines(queue.runs, job.run.name)
    assert [line["epoch"] for line in lines] == list(range(1, 7))
    (record,) = queries.runs(store)
    assert (record.status, Path(record.folder)) == ("finished", job.run)


def test_a_training_whose_workers_always_die_is_given_up(
    queue: Queue, workers: Workers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("evtl.jobs.dispatcher.sys.executable", "/bin/false")
    job = queue.add(wanted(tmp_path / "images" / "set"), plan_of())
    with dispatching(queue.runs):
        until(lambda: job.ended)
    assert len(workers.begun) == MOST_STARTS
    assert services.snapshot(queue.runs, job.run.name).reason == (
        "its process was ended 3 times from outside, e.g. for memory"
    )
