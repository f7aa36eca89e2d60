"""From a finished run to its report and card, with nothing but the run folder."""

import re
import shutil
from pathlib import Path

import pytest

from tests.unit.trainer.reporting import result_of
from tests.unit.trainer.toys import plan_of
from trainer.errors import TrainingError
from trainer.images import read_images
from trainer.reporting import ideals, run_report
from trainer.reporting.run_report import CARD_FILE, NO_MAPS, REPORT_FILE, write_run_report
from trainer.runs import RunFolder
from trainer.synthetic import write_sample
from trainer.training import train

Run = tuple[Path, Path]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("trained")
    write_sample(place / "images", n_images=60, seed=0)
    plan = plan_of(sensitivity=0.5)
    train(plan, read_images(place / "images"), place / "run", device="cpu")
    return place / "images", place / "run"


@pytest.fixture(autouse=True)
def few_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs time, in small."""
    monkeypatch.setattr(ideals, "N_STEPS", 2)
    monkeypatch.setattr(run_report, "N_CASES", 1)


def report(run: Path) -> str:
    write_run_report(RunFolder(run), device="cpu")
    return (run / REPORT_FILE).read_text(encoding="utf-8")


def test_a_run_is_shown_with_its_plots_maps_and_card(trained: Run) -> None:
    page = report(trained[1])
    alts = re.findall(r'alt="([^"]*)"', page)
    for expected in ("confusion matrix", "ROC", "precision and recall", "calibration", "history"):
        assert any(alt.startswith(f"Plot: {expected}") for alt in alts), expected
    assert any(alt.startswith("CAM: ") for alt in alts)
    assert any(alt.startswith("guided backpropagation: ") for alt in alts)
    assert "Operating point:" in page
    assert "synthetic-patient" not in page
    assert str(trained[0]) not in page
    card = (trained[1] / CARD_FILE).read_text(encoding="utf-8")
    assert card.startswith("---\n")
    assert "synthetic-patient" not in card


def test_what_takes_a_while_is_told_one_by_one(trained: Run) -> None:
    told: list[tuple[str, int, int]] = []
    write_run_report(
        RunFolder(trained[1]), device="cpu", progress=lambda *where: told.append(where)
    )
    done = [done for _, done, _ in told[1:-1]]
    assert len(done) > 3
    assert done == sorted(set(done))
    assert told == [("report", 0, 1), *(("report", k, done[-1]) for k in done), ("report", 1, 1)]


def test_the_same_run_gives_the_same_bytes(trained: Run) -> None:
    first = report(trained[1])
    card = (trained[1] / CARD_FILE).read_bytes()
    assert report(trained[1]) == first
    assert (trained[1] / CARD_FILE).read_bytes() == card


def test_without_its_images_a_run_is_shown_without_maps(trained: Run, tmp_path: Path) -> None:
    shutil.copytree(trained[1], tmp_path / "run")
    begun = tmp_path / "run" / "begun.json"
    begun.write_text(begun.read_text().replace(str(trained[0]), str(tmp_path / "gone")))
    page = report(tmp_path / "run")
    assert NO_MAPS in page
    assert 'alt="CAM' not in page
    assert str(tmp_path) not in page


def test_a_traditional_head_is_explained_by_occlusion(trained: Run, tmp_path: Path) -> None:
    plan = plan_of(approach="feature_extractor_hybrid", head="knn")
    train(plan, read_images(trained[0]), tmp_path / "run", device="cpu")
    page = report(tmp_path / "run")
    assert 'alt="occlusion: ' in page
    assert "all features" in page


def test_a_run_that_failed_has_a_report_that_says_why(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.write_plan(plan_of())
    folder.write_result(result_of(status="failed", error="the disk is full", metrics={}))
    assert "The run failed: the disk is full" in report(folder.path)


def test_maps_can_be_left_out(trained: Run) -> None:
    write_run_report(RunFolder(trained[1]), device="cpu", maps=False)
    page = (trained[1] / REPORT_FILE).read_text(encoding="utf-8")
    assert 'alt="CAM' not in page
    assert "Plot: ROC" in page


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no run folder"):
        write_run_report(RunFolder(tmp_path))
