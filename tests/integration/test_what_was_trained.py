"""The store keeps what a run trained: its weights, its blocks, the epochs that it had time for."""

import json
from pathlib import Path
from typing import Any

import pytest

from evidence import queries
from evidence.store import Store
from evtl.training_services import run_record
from recommender.plan import TrainingPlan
from tests.integration.commands import evtl
from tests.unit.trainer.toys import plan_of
from trainer.runs import RunFolder, RunResult
from trainer.synthetic import write_sample


def lines(folder: Path, found: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in found)
    (folder / "history.jsonl").write_text(text, encoding="utf-8")
    return folder


def result_of(plan: TrainingPlan) -> RunResult:
    return RunResult(
        run_id="x", status="finished", started_at="2026-01-01", seconds=1.0, seed=plan.seed,
        backbone_recommended=plan.backbone.name, approach=plan.approach, head=plan.head,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "history", "expected"),
    [
        ({}, [{"setting": "C=1", "log_loss": 0.4}], (None, "pretrained", None)),
        (
            {"approach": "fine_tuning", "n_blocks": 3, "epochs": 20},
            [{"epoch": 1}, {"epoch": 2}],
            (2, "pretrained", 3),
        ),
        (
            {"approach": "fine_tuning_from_scratch", "initialisation": "random", "epochs": 2},
            [{"epoch": 1}, {"epoch": 2}],
            (2, "random", None),
        ),
        ({"approach": "fine_tuning_from_scratch"}, [], (None, "pretrained", None)),
    ],
)
def test_a_record_says_what_was_trained(
    tmp_path: Path,
    fields: dict[str, Any],
    history: list[dict[str, Any]],
    expected: tuple[int | None, str, int | None],
) -> None:
    """A budget left time for 2 of 20 epochs; the last failed before its first."""
    plan = plan_of(**fields)
    found = run_record(result_of(plan), plan, lines(tmp_path, history))
    assert (found.epochs, found.initialisation, found.n_blocks) == expected


def test_a_training_is_stored_with_its_epochs(store: Store, tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", n_images=30, seed=0)
    plan = plan_of(
        approach="fine_tuning", n_blocks=1, epochs=1, augmentation="online", batch_size=16
    )
    (tmp_path / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    evtl(
        "train", str(tmp_path / "sample"), "--plan", str(tmp_path / "plan.json"),
        "--device", "cpu", "--out", str(tmp_path / "run"),
    )  # fmt: skip
    (record,) = queries.runs(store)
    assert (record.epochs, record.initialisation, record.n_blocks) == (1, "pretrained", 1)
    folder = RunFolder(tmp_path / "run")
    assert run_record(folder.read_result(), plan, folder.path) == record
    answer = evtl("sql", "select epochs, initialisation, n_blocks from run", "--format", "csv")
    assert answer == "epochs,initialisation,n_blocks\n1,pretrained,1\n"
