"""Pages and addresses of trainings: asked for, listed, shown, handed out; no worker starts here."""

import json
import re
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from evtl.jobs.queue import JobFolder, Queue
from evtl.jobs.records import Progress, Started
from evtl.web.settings import Settings
from recommender.plan import parse_plan, read_plan
from tests.integration.web.trainings import sample
from tests.integration.web.visiting import Visit
from tests.unit.trainer.toys import plan_of

ASKED = {"modality": "ultrasound", "anatomy": "breast", "data": "set"}
RESULT: dict[str, Any] = {
    "run_id": "20260101T120000000000Z-1a2b3c4d", "status": "finished", "seconds": 12.5,
    "started_at": "2026-01-01T12:00:00.000000+00:00", "approach": "feature_extractor",
    "head": "linear", "seed": 0, "n_images": 1200, "backbone": "EfficientNet-Lite0",
    "backbone_recommended": "EfficientNet-Lite0", "classes": ["<b>benign</b>", "malignant"],
    "metrics": {"test": {"auc": {"value": 0.9, "low": 0.8, "high": None}}},
    "warnings": ["few images"], "of_a_later_version": {},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evtl.jobs.dispatcher.start_next", lambda _queue: None)


@pytest.fixture
def images(served: Settings) -> Path:
    assert served.data_root is not None
    return sample(served.data_root / "set", 20)


def run_folder(served: Settings, name: str = "by-hand", **result: object) -> Path:
    folder = served.runs / name
    folder.mkdir()
    (folder / "plan.json").write_text(plan_of().model_dump_json(), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(RESULT | result), encoding="utf-8")
    (folder / "report.html").write_text("<p>report</p>", encoding="utf-8")
    (folder / "predictions.csv").write_text("file\nDoe_Jane.png\n", encoding="utf-8")
    (folder / "history.jsonl").write_text('{"epoch": 1, "train_loss": NaN}\n{"ep', encoding="utf-8")
    return folder


def started(visit: Visit) -> str:
    found = visit.post("/train", ASKED)
    assert found.status_code == 303, found.text
    return found.headers["location"]


def job_of(served: Settings, address: str) -> JobFolder:
    return Queue(served.runs).job(address.rpartition("/")[2])


def hidden(page: str) -> dict[str, str]:
    """What the forms of a page send beside what is typed."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: unescape(text) for name, text in found}


@pytest.mark.usefixtures("images")
def test_an_answer_about_a_folder_is_trained_as_shown_with_one_click(
    visit: Visit, served: Settings
) -> None:
    asked = "modality=us&anatomy=breast&goal=cost&data=set"
    shown = visit.shown(f"/recommend?{asked}")
    assert "Edit the plan" in shown
    form = re.search(r'<form method="post" action="/train">(.*?)</form>', shown, re.S)
    assert form is not None
    found = visit.post("/train", hidden(form[1]))
    job = job_of(served, found.headers["location"])
    assert job.job.has_plan  # another may be recommended by the time that it is carried out
    advised = parse_plan(json.dumps(visit.get(f"/api/recommend?{asked}").json()["plan"]), "advised")
    assert read_plan(job.plan_file) == advised
    wanted = job.job.wanted
    assert wanted is not None
    assert wanted.predicted_s is not None


def form_of(visit: Visit, address: str) -> dict[str, str]:
    """What the page of a training sends where nothing is changed."""
    shown = visit.shown(address)
    assert "Recommended:" in shown
    plan = re.search(r"<textarea[^>]*>(.*?)</textarea>", shown, re.S)
    assert plan is not None
    data = re.search(r'<input id="data" name="data" value="([^"]*)"', shown)
    assert data is not None
    return hidden(shown) | {"data": data[1], "plan": unescape(plan[1]).replace("\n", "\r\n")}


@pytest.mark.usefixtures("images")
def test_one_click_on_the_recommended_plan_starts_it(visit: Visit, served: Settings) -> None:
    sent = form_of(visit, "/train?modality=us&anatomy=breast&n=20") | {"data": "set"}
    found = visit.post("/train", sent)
    job = job_of(served, found.headers["location"])
    assert not job.job.has_plan  # no image was looked at: what is recommended for them is trained
    wanted = job.job.wanted
    assert wanted is not None
    assert (wanted.options.modality, wanted.options.n_images) == ("us", None)
    assert wanted.predicted_s is not None
    assert "It waits, number 1 in the queue." in visit.shown(found.headers["location"])


@pytest.mark.parametrize("data", ["set", " other set "])
def test_a_plan_for_a_folder_is_carried_out_on_this_folder_only(
    visit: Visit, served: Settings, images: Path, data: str
) -> None:
    images.with_name(" other set ").symlink_to(images)
    sent = form_of(visit, "/train?modality=us&anatomy=breast&data=set") | {"data": data}
    job = job_of(served, visit.post("/train", sent).headers["location"])
    assert job.job.has_plan == (data == "set")


def test_a_program_is_told_the_networks_that_the_form_offers(visit: Visit) -> None:
    page = visit.shown("/train?modality=us&anatomy=breast&n=20")
    choice = re.search(r'<select id="backbone".*?</select>', page, re.S)
    assert choice is not None
    offered = re.findall(r"<option[^>]*>([^<]+)</option>", choice[0])
    found = visit.get("/api/backbones?per_page=500").json()
    assert found["items"] == [name for name in offered if name in found["items"]]
    assert len(found["items"]) == found["total"] == choice[0].count("<option") - 1
    further = visit.get("/api/backbones?per_page=3&page=2").json()
    assert further["items"] == found["items"][3:6]


@pytest.mark.usefixtures("images")
def test_an_edited_plan_is_what_is_carried_out(visit: Visit, served: Settings) -> None:
    edited = plan_of(epochs=7).model_dump_json()
    found = visit.post("/train", ASKED | {"plan": edited, "shown": "another", "seed": "5"})
    job = job_of(served, found.headers["location"])
    assert '"epochs": 7' in job.plan_file.read_text(encoding="utf-8")
    assert job.job.wanted is not None
    assert job.job.wanted.wishes.seed == 5


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"plan": '{"epochs": "many"}'}, "epochs: Input should be a valid integer"),
        ({"plan": "no plan"}, "the plan is not valid"),
        ({"epochs": "0"}, "epochs: found 0"),
        ({"epochs": "three"}, "epochs: found three"),
        ({"approach": "by_magic"}, "approach: found by_magic"),
        ({"approach": "feature_extractor", "gradual": "true"}, "gradual and layer_decay are for"),
        ({"modality": "telepathy"}, "unknown modality"),
        ({"modality": ""}, "modality is missing"),
        ({"data": ""}, "data: missing"),
        ({"data": "../elsewhere"}, "names nothing below"),
        ({"data": "/etc"}, "names nothing below"),
        ({"device": "abacus"}, "device: found abacus"),
        ({"task": "divination"}, "task: found divination"),
    ],
)
def test_what_cannot_be_is_told_and_what_was_typed_is_kept(
    visit: Visit, served: Settings, sent: dict[str, str], said: str
) -> None:
    found = visit.post("/train", ASKED | {"n_folds": "5"} | sent)
    assert found.status_code == 400
    assert said in found.text.replace("&#39;", "'")
    assert 'name="n_folds" type="text" value="5"' in found.text
    assert not (served.runs / ".jobs").exists() or not list(Queue(served.runs).jobs())


@pytest.mark.usefixtures("images")
def test_no_file_of_weights_is_read_for_a_page(visit: Visit) -> None:
    body = {"question": ASKED, "wishes": {"weights": "/etc/passwd"}}
    assert "weights" in visit.program("POST", "/api/runs", json=body).json()["detail"]
    weights = {"path": "/etc/passwd", "sha256": "0" * 64}
    body = {"question": ASKED, "plan": json.loads(plan_of(weights=weights).model_dump_json())}
    assert visit.program("POST", "/api/runs", json=body).status_code == 400


@pytest.mark.usefixtures("images")
def test_a_program_starts_cancels_and_goes_on(visit: Visit, served: Settings) -> None:
    found = visit.program("POST", "/api/runs", json={"question": ASKED})
    assert found.status_code == 202
    run = found.json()["run"]
    assert found.json()["place"] == 1
    cancelled = visit.program("POST", f"/api/runs/{run}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert visit.program("POST", f"/api/runs/{run}/cancel").status_code == 409
    assert visit.get(f"/api/runs/{run}").json()["snapshot"]["can_resume"]
    assert visit.program("POST", f"/api/runs/{run}/resume").json()["state"] == "waiting"
    listed = visit.get("/api/runs").json()
    assert [each["run"] for each in listed["going"]] == [run]
    assert "Doe" not in json.dumps(listed)
    assert str(served.data_root) not in visit.shown(f"/runs/{run}") + json.dumps(listed)


@pytest.mark.usefixtures("images")
def test_changes_that_come_from_elsewhere_are_refused(visit: Visit, served: Settings) -> None:
    run = started(visit)
    for address in ("/train", f"{run}/cancel", f"{run}/resume", "/api/runs", f"/api{run}/cancel"):
        assert visit.client.post(address, data=ASKED).status_code == 403
    assert job_of(served, run).state == "waiting"


@pytest.mark.usefixtures("images")
def test_a_full_queue_is_told(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evtl.jobs.queue.MOST_WAITING", 1)
    started(visit)
    found = visit.post("/train", ASKED)
    assert found.status_code == 409
    assert "1 trainings wait already" in found.text


@pytest.mark.usefixtures("images")
def test_a_place_that_cannot_be_written_is_told(visit: Visit, served: Settings) -> None:
    served.runs.rmdir()
    served.runs.write_text("no folder", encoding="utf-8")
    found = visit.post("/train", ASKED)
    assert found.status_code == 400
    assert "cannot be written" in found.text
    assert visit.get("/runs").status_code == 200


def test_a_run_of_the_command_line_is_listed_and_shown(visit: Visit, served: Settings) -> None:
    run_folder(served)
    listed = visit.shown("/runs")
    assert '<a href="/runs/by-hand">2026-01-01 12:00</a>' in listed
    assert "frozen feature extractor" in listed
    shown = visit.shown("/runs/by-hand")
    assert "0.900" in shown
    assert "few images" in shown
    assert "&lt;b&gt;benign&lt;/b&gt;" in shown
    assert visit.get("/api/runs/by-hand").json()["history"] == [{"epoch": 1, "train_loss": None}]
    assert 'title="Report of run by-hand" sandbox' in shown


def test_the_report_may_do_nothing_but_be_looked_at(visit: Visit, served: Settings) -> None:
    run_folder(served)
    found = visit.get("/runs/by-hand/report")
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "sandbox" in policy.split("; ")
    assert "script" not in policy
    assert found.headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize("name", ["plan.json", "result.json", "report.html", "history.jsonl"])
def test_files_are_handed_out_to_keep_not_to_show(
    visit: Visit, served: Settings, name: str
) -> None:
    folder = run_folder(served)
    found = visit.get(f"/runs/by-hand/files/{name}")
    assert found.content == (folder / name).read_bytes()
    assert found.headers["content-disposition"] == f'attachment; filename="by-hand-{name}"'
    assert found.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "name",
    ["predictions.csv", "split.csv", "begun.json", ".lock", "..%2Fplan.json", "%2e%2e",
     "head.skops", "%2Fetc%2Fpasswd", "plan.json%00", "model.safetensors"],
)  # fmt: skip
def test_no_other_file_of_a_run_is_handed_out(visit: Visit, served: Settings, name: str) -> None:
    folder = run_folder(served)
    (folder / "head.skops").symlink_to("/etc/passwd")
    for base in ("/runs", "/api/runs"):
        found = visit.get(f"{base}/by-hand/files/{name}")
        assert found.status_code == 404
        assert "Doe" not in found.text


@pytest.mark.parametrize(
    "name",
    ["%2e%2e", "..%2f..%2fetc", "%2Fetc", ".jobs", "absent", "linked", "a%00b", "%ED%A0%80",
     "images", "x" * 200],
)  # fmt: skip
def test_what_is_no_run_is_not_found_whatever_it_is_called(
    visit: Visit, served: Settings, name: str
) -> None:
    outside = run_folder(served).rename(served.runs.parent / "outside")
    (served.runs / "linked").symlink_to(outside)
    (served.runs / "images").mkdir()
    for rest in ("", "/events", "/report", "/files/plan.json"):
        assert visit.get(f"/api/runs/{name}{rest}").status_code in {404, 422}
        assert visit.get(f"/runs/{name}{rest}").status_code in {303, 404, 422}
    for verb in ("cancel", "resume"):
        assert visit.program("POST", f"/api/runs/{name}/{verb}").status_code in {404, 405, 422}
    assert sorted(path.name for path in outside.iterdir()) == [
        "history.jsonl", "plan.json", "predictions.csv", "report.html", "result.json",
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["", "[]", "{", '{"metrics": 3}', "\x00"])
def test_a_run_folder_that_is_broken_is_shown_as_far_as_it_can_be(
    visit: Visit, served: Settings, content: str
) -> None:
    folder = run_folder(served)
    for name in ("result.json", "plan.json", "history.jsonl"):
        (folder / name).write_text(content, encoding="utf-8")
    assert visit.get("/runs/by-hand").status_code == 200
    assert visit.get("/api/runs/by-hand").status_code == 200
    assert visit.get("/runs").status_code == 200


def test_a_failure_names_what_the_form_has_for_it(visit: Visit, served: Settings) -> None:
    run_folder(served, status="failed", error="or --allow-leakage; evtl train --resume RUN")
    shown = unescape(visit.shown("/runs/by-hand"))
    assert "or “Train even where test images were trained on”; evtl train --resume RUN" in shown


def test_images_elsewhere_are_not_gone_on_with_from_a_page(visit: Visit, served: Settings) -> None:
    folder = run_folder(served, status="failed", error="no memory")
    (folder / "begun.json").write_text(json.dumps({"data": "/etc"}), encoding="utf-8")
    assert "Go on with it" in visit.shown("/runs/by-hand")
    found = visit.post("/runs/by-hand/resume")
    assert found.status_code == 409
    assert "evtl train --resume" in found.text
    assert served.data_root is not None
    data = json.dumps({"data": str(served.data_root)})
    (folder / "begun.json").write_text(data, encoding="utf-8")
    assert visit.post("/runs/by-hand/resume").headers["location"] == "/runs/by-hand"
    assert job_of(served, "/runs/by-hand").state == "waiting"


def test_runs_that_ship_are_listed_a_page_at_a_time(visit: Visit) -> None:
    found = visit.get("/api/shipped-runs?per_page=3").json()
    assert len(found["items"]) == 3
    assert found["total"] > 100
    assert found["items"][0]["dataset"] in visit.shown("/runs?shipped=true&per_page=3")


def test_events_tell_what_happens_and_end_when_the_run_does(
    visit: Visit, served: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_folder(served)
    found = visit.get("/runs/by-hand/events")
    assert found.headers["content-type"].startswith("text/event-stream")
    kinds = re.findall(r"^event: (\w+)$", found.text, re.M)
    assert kinds == ["line", "state"]
    again = visit.get("/api/runs/by-hand/events", headers={"last-event-id": "1"})
    assert re.findall(r"^event: (\w+)$", again.text, re.M) == ["state"]
    (folder / "history.jsonl").write_text("", encoding="utf-8")
    anew = visit.get("/api/runs/by-hand/events", headers={"last-event-id": "1"})
    assert re.findall(r"^event: (\w+)$", anew.text, re.M) == ["anew", "state"]
    monkeypatch.setattr("evtl.web.watching.MOST_STREAMS", 0)
    assert visit.get("/api/runs/by-hand/events").status_code == 503


@pytest.mark.usefixtures("images")
def test_the_live_page_tells_how_far_it_is_without_scripts(visit: Visit, served: Settings) -> None:
    from evtl.jobs import locks  # noqa: PLC0415

    address = started(visit)
    job = job_of(served, address)
    job.keep("started.json", Started(n=1, at="2026-01-01T12:00:00+00:00"))
    now = time.time()
    progress = Progress(stage="training", done=30, total=90, first=10, began=now - 40, at=now)
    job.keep("progress.json", progress)
    with locks.alone(job.lock):
        shown = visit.shown(address)
        snapshot = visit.get(f"/api{address}").json()["snapshot"]
    assert snapshot["state"] == "running"
    assert 100 < snapshot["left_s"] <= 120
    assert snapshot["left_is_least"]
    assert 'max="90" value="30"' in shown
    assert "30 of 90" in shown
    assert "at least 2 min left" in shown
    assert '<meta http-equiv="refresh" content="5">' in shown
