"""A training that ended while its report was drawn: what is missing is offered."""

import pytest

from evtl.jobs.queue import JobFolder, Queue
from evtl.jobs.records import Wanted
from evtl.web.settings import Settings
from tests.integration.web.test_jobs_pages import RESULT, run_folder
from tests.integration.web.visiting import Visit

OFFER = "Draw them"


@pytest.fixture
def job(served: Settings, monkeypatch: pytest.MonkeyPatch) -> JobFolder:
    """One that was cancelled after its result was kept: it has a report and no model card."""
    monkeypatch.setattr("evtl.jobs.dispatcher.start_next", lambda _queue: None)
    assert served.data_root is not None
    found = Queue(served.runs).add(Wanted(data=served.data_root))
    (run_folder(served, found.run.name) / "begun.json").write_text("{}", encoding="utf-8")
    found.end("cancelled")
    return found


def test_a_report_that_is_missing_is_offered(visit: Visit, job: JobFolder) -> None:
    assert RESULT["status"] == "finished"
    address = f"/runs/{job.run.name}"
    snapshot = visit.get(f"/api{address}").json()["snapshot"]
    assert (snapshot["state"], snapshot["can_resume"]) == ("finished", True)
    assert OFFER in visit.shown(address)
    assert visit.post(f"{address}/resume").status_code == 303
    assert job.state == "waiting"


def test_nothing_is_offered_where_all_is_there(visit: Visit, job: JobFolder) -> None:
    (job.run / "MODEL_CARD.md").write_text("# Card", encoding="utf-8")
    assert OFFER not in visit.shown(f"/runs/{job.run.name}")
