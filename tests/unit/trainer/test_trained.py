"""A run folder becomes the model that it trained, or says why it cannot."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from evidence.errors import EvtlError
from tests.unit.trainer.model_runs import CLASSES, GRADES, NUMBER, SEVERAL, tiny, write_run
from trainer.applying.trained import load_model
from trainer.backbones import build_backbone
from trainer.errors import TrainingError
from trainer.features import to_input
from trainer.runs import RunFolder
from trainer.targets import Labels

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), dtype=np.uint8)


@pytest.mark.parametrize("labels", [CLASSES, GRADES, SEVERAL, NUMBER])
def test_what_is_loaded_answers_as_backbone_and_head_of_the_file_do(
    tmp_path: Path, labels: Labels
) -> None:
    run = write_run(tmp_path / "run", labels)
    model = load_model(run)
    kept = load_file(run / "model.safetensors")
    backbone = build_backbone(tiny(), None).eval()
    of_backbone = {n.removeprefix("backbone."): v for n, v in kept.items() if "head" not in n}
    backbone.load_state_dict(of_backbone)
    with torch.inference_mode():
        features = backbone(to_input(PIXELS, model.steps, CPU))
    logits = features @ kept["head.weight"].T + kept["head.bias"]
    expected = labels.predict(logits.numpy())
    assert model.answers(PIXELS, CPU) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("head", ["svm", "knn", "lda"])
def test_a_head_that_is_not_linear_answers_from_features(tmp_path: Path, head: Any) -> None:
    model = load_model(write_run(tmp_path / "run", head=head))
    features = model.outputs(PIXELS, CPU).numpy()
    found = model.answers(PIXELS, CPU)
    assert found == pytest.approx(model.head.predict_proba(features))
    assert found.sum(1) == pytest.approx(np.ones(3))


def test_a_temperature_makes_answers_less_sure_and_keeps_their_order(tmp_path: Path) -> None:
    sure = load_model(write_run(tmp_path / "a")).answers(PIXELS, CPU)
    calm = load_model(write_run(tmp_path / "b", temperature=3.0)).answers(PIXELS, CPU)
    assert (calm.max(1) < sure.max(1)).all()
    assert (calm.argsort(1) == sure.argsort(1)).all()


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("plan.json", lambda plan: plan.update(epochs=7), "not the plan that the run carried out"),
        ("plan.json", lambda plan: plan.update(epochs="x"), r"plan\.json cannot be read"),
        ("result.json", lambda r: r.update(status="failed", error="no memory"), "no memory"),
        ("result.json", lambda r: r["digests"].update(model="0"), "not the one that the run wrote"),
        ("result.json", lambda r: r["labels"]["names"].pop(), "names 2 classes, the model has"),
        ("result.json", lambda r: r["labels"].update(target="ordinal"), "learns classes, result"),
        ("result.json", lambda r: r["planned_backbone"].update(model="test_vit"), "does not fit"),
    ],
)
def test_a_run_that_was_edited_is_refused(
    tmp_path: Path, file: str, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    run = write_run(tmp_path / "run")
    edit(run / file, change)
    with pytest.raises(EvtlError, match=message):
        load_model(run)


def test_a_head_that_reads_another_depth_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", features="stages")
    result = RunFolder(run).read_result()
    RunFolder(run).write_result(result.model_copy(update={"features": "last"}))
    with pytest.raises(TrainingError, match=r"the head takes \d+ features, the network gives"):
        load_model(run)


def test_a_head_of_other_classes_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", head="knn")
    edit(run / "result.json", lambda result: result["labels"]["names"].append("other"))
    with pytest.raises(TrainingError, match="names 4 classes, the model has others"):
        load_model(run)


@pytest.mark.parametrize("file", ["plan.json", "result.json", "model.safetensors"])
def test_a_run_that_lacks_a_file_is_refused_by_its_name(tmp_path: Path, file: str) -> None:
    run = write_run(tmp_path / "run")
    (run / file).unlink()
    with pytest.raises(EvtlError, match=file):
        load_model(run)


def test_a_lost_head_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", head="knn")
    (run / "head.skops").unlink()
    with pytest.raises(TrainingError, match="not the one that the run wrote"):
        load_model(run)


def test_the_plan_of_an_older_version_with_fewer_fields_is_taken(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    plan = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    del plan["budget_min"]
    older = json.dumps(plan, separators=(",", ":"))
    (run / "plan.json").write_text(older, encoding="utf-8")
    digest = hashlib.sha256(older.encode()).hexdigest()
    edit(run / "result.json", lambda result: result["digests"].update(plan=digest))
    assert load_model(run).plan.budget_min is None
