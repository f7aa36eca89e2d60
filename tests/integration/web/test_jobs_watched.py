"""From the page's button to the result: a real server, a real worker, events while it goes on."""

import json
import re
import socket
import threading
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn

from evidence import queries
from evidence.store import Store
from evtl.web.app import create_app
from evtl.web.settings import Settings
from evtl.web.watching import Watching
from tests.integration.web.trainings import BOUND_S, SMALL, Workers, sample, until
from tests.integration.web.visiting import TOKEN
from tests.unit.trainer.toys import plan_of

pytestmark = pytest.mark.slow


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    found = Workers()
    monkeypatch.setattr("evtl.jobs.dispatcher.subprocess", found)
    yield found
    found.end()


@pytest.fixture
def client(served: Settings, workers: Workers) -> Iterator[httpx2.Client]:
    """A browser's connection to a server on a port of its own."""
    assert workers.begun == []
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(served), log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with httpx2.Client(base_url=base, timeout=BOUND_S) as found:
        yield found
    server.should_exit = True
    thread.join(BOUND_S)
    listening.close()


def test_a_training_is_watched_from_the_button_to_the_result(
    client: httpx2.Client, served: Settings, store: Store
) -> None:
    assert served.data_root is not None
    sample(served.data_root / "set")
    word = re.search(r'name="csrf" value="([^"]+)"', client.get("/train").text)
    assert word is not None
    plan = plan_of(backbone=SMALL).model_dump_json()
    form = {"csrf": word[1], "plan": plan, "data": "set", "device": "cpu"}
    address = client.post("/train", data=form).headers["location"]
    with client.stream("GET", f"{address}/events") as gone:  # a browser that leaves at once
        assert gone.status_code == 200
    stages, lines = set(), []
    with client.stream("GET", f"{address}/events") as events:
        kind = ""
        for line in events.iter_lines():
            name, _, content = line.partition(": ")
            kind = content if name == "event" else kind
            if name == "data" and kind == "state":
                now = json.loads(content)
                stages.add(now["stage"])
            elif name == "data":
                lines.append(json.loads(content))
    assert now["state"] == "finished", now
    assert {"start", "features"} <= stages
    assert all("setting" in line for line in lines)
    assert len(lines) > 1
    until(lambda: not Watching.open)
    shown = client.get(address).text
    (record,) = queries.runs(store)
    auc = record.metrics["test"]["auc"]["value"]
    assert auc is not None
    assert f"{auc:.3f}" in shown
    assert f"{address}/try" in shown
    assert "<img" in client.get(f"{address}/report").text
    assert client.get(f"{address}/files/model.safetensors").status_code == 200
    assert address in client.get("/runs").text


def test_a_finished_run_is_handed_out_as_onnx(
    client: httpx2.Client, served: Settings, store: Store
) -> None:
    from trainer.images import read_images  # noqa: PLC0415  (torch)
    from trainer.training import train  # noqa: PLC0415

    assert store.path.is_file()
    assert served.data_root is not None
    images = read_images(sample(served.data_root / "set"))
    train(plan_of(backbone=SMALL), images, served.runs / "linear", device="cpu")
    found = client.get("/runs/linear/files/model.onnx")
    assert found.status_code == 200
    assert found.content == (served.runs / "linear" / "model.onnx").read_bytes()
    knn = plan_of(approach="feature_extractor_hybrid", head="knn", backbone=SMALL)
    train(knn, images, served.runs / "knn", device="cpu")
    refused = client.get("/api/runs/knn/files/model.onnx")
    assert refused.status_code == 404
    assert "linear" in refused.json()["detail"]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/api/runs/knn/resume", headers=headers).status_code == 409
