"""What a kill left undone is done by --resume; no file of a run names the folder of the images."""

from pathlib import Path

import pytest

from evidence import queries
from evidence.store import Store
from tests.integration.commands import evtl, refused
from tests.unit.trainer.toys import plan_of
from trainer.reporting import ideals, run_report
from trainer.runs import RunFolder
from trainer.synthetic import write_sample


def train(tmp_path: Path, *words: str) -> Path:
    write_sample(tmp_path / "Doe, Jane" / "images", n_images=30, seed=0)
    plan, run = tmp_path / "plan.json", tmp_path / "run"
    plan.write_text(plan_of().model_dump_json(), encoding="utf-8")
    images = str(tmp_path / "Doe, Jane" / "images")
    evtl("train", images, "--plan", str(plan), "--device", "cpu", "--out", str(run), *words)
    return run


@pytest.fixture(autouse=True)
def few_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs time, in small."""
    monkeypatch.setattr(ideals, "N_STEPS", 2)
    monkeypatch.setattr(run_report, "N_CASES", 1)


def test_a_run_killed_after_its_result_is_completed(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = train(tmp_path)
    whole = {path.name: path.read_bytes() for path in run.iterdir()}
    for name, content in whole.items():
        assert (b"Jane" in content) == (name == "begun.json"), name
    for name in ("report.html", "MODEL_CARD.md"):
        (run / name).unlink()
    (run / "splits" / "3").mkdir(parents=True)
    (run / ".report.html.17.tmp").touch()
    with store.begin() as connection:
        connection.exec_driver_sql("delete from run_metric")
        connection.exec_driver_sql("delete from run")
    with RunFolder(run).alone():
        message = refused(monkeypatch, capsys, "train", "--resume", str(run))
    assert "another process works on this run" in message
    evtl("train", "--resume", str(run))
    assert {path.name: path.read_bytes() for path in run.iterdir()} == whole
    (record,) = queries.runs(store)
    assert record.run_id == RunFolder(run).read_result().run_id
    assert "Jane" not in record.model_dump_json()


@pytest.mark.usefixtures("store")
def test_an_edited_plan_of_a_stopped_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tmp_path)
    (run / "result.json").unlink()  # as if it had been stopped
    plan = RunFolder(run).read_plan()
    RunFolder(run).write_plan(plan.model_copy(update={"seed": 7}))
    message = refused(monkeypatch, capsys, "train", "--resume", str(run))
    assert "is not the plan that the run was begun with" in message


@pytest.mark.usefixtures("store")
def test_predictions_that_were_changed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tmp_path)
    with (run / "predictions.csv").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    message = refused(monkeypatch, capsys, "report", str(run))
    assert "predictions.csv is not what the run wrote" in message


def test_reading_that_is_too_slow_for_the_budget_is_one_message_and_a_failed_run(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Exception, match="budget of 1e-05 min does not suffice"):
        train(tmp_path, "--budget", "0.00001")
    (record,) = queries.runs(store)
    assert record.status == "failed"
    assert "budget" in record.error
