"""evtl predict and evtl export on runs that were trained from images."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import timm
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from evidence.errors import EvtlError
from evidence.store import Store
from evtl.cli import app
from tests.unit.trainer.model_runs import tiny
from tests.unit.trainer.toys import LITE0, no_network, plan_of
from trainer.applying.trained import load_model
from trainer.images import load_image, read_images
from trainer.measures.bootstrap import Interval
from trainer.metrics import measure
from trainer.runs import RunFolder, RunResult
from trainer.synthetic import write_sample
from trainer.training import train

DATA = Path(os.environ.get("EVTL_TEST_DATA", ""))
needs_busi = pytest.mark.skipif(
    not (DATA / "busi_breast_us").is_dir(),
    reason="EVTL_TEST_DATA names no folder with busi_breast_us",
)
TINY = tiny()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "images"
    write_sample(folder, n_images=60, seed=0)
    return folder


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of the smallest network, as if they came from a pretraining."""
    torch.manual_seed(0)
    network = timm.create_model(TINY.model, pretrained=False)
    (tmp_path / "weights").mkdir()
    save_file(network.state_dict(), tmp_path / "weights" / f"{TINY.model}.safetensors")
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path / "weights"))


def trained(sample: Path, run: Path, **fields: object) -> Path:
    plan = plan_of(0, **{"backbone": TINY, "epochs": 1, "batch_size": 8, **fields})
    train(plan, read_images(sample), run, device="cpu")
    return run


def evtl(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def held_out_rows(run: Path) -> list[dict[str, str]]:
    with (run / "split.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["part"] == "test"]


def measured_again(run: Path, tested: list[dict[str, str]], answers: str) -> dict[str, Interval]:
    """Metrics of the answers of evtl predict, by the labels and groups of the split."""
    labels = load_model(run).labels
    rows = rows_of(answers)
    predictions = np.array([[float(row[f"p_{name}"]) for name in labels.names] for row in rows])
    targets = labels.encode([row["label"] for row in tested])
    groups = [row["group"] or str(number) for number, row in enumerate(tested)]
    return measure(targets, predictions, labels, groups, 0).overall


def same(found: dict[str, Interval], result: RunResult) -> None:
    expected = result.metrics["test"]
    assert found.keys() == expected.keys()
    for name, interval in expected.items():
        assert found[name].value == pytest.approx(interval.value, abs=2e-5), name


@pytest.mark.usefixtures("weights", "store")
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"approach": "feature_extractor_hybrid", "head": "lda"},
        {"approach": "feature_extractor_hybrid", "head": "knn", "sensitivity": 0.8},
        {"approach": "fine_tuning_from_scratch", "augmentation": "online"},
    ],
)
def test_predictions_of_the_test_images_measure_as_the_run_did(
    sample: Path, tmp_path: Path, fields: dict[str, Any]
) -> None:
    run = trained(sample, tmp_path / "run", **fields)
    tested = held_out_rows(run)
    out = tmp_path / "answers.csv"
    found = evtl("predict", run, *(sample / row["file"] for row in tested), "--out", out)
    assert (found.exit_code, found.stdout) == (0, "")
    result = RunFolder(run).read_result()
    same(measured_again(run, tested, out.read_text(encoding="utf-8")), result)
    point = result.operating_point
    rows = rows_of(out.read_text(encoding="utf-8"))
    assert ("at_operating_point" in rows[0]) == (point is not None and point.threshold is not None)
    if point is not None and point.threshold is not None:
        called = [row["at_operating_point"] == point.positive for row in rows]
        positive = np.array([row["label"] == point.positive for row in tested])
        sensitivity = np.array(called)[positive].mean()
        assert sensitivity == pytest.approx(point.metrics["sensitivity"].value)
        assert point.statement in found.stderr


@pytest.mark.usefixtures("weights", "store")
def test_unreadable_images_are_rows_and_lines_and_only_then_a_failure(
    sample: Path, tmp_path: Path
) -> None:
    run, new = trained(sample, tmp_path / "run"), tmp_path / "new"
    new.mkdir()
    good = (sample / read_images(sample).files[0]).read_bytes()
    (new / "=1+1.png").write_bytes(good)
    (new / "broken.png").write_bytes(good[:50])
    found = evtl("predict", run, new)
    assert found.exit_code == 0
    first, second = rows_of(found.stdout)
    assert (Path(first["file"]).name, first["problem"]) == ("=1+1.png", "")
    assert sum(float(first[f"p_{name}"]) for name in ("benign", "malignant")) == pytest.approx(1)
    assert second["problem"]
    assert (second["predicted"], second["p_benign"]) == ("", "")
    assert f"broken.png cannot be read: {second['problem']}" in found.stderr
    assert "1 of 2 images cannot be read" in found.stderr
    assert evtl("predict", run, new, "--strict").exit_code == 1
    assert evtl("predict", run, new / "broken.png").exit_code == 1
    in_json = json.loads(evtl("predict", run, new, "--format", "json").stdout)
    assert [row["problem"] for row in in_json] == ["", second["problem"]]
    assert list(in_json[0]["probabilities"]) == ["benign", "malignant"]


@pytest.mark.usefixtures("weights", "store")
def test_pictures_are_named_in_the_answers(sample: Path, tmp_path: Path) -> None:
    run, pictures = trained(sample, tmp_path / "run"), tmp_path / "pictures"
    files = [sample / row["file"] for row in held_out_rows(run)[:3]]
    found = rows_of(evtl("predict", run, *files, "--explain", pictures).stdout)
    assert len(found) == 3
    assert all((pictures / row["explanation"]).stat().st_size for row in found)
    again = evtl("predict", run, *files, "--explain", pictures)
    assert isinstance(again.exception, EvtlError)
    assert "is not empty" in str(again.exception)


@pytest.mark.usefixtures("weights", "store")
def test_a_place_that_cannot_be_written_to_is_one_message(sample: Path, tmp_path: Path) -> None:
    run = trained(sample, tmp_path / "run", features="last")
    found = evtl("predict", run, sample, "--out", tmp_path)
    assert isinstance(found.exception, EvtlError)
    assert "it is a folder; name a file" in str(found.exception)
    found = evtl("export", run, run, "--to", "hub")
    assert isinstance(found.exception, EvtlError)
    assert "name a new one" in str(found.exception)


@pytest.mark.usefixtures("weights", "store")
def test_a_run_goes_to_onnx_and_to_the_hub_by_one_command_each(
    sample: Path, tmp_path: Path
) -> None:
    run = trained(sample, tmp_path / "run", features="last")
    found = evtl("export", run, tmp_path / "m.onnx", "--to", "onnx", "--check", sample)
    assert found.exit_code == 0, found.output
    assert "differs from the run's own model by" in found.stdout
    found = evtl("export", run, tmp_path / "hub", "--to", "hub")
    assert found.exit_code == 0, found.output
    agree(run, sorted(sample.rglob("*.png"))[:5], tmp_path)


def agree(run: Path, files: list[Path], place: Path) -> None:
    """Run, ONNX file and folder for the hub say the same of images."""
    model = load_model(run)
    pixels = np.stack([load_image(path, model.steps) for path in files])
    own = model.answers(pixels, torch.device("cpu"))
    session = onnxruntime.InferenceSession(place / "m.onnx")
    (of_onnx, _logits) = session.run(None, {"images": pixels})
    assert of_onnx == pytest.approx(own, abs=1e-4)
    loaded = timm.create_model(f"local-dir:{place / 'hub'}", pretrained=True).eval()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (model.steps.mean, model.steps.std))
    normal = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std
    with torch.inference_mode():
        of_timm = loaded(normal).softmax(1).numpy()
    assert of_timm == pytest.approx(own, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "onnx"), "which run?"),
        (("--check", "x"), "which run?"),
        (("run", "out"), "name what is written, and as what"),
        (("run", "--to", "onnx"), "name what is written, and as what"),
        (("run", "out", "--to", "hub", "--check", "x"), "a folder is checked without"),
        (("run", "--format", "csv"), "are for the corpus"),
        (("run", "out", "--to", "pickle"), "pickle"),
    ],
)
def test_words_of_export_that_do_not_go_together_are_refused(
    words: tuple[str, ...], message: str
) -> None:
    found = evtl("export", *words)
    assert found.exit_code == 2
    assert message in " ".join(found.stderr.split())


@pytest.mark.data
@pytest.mark.slow
@needs_busi
@pytest.mark.parametrize("tuned", [False, True])
def test_breast_ultrasound_is_predicted_as_measured_and_exported(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuned: bool
) -> None:
    """Frozen, and a short fine-tuning of a third of the images; embedded weights."""
    assert store.path.exists()
    monkeypatch.setattr("trainer.backbones.fetch_weights", no_network)
    images = read_images(DATA / "busi_breast_us")
    fields: dict[str, Any] = {"backbone": LITE0, "features": "last"}
    if tuned:
        images = images.pick(range(0, len(images.files), 3))
        fields |= {"approach": "fine_tuning_from_scratch", "augmentation": "online", "epochs": 1}
    run = tmp_path / "run"
    train(plan_of(0, **fields), images, run, device="cpu")
    tested = held_out_rows(run)
    files = [DATA / "busi_breast_us" / row["file"] for row in tested]
    same(
        measured_again(run, tested, evtl("predict", run, *files).stdout),
        RunFolder(run).read_result(),
    )
    checked = evtl("export", run, tmp_path / "m.onnx", "--to", "onnx", "--check", files[0].parent)
    assert checked.exit_code == 0, checked.output
    assert evtl("export", run, tmp_path / "hub", "--to", "hub").exit_code == 0
    agree(run, files[:20], tmp_path)
