"""What torchrun starts is one run: one folder, one answer, one record, one message."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evidence import queries
from evidence.store import Store
from tests.unit.trainer.crewed import LENET, RUNS
from tests.unit.trainer.toys import plan_of
from trainer.synthetic import write_sample

ROOT = Path(__file__).parents[2]
LAUNCHED = (
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
    "-m", "evtl", "train",
)  # fmt: skip


def launched(place: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command in two processes, in a folder of its own."""
    write_sample(place / "images", n_images=40, seed=0)
    command = [*LAUNCHED, "images", "--plan", "plan.json", "--device", "cpu", *map(str, words)]
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=place, env=os.environ | own, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_two_launched_processes_leave_one_run_and_one_record(store: Store, tmp_path: Path) -> None:
    plan = plan_of(**RUNS["tuned"] | {"n_folds": 0, "epochs": 1})
    (tmp_path / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    found = launched(tmp_path, "--json")
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    assert (result["status"], result["device"]) == ("finished", "2 x cpu")
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name == result["run_id"]
    assert (run / "report.html").is_file()
    assert [record.run_id for record in queries.runs(store)] == [result["run_id"]]


@pytest.mark.slow
def test_what_two_launched_processes_cannot_do_is_said_once(store: Store, tmp_path: Path) -> None:
    fields = RUNS["tuned"] | {"backbone": LENET, "batch_size": 1}
    (tmp_path / "plan.json").write_text(plan_of(**fields).model_dump_json(), encoding="utf-8")
    found = launched(tmp_path)
    assert found.returncode != 0
    assert found.stdout == ""
    assert found.stderr.count("divided among 2 processes") == 1
    assert [record.status for record in queries.runs(store)] == ["failed"]
