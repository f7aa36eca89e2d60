"""A queue on disk: what its folders say, without any worker."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evtl.jobs import dispatcher, locks, queue
from evtl.jobs.queue import BusyError, JobFolder, Queue, RunNotFoundError
from evtl.jobs.reasons import reason_of
from evtl.jobs.records import Progress, Started, Wanted
from tests.unit.trainer.toys import plan_of
from trainer.errors import TrainingError


@contextmanager
def held(path: Path) -> Iterator[None]:
    descriptor = locks.take(path)
    assert descriptor is not None
    try:
        yield
    finally:
        os.close(descriptor)


@pytest.fixture
def jobs(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "runs")


def added(jobs: Queue) -> JobFolder:
    return jobs.add(Wanted(data=jobs.runs.parent / "Doe, Jane"))


def test_jobs_wait_in_the_order_in_which_they_were_asked_for(jobs: Queue) -> None:
    names = [added(jobs).run.name for _ in range(5)]
    assert [each.run.name for each in jobs.waiting()] == names
    assert {each.state for each in jobs.waiting()} == {"waiting"}


def test_a_job_keeps_what_was_asked_for_and_its_plan(jobs: Queue) -> None:
    plan = plan_of(epochs=7)
    job = jobs.add(Wanted(data=Path("/data"), device="cpu", order="none,mild"), plan)
    assert job.job.wanted == Wanted(data=Path("/data"), device="cpu", order="none,mild")
    assert job.job.has_plan
    assert '"epochs": 7' in job.plan_file.read_text(encoding="utf-8")


def test_too_many_that_wait_are_refused(jobs: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 2)
    first, _ = added(jobs), added(jobs)
    with pytest.raises(BusyError, match="2 trainings wait already"):
        added(jobs)
    first.cancel()
    added(jobs)
    assert len(jobs.waiting()) == 2


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        ".jobs",
        "a/b",
        "../runs",
        "/etc",
        "a\x00b",
        "a\nb",
        "é",
        "x" * 101,
        "-rf",
        "a\\b",
    ],
)
def test_names_that_no_run_has_are_never_looked_for(jobs: Queue, name: str) -> None:
    with pytest.raises(RunNotFoundError, match="there is no run"):
        jobs.job(name)


def test_a_link_among_the_jobs_is_no_job(jobs: Queue, tmp_path: Path) -> None:
    added(jobs)
    (tmp_path / "elsewhere").mkdir()
    (jobs.path / "linked").symlink_to(tmp_path / "elsewhere")
    assert len(list(jobs.jobs())) == 1
    with pytest.raises(RunNotFoundError, match="there is no run"):
        jobs.job("linked")


def test_the_state_of_a_job_is_what_its_files_and_lock_say(jobs: Queue) -> None:
    job, told = added(jobs), []
    with held(job.lock):
        told.append(job.state)
        job.keep("started.json", Started(n=1, at=queue.now()))
        job.cancel()
        assert job.ended is None
        told.append(job.state)
    told.append(job.state)
    job.again()
    job.keep("started.json", Started(n=1, at=queue.now()))
    told.append(job.state)
    job.end("failed", "why")
    told.append(job.state)
    assert told == ["running", "cancelling", "cancelled", "interrupted", "failed"]


def test_one_that_waits_is_cancelled_at_once_and_only_once(jobs: Queue) -> None:
    job = added(jobs)
    job.cancel()
    assert (job.state, jobs.waiting()) == ("cancelled", [])
    with pytest.raises(BusyError, match="has ended already"):
        job.cancel()


def test_only_what_was_stopped_is_gone_on_with(jobs: Queue) -> None:
    job = added(jobs)
    with pytest.raises(BusyError, match="is waiting; only a run that was stopped"):
        jobs.resume(job.run.name)
    job.cancel()
    assert jobs.resume(job.run.name).state == "waiting"
    job.end("finished")
    with pytest.raises(BusyError, match="is finished; only"):
        jobs.resume(job.run.name)


def test_a_broken_job_does_not_stop_the_others(jobs: Queue) -> None:
    broken, job = added(jobs), added(jobs)
    (broken.path / "job.json").write_text("{", encoding="utf-8")
    assert [each.run for each in jobs.waiting()] == [job.run]


def test_a_disk_that_does_not_allow_it_is_one_message(jobs: Queue, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"runs.*cannot be written"):
        added(jobs)


def test_a_lock_is_held_once_and_any_number_may_look(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not locks.is_taken(path)
    with held(path):
        assert locks.take(path) is None
        assert all(locks.is_taken(path) for _ in range(3))
    assert not locks.is_taken(path)


def test_a_short_lock_is_waited_for_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 0.0)
    busy = pytest.raises(TrainingError, match="is in use")
    with held(tmp_path / "lock"), busy, locks.alone(tmp_path / "lock"):
        pytest.fail("held twice")


def test_the_time_left_is_that_of_the_pace_of_the_stage() -> None:
    began = Progress(stage="training", done=10, total=110, first=10, began=100.0, at=100.0)
    assert began.left_s is None
    later = began.model_copy(update={"done": 30, "at": 110.0})
    assert later.left_s == pytest.approx(40.0)


def test_nothing_is_started_while_a_worker_has_the_device(
    jobs: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(
        dispatcher, "_spawn", lambda _queue, job, _locks: begun.append(job.run.name)
    )
    first, second = added(jobs), added(jobs)
    with held(jobs.device_lock):
        assert dispatcher.start_next(jobs) is None
    with held(first.lock):  # its worker is at it, whatever became of the device
        dispatcher.start_next(jobs)
    assert begun == [second.run.name]


def test_a_job_that_was_cancelled_between_two_looks_is_not_started(
    jobs: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_spawn", lambda *_: pytest.fail("started"))
    job = added(jobs)
    monkeypatch.setattr(Queue, "waiting", lambda _queue: [job])
    (job.path / "cancel").touch()
    assert dispatcher.start_next(jobs) is None
    assert job.ended is not None
    assert job.ended.outcome == "cancelled"


def test_reasons_name_no_folder_of_the_images(jobs: Queue, tmp_path: Path) -> None:
    (tmp_path / "Doe, Jane" / "scans").mkdir(parents=True)
    job, data = added(jobs), tmp_path / "Doe, Jane"
    error = TrainingError(f"{data}: {data}/scans/1.png and scans/2.png are alike")
    assert reason_of(job, error) == "the data: 1.png and 2.png are alike"
    job.run.mkdir(parents=True)
    (job.run / "result.json").write_text('{"status": "failed", "error": "image 3"}')
    assert reason_of(job, error) == "image 3"
    assert reason_of(added(jobs), ZeroDivisionError("x")) == "ZeroDivisionError: x"


def test_reasons_do_not_tell_where_the_runs_are(jobs: Queue) -> None:
    job = added(jobs)
    error = TrainingError(f"{job.run}/history.jsonl cannot be written")
    told = f"{job.run.name}/history.jsonl cannot be written"
    assert reason_of(job, error) == told
    job.run.mkdir(parents=True)
    content = json.dumps({"status": "failed", "error": str(error)})
    (job.run / "result.json").write_text(content, encoding="utf-8")
    assert reason_of(job, error) == told


def test_a_job_that_was_removed_does_not_come_back(jobs: Queue) -> None:
    job = added(jobs)
    shutil.rmtree(job.path)
    job.keep("started.json", Started(n=1, at=queue.now()))
    job.end("finished")
    assert not job.path.exists()


def test_nobody_else_may_look_at_jobs_as_they_name_folders_of_images(jobs: Queue) -> None:
    job = added(jobs)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (jobs.path, job.path)] == [0o700, 0o700]
