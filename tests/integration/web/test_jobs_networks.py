"""Plans whose network cannot be trained: refused at once, before a worker is started."""

import json

import pytest

from evtl.jobs.queue import Queue
from evtl.web.settings import Settings
from tests.integration.web.visiting import Visit
from tests.unit.trainer.toys import LITE0, plan_of


@pytest.mark.parametrize("model", ["local-dir:/x", "hf-hub:a/b", "../x", "no_such_network", ""])
def test_a_plan_of_no_network_is_refused_at_once(
    visit: Visit, served: Settings, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evtl.jobs.dispatcher.start_next", lambda _queue: None)
    assert served.data_root is not None
    (served.data_root / "set").mkdir()
    plan = plan_of(backbone=LITE0.model_copy(update={"name": "Mine", "model": model}))
    body = {"question": {"data": "set"}, "plan": json.loads(plan.model_dump_json())}
    found = visit.program("POST", "/api/runs", json=body)
    assert found.status_code == 400, found.text
    assert "allowed: " in found.json()["detail"].lower()
    assert list(Queue(served.runs).jobs()) == []
