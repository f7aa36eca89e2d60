"""Trainings that cannot be: whoever waits for one is told why, and nobody's name is in it."""

import errno
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence import queries
from evidence.store import Store
from evtl import run_services as services
from evtl.jobs.queue import JobFolder, Queue
from evtl.jobs.records import Wanted
from evtl.jobs.worker import work
from evtl.web.settings import Settings
from recommender.plan import TrainingPlan
from tests.integration.web.trainings import leaky, sample
from tests.integration.web.visiting import Visit
from tests.unit.trainer.toys import plan_of
from trainer.errors import TrainingError


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test itself is the worker."""
    monkeypatch.setattr("evtl.jobs.dispatcher.start_next", lambda _queue: None)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def added(served: Settings, data: Path, plan: TrainingPlan) -> JobFolder:
    return Queue(served.runs).add(Wanted(data=data, device="cpu"), plan)


def test_a_split_that_leaks_is_refused_and_the_images_are_told_by_number(
    visit: Visit, served: Settings, store: Store, tmp_path: Path
) -> None:
    job = added(served, leaky(tmp_path / "images" / "Doe, Jane"), plan_of())
    assert work(job) == 1
    shown = visit.shown(f"/runs/{job.run.name}")
    assert "2 of 2 test images are identical" in shown
    assert "identical: image " in shown
    assert "worker.log" in shown
    assert "Doe" not in shown
    assert "Doe" not in visit.get("/api/runs").text + visit.shown("/runs")
    assert [run.status for run in queries.runs(store)] == ["failed"]


def test_images_that_cannot_be_read_are_told_by_number(visit: Visit, served: Settings) -> None:
    assert served.data_root is not None
    data = sample(served.data_root / "set")
    victim = min((data / "malignant").iterdir())
    victim.write_bytes(b"broken")
    job = added(served, data, plan_of(max_unreadable=0))
    assert work(job) == 1
    shown = visit.shown(f"/runs/{job.run.name}")
    assert "1 of 30 images cannot be read" in shown
    assert victim.name not in shown
    assert "Go on with it" in shown


def test_a_folder_without_images_is_told_though_nothing_was_begun(
    visit: Visit, served: Settings
) -> None:
    assert served.data_root is not None
    data = served.data_root / "Doe, Jane"
    data.mkdir()
    job = added(served, data, plan_of())
    assert work(job) == 1
    assert not job.is_begun
    shown = visit.shown(f"/runs/{job.run.name}")
    assert "the data" in services.snapshot(served.runs, job.run.name).reason
    assert "Doe" not in shown
    assert f"/runs/{job.run.name}" in visit.shown("/runs")


def test_a_disk_that_is_full_leaves_a_job_that_can_be_gone_on_with(
    served: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.data_root is not None
    job = added(served, sample(served.data_root / "set"), plan_of())

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("trainer.places.os.fsync", full)
    with pytest.raises(TrainingError, match="No space left on device"):
        work(job)
    assert job.ended is None
    assert [path.name for path in job.run.iterdir()] == []
    assert list(job.path.glob(".*.tmp")) == []
    assert Queue(served.runs).waiting()[0].run == job.run


def test_what_a_worker_left_that_was_killed_early_is_begun_anew(
    visit: Visit, served: Settings
) -> None:
    assert served.data_root is not None
    job = added(served, sample(served.data_root / "set"), plan_of(max_unreadable=0))
    min((served.data_root / "set" / "benign").iterdir()).write_bytes(b"broken")
    job.run.mkdir()
    shutil.copy(job.plan_file, job.run / "plan.json")
    assert work(job) == 1
    assert "cannot be read" in visit.shown(f"/runs/{job.run.name}")
