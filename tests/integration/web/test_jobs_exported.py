"""A run as ONNX: what cannot be made is refused before anything is started for it."""

import json

import pytest

from evtl.web.settings import Settings
from tests.integration.web.test_jobs_pages import RESULT, run_folder
from tests.integration.web.visiting import Visit


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evtl.jobs.dispatcher.start_next", lambda _queue: None)
    monkeypatch.setattr("evtl.exporting._make", lambda *_: pytest.fail("started"))


@pytest.mark.parametrize(
    ("result", "said"),
    [({"status": "finished"}, "its result.json is broken"), (RESULT, "model.safetensors")],
)
def test_a_folder_that_only_says_it_is_finished_is_refused_at_once(
    visit: Visit, served: Settings, result: dict[str, object], said: str
) -> None:
    folder = run_folder(served)
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    found = visit.get("/api/runs/by-hand/files/model.onnx")
    assert found.status_code == 404
    assert said in found.json()["detail"]


def test_another_site_has_no_file_made(visit: Visit, served: Settings) -> None:
    run_folder(served)
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert visit.get("/runs/by-hand/files/model.onnx", headers=headers).status_code == 403
    assert visit.get("/runs/by-hand", headers=headers).status_code == 200


def test_what_cannot_be_done_now_did_not_change_meanwhile(visit: Visit, served: Settings) -> None:
    (run_folder(served) / "begun.json").write_text("{}", encoding="utf-8")
    found = visit.program("POST", "/api/runs/by-hand/resume")
    assert (found.status_code, found.json()["title"]) == (409, "Not now")
