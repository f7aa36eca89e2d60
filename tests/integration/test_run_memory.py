"""The memory of a training goes from the trainer to the run folder and the store."""

import json
from pathlib import Path

import pytest

from evidence import queries
from evidence.store import Store
from tests.integration.commands import evtl
from tests.unit.trainer.toys import plan_of
from trainer.runs import RunFolder
from trainer.synthetic import write_sample
from trainer.tuning.memory import PeakMemory


def train(tmp_path: Path) -> RunFolder:
    write_sample(tmp_path / "sample", n_images=30, seed=0)
    plan = tmp_path / "plan.json"
    plan.write_text(plan_of().model_dump_json(), encoding="utf-8")
    folder = tmp_path / "run"
    evtl(
        "train", str(tmp_path / "sample"), "--plan", str(plan), "--device", "cpu",
        "--out", str(folder),
    )  # fmt: skip
    return RunFolder(folder)


def test_what_was_measured_is_recorded(
    either: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PeakMemory, "taken_mb", lambda _self: 812.5)
    assert train(tmp_path).read_result().peak_memory_mb == 812.5
    (record,) = queries.runs(either)
    assert record.peak_memory_mb == 812.5
    answer = evtl("sql", "select peak_memory_mb from run", "--format", "csv")
    assert answer == "peak_memory_mb\n812.5\n"


def test_a_run_folder_of_before_is_read(store: Store, tmp_path: Path) -> None:
    folder = train(tmp_path)
    path = folder.path / "result.json"
    cells = json.loads(path.read_text(encoding="utf-8"))
    del cells["peak_memory_mb"]
    path.write_text(json.dumps(cells), encoding="utf-8")
    assert folder.read_result().peak_memory_mb is None
    assert len(queries.runs(store)) == 1
