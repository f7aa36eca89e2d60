"""Folders of jobs and runs that somebody spoiled: one row says so, and all else is as it was."""

import json
from pathlib import Path

import pytest

from evtl.jobs.queue import JobFolder, Queue
from evtl.jobs.records import Started, Wanted
from evtl.web.settings import Settings
from evtl.web.watching import Watch
from tests.integration.web.visiting import Visit

pytestmark = pytest.mark.usefixtures("no_worker")
#: No JSON, JSON that is no job, one that is newer, one that no stack is deep enough for.
SPOILED = ("", "{", "[]", '{"schema_version": 2, "run": "x"}', "\x00", "[" * 100_000)


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evtl.jobs.dispatcher.start_next", lambda _queue: None)


def added(served: Settings) -> JobFolder:
    assert served.data_root is not None
    return Queue(served.runs).add(Wanted(data=served.data_root / "set"))


def begun(served: Settings, **kept: object) -> Path:
    folder = served.runs / "by-hand"
    folder.mkdir()
    (folder / "begun.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder


@pytest.mark.parametrize("content", SPOILED)
def test_a_job_that_is_broken_is_one_row_that_failed(
    visit: Visit, served: Settings, content: str
) -> None:
    broken, job = added(served), added(served)
    (broken.path / "job.json").write_text(content, encoding="utf-8")
    found = visit.get("/api/runs")
    assert [each["run"] for each in found.json()["going"]] == [job.run.name]
    (row,) = found.json()["ended"]["items"]
    assert (row["run"], row["state"]) == (broken.run.name, "failed")
    assert row["reason"] == "its job cannot be read"
    assert f">{broken.run.name}</a>" in visit.shown("/runs")
    shown = visit.get(f"/api/runs/{broken.run.name}").json()["snapshot"]
    assert (shown["state"], shown["can_resume"]) == ("failed", False)
    refused = visit.program("POST", f"/api/runs/{broken.run.name}/resume")
    assert 400 <= refused.status_code < 500
    assert str(served.runs) not in found.text + visit.shown("/runs") + refused.text


def test_a_job_that_is_broken_while_it_is_watched_ends_the_events(
    visit: Visit, served: Settings
) -> None:
    job = added(served)
    watch = Watch(served.runs, job.run.name, 0)
    assert '"waiting"' in watch.look()
    (job.path / "job.json").write_text("{", encoding="utf-8")
    assert '"failed"' in watch.look()
    assert watch.is_over
    assert "its job cannot be read" in visit.shown(f"/runs/{job.run.name}")


@pytest.mark.parametrize("name", ["ended.json", "started.json", "progress.json", "plan.json"])
@pytest.mark.parametrize("content", SPOILED)
def test_any_other_file_of_a_job_may_be_broken(
    visit: Visit, served: Settings, name: str, content: str
) -> None:
    job = added(served)
    (job.path / name).write_text(content, encoding="utf-8")
    assert job.run.name in visit.shown("/runs")
    assert visit.get(f"/runs/{job.run.name}").status_code == 200


def test_a_worker_may_have_been_started_at_no_time_that_is_one(
    visit: Visit, served: Settings
) -> None:
    from evtl.jobs import locks  # noqa: PLC0415

    job = added(served)
    for at in ("noon", "2026-01-01T12:00:00"):
        job.keep("started.json", Started(n=1, at=at))
        with locks.alone(job.lock):
            found = visit.get(f"/api/runs/{job.run.name}")
        assert found.json()["snapshot"]["spent_s"] is None


@pytest.mark.parametrize("name", ["begun.json", "result.json", "plan.json", "history.jsonl"])
@pytest.mark.parametrize("content", [*SPOILED, '{"error": "\\ud800", "status": "failed"}'])
def test_any_file_of_a_run_may_be_broken(
    visit: Visit, served: Settings, name: str, content: str
) -> None:
    folder = begun(served, data="/etc")
    (folder / name).write_text(content, encoding="utf-8")
    for address in ("/runs", "/api/runs", "/runs/by-hand", "/api/runs/by-hand"):
        assert visit.get(address).status_code == 200
    assert visit.get("/api/runs/by-hand/events").status_code in {200, 404}


@pytest.mark.parametrize("data", ["\0x", "", "x" * 5000, "~", 3, None])
def test_images_that_are_nowhere_are_not_gone_on_with(
    visit: Visit, served: Settings, data: object
) -> None:
    folder = begun(served, data=data)
    (folder / "result.json").write_text('{"status": "failed"}', encoding="utf-8")
    found = visit.program("POST", "/api/runs/by-hand/resume")
    assert found.status_code == 409
    assert "evtl train --resume" in found.json()["detail"]


def test_a_link_that_came_later_and_leads_elsewhere_is_not_followed(
    visit: Visit, served: Settings, tmp_path: Path
) -> None:
    assert served.data_root is not None
    data = served.data_root / "Doe, Jane"
    data.mkdir()
    folder = begun(served, data=str(data))
    (folder / "result.json").write_text('{"status": "failed"}', encoding="utf-8")
    (data / "link").symlink_to(tmp_path)
    found = visit.program("POST", "/api/runs/by-hand/resume")
    assert found.status_code == 409
    assert "Doe" not in found.text
    (data / "link").unlink()
    assert visit.program("POST", "/api/runs/by-hand/resume").status_code == 202
