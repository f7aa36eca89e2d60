"""From a folder of images to a run, predictions and a record: each approach, real weights."""

import contextlib
import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from evidence import queries, questions
from evidence.errors import EvtlError
from evidence.store import Store
from evtl.cli import app
from tests.unit.trainer.toys import LITE0, no_network, plan_of
from trainer.applying.prediction import find_files
from trainer.applying.trained import load_model
from trainer.backbones import build_backbone
from trainer.errors import TrainingError
from trainer.images import read_images
from trainer.runs import RunFolder
from trainer.synthetic import write_sample
from trainer.training import train
from trainer.weights import find_weights

APPROACHES = [
    ("feature_extractor", "linear"),
    ("feature_extractor_hybrid", "svm"),
    ("feature_extractor_hybrid", "random_forest"),
    ("feature_extractor_hybrid", "knn"),
    ("feature_extractor_hybrid", "lda"),
    ("fine_tuning_from_scratch", "linear"),
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "images"
    write_sample(folder, n_images=60, seed=0)
    return folder


def evtl(*words: object) -> str:
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.mark.parametrize(("approach", "head"), APPROACHES)
def test_each_approach_trains_measures_and_predicts_what_it_measured(
    store: Store, sample: Path, tmp_path: Path, approach: str, head: str
) -> None:
    tuned = approach == "fine_tuning_from_scratch"
    plan = plan_of(
        approach=approach, head=head, augmentation="online" if tuned else "none", epochs=1
    )
    plan_file, run = tmp_path / "edited.json", tmp_path / "run"
    plan_file.write_text(plan.model_dump_json(), encoding="utf-8")
    text = evtl("train", sample, "--plan", plan_file, "--out", run, "--device", "cpu")
    assert "auc" in text
    assert str(run) in text
    result = RunFolder(run).read_result()
    assert (result.status, result.approach, result.head) == ("finished", approach, head)
    assert {"accuracy", "balanced_accuracy", "auc", "sensitivity", "specificity"} <= set(
        result.metrics["test"]
    )
    assert result.positive_class == "malignant"

    with (run / "split.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["group"], set()).add(row["part"])
    assert all(len(parts) == 1 for parts in sides.values())

    tested = [row for row in rows if row["part"] == "test"]
    files = [sample / row["file"] for row in tested]
    found = json.loads(evtl("predict", run, *files, "--format", "json"))
    right = [p["predicted"] == row["label"] for p, row in zip(found, tested, strict=True)]
    assert np.mean(right) == pytest.approx(result.metrics["test"]["accuracy"].value, abs=1e-6)
    assert all(sum(p["probabilities"].values()) == pytest.approx(1, abs=1e-5) for p in found)
    assert [record.run_id for record in queries.runs(store)] == [result.run_id]


def test_one_command_recommends_trains_and_records(
    either: Store, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("trainer.backbones.fetch_weights", no_network)
    run = tmp_path / "run"
    text = evtl(
        "train", sample, "--modality", "sonography", "--anatomy", "breast", "--out", run,
        "--goal", "accuracy", "--approaches", "frozen",
        "--candidates", "convnext_tiny,efficientnet_lite2",
    )  # fmt: skip
    result = RunFolder(run).read_result()
    assert result.backbone == "EfficientNet-Lite2" != result.backbone_recommended
    assert f"instead of {result.backbone_recommended}" in text
    assert "cannot be fetched (no network)" in result.fallback_reason
    assert "sha256:" in result.weights
    assert {path.name for path in run.iterdir() if path.stat().st_size > 0} == {
        "begun.json", "plan.json", "fingerprint.json", "split.csv", "history.jsonl",
        "predictions.csv", "result.json", "model.safetensors", "report.html", "MODEL_CARD.md",
    }  # fmt: skip
    assert "EfficientNet-Lite2" in evtl("runs")
    (record,) = queries.runs(either)
    assert (record.modality, record.anatomy, record.n_images) == ("ultrasound", "breast", 60)
    assert record.backbone_recommended == result.backbone_recommended
    sql = "select split, metric, value from run_metric where metric = 'auc'"
    assert questions.question(either, sql).rows[0][:2] == ("test", "auc")
    costs = json.loads(
        evtl("recommend", "--modality", "us", "--n", "60", "--approaches", "frozen", "--json")
    )["ranking"]
    assert costs[0]["cost"]["seconds"] > 0


def test_epochs_that_a_frozen_backbone_has_no_use_for_are_told(
    store: Store, sample: Path, tmp_path: Path
) -> None:
    assert store.path.exists()
    plan_file = tmp_path / "plan.json"
    plan_file.write_text(plan_of().model_dump_json(), encoding="utf-8")
    words = ("train", sample, "--plan", plan_file, "--out", tmp_path / "run", "--epochs", 3)
    assert "--epochs was not used" in evtl(*words)


def test_the_same_seed_gives_the_same_model(sample: Path, tmp_path: Path) -> None:
    images = read_images(sample)
    results = [train(plan_of(7), images, tmp_path / n, device="cpu")[0] for n in ("a", "b")]
    assert results[0].metrics == results[1].metrics
    assert results[0].digests == results[1].digests
    other, _ = train(plan_of(8), images, tmp_path / "c", device="cpu")
    assert other.digests["model"] != results[0].digests["model"]


def test_frozen_weights_are_kept_as_they_came(sample: Path, tmp_path: Path) -> None:
    _, folder = train(plan_of(), read_images(sample), tmp_path / "run", device="cpu")
    kept = load_file(folder.path / "model.safetensors")
    weights = find_weights(LITE0)
    came = build_backbone(LITE0, weights).state_dict()
    assert {f"backbone.{name}" for name in came} | {"head.weight", "head.bias"} == set(kept)
    assert all(torch.equal(kept[f"backbone.{name}"], value) for name, value in came.items())


def test_a_failed_run_says_why_and_is_recorded_as_failed(
    store: Store, sample: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    shutil.copytree(sample, images)
    victim = sorted((images / "malignant").iterdir())[0]
    victim.write_bytes(b"broken")
    plan_file, run = tmp_path / "plan.json", tmp_path / "run"
    plan_file.write_text(plan_of(max_unreadable=0).model_dump_json(), encoding="utf-8")
    words = ["train", str(images), "--plan", str(plan_file), "--out", str(run)]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, EvtlError)
    assert victim.name in str(error)
    result = RunFolder(run).read_result()
    assert result.status == "failed"
    # What is recorded names no file, which may be called like a patient.
    assert "1 of 60 images cannot be read" in result.error
    assert victim.name not in result.error
    with pytest.raises(TrainingError, match="did not finish"):
        load_model(run)
    assert [(r.status, r.error) for r in queries.runs(store)] == [("failed", result.error)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_ended_says_so_in_its_folder(
    store: Store, sample: Path, tmp_path: Path, number: signal.Signals
) -> None:
    plan = plan_of(approach="fine_tuning_from_scratch", augmentation="online", epochs=500)
    plan_file, run = tmp_path / "plan.json", tmp_path / "run"
    plan_file.write_text(plan.model_dump_json(), encoding="utf-8")
    words = ["train", str(sample), "--plan", str(plan_file), "--out", str(run)]
    # Shells start what runs in the background with Ctrl-C ignored.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    process = subprocess.Popen(
        [sys.executable, "-c", heard + "from evtl.cli import main; main()", *words],
        env=os.environ | {"EVTL_DATABASE_URL": f"sqlite:///{store.path}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (run / "history.jsonl").exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"ended by itself: {process.wait(timeout=0.1)}")
    process.send_signal(number)
    _, message = process.communicate()
    assert process.returncode not in {0, -number}
    assert "Traceback" not in message
    result = RunFolder(run).read_result()
    assert result.status == "failed"
    history = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in history] == list(range(1, len(history) + 1))
    assert [record.status for record in queries.runs(store)] == ["failed"]


def test_a_folder_that_holds_something_is_not_written_to(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(TrainingError, match="not empty"):
        train(plan_of(), read_images(sample), tmp_path, device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--modality", "us", "--n", "7"), "--n says 7, the data hold 60"),
        (("--modality", "us", "--classes", "5"), "--classes says 5, the data hold 2"),
        (("--modality", "us", "--task", "regression"), "is no finite number"),
        (("--modality", "us", "--device", "cuda"), "no CUDA device"),
        (("--modality", "us", "--epochs", "0"), "epochs"),
        ((), "--modality is missing"),
        (("--modality", "us", "--anatomy", ""), "unknown anatomy"),
        (("--plan", "none.json"), "none.json"),
        (("--plan", "none.json"), "plan none.json: No such file"),
    ],
)
def test_options_that_contradict_the_data_are_refused(
    store: Store,
    sample: Path,
    words: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert store.path.exists()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    error = CliRunner().invoke(app, ["train", str(sample), *words]).exception
    assert isinstance(error, EvtlError)
    assert message in str(error)


def test_predict_refuses_what_is_no_run_and_no_image(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run folder"):
        load_model(tmp_path)
    _, folder = train(plan_of(), read_images(sample), tmp_path / "run", device="cpu")
    with pytest.raises(TrainingError, match="no such file"):
        find_files([tmp_path / "none.png"])
    with pytest.raises(TrainingError, match="holds no images"):
        find_files([folder.path])
    kept = load_file(folder.path / "model.safetensors")
    kept["head.bias"] += 1
    save_file(kept, folder.path / "model.safetensors")
    with pytest.raises(TrainingError, match="not the one that the run wrote"):
        load_model(folder.path)
    (folder.path / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="cannot be read"):
        load_model(folder.path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"classes": ["benign"]}, "names 1 classes, the model has others"),
        ({"planned_backbone": LITE0.model_dump() | {"model": "resnet5O"}}, "no model 'resnet5O'"),
        ({"planned_backbone": LITE0.model_dump() | {"library": "torchvision"}}, "not carried out"),
        ({"seed": "many"}, "cannot be read"),
    ],
)
def test_a_tampered_result_is_refused(
    sample: Path, tmp_path: Path, edit: dict[str, object], message: str
) -> None:
    _, folder = train(plan_of(), read_images(sample), tmp_path / "run", device="cpu")
    path = folder.path / "result.json"
    content = json.loads(path.read_text(encoding="utf-8")) | edit
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(TrainingError, match=message):
        load_model(folder.path)


def test_a_full_disk_is_one_message_and_leaves_nothing_half_written(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("trainer.places.os.fsync", full)
    with pytest.raises(TrainingError, match="No space left on device"):
        train(plan_of(), read_images(sample), tmp_path / "run", device="cpu")
    assert list((tmp_path / "run").iterdir()) == []


DATA = os.environ.get("EVTL_TEST_DATA", "")


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(not (Path(DATA) / "busi_breast_us").is_dir(),
                    reason="EVTL_TEST_DATA names no folder with busi_breast_us")  # fmt: skip
def test_breast_ultrasound_reaches_a_macro_auc_of_0_92(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mean of three seeds on the held-out part, embedded weights, frozen as it was asked for.

    A third of these images have near-duplicates, which are kept on one side: what the layer before
    the classifier tells gives 0.91 then, the ends of the last stages 0.94.
    """
    assert store.path.exists()
    monkeypatch.setattr("trainer.backbones.fetch_weights", no_network)
    values = []
    for seed in range(3):
        run = tmp_path / str(seed)
        evtl("train", Path(DATA) / "busi_breast_us", "--modality", "ultrasound", "--anatomy",
             "breast", "--approaches", "frozen", "--seed", seed, "--out", run)  # fmt: skip
        result = RunFolder(run).read_result()
        assert result.approach == "feature_extractor"
        values.append(result.metrics["test"]["auc"].value)
    assert np.mean([value for value in values if value is not None]) >= 0.92
