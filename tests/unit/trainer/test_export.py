"""An ONNX file says of bytes of images what the run's own model says, or is not written."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from evidence.vocabulary import Head
from tests.unit.trainer.model_runs import (
    CLASSES,
    GRADES,
    LENET,
    NUMBER,
    SEVERAL,
    tiny,
    write_run,
)
from trainer.applying import export
from trainer.applying.deployed import Deployed
from trainer.applying.export import export_onnx
from trainer.applying.prediction import find_files
from trainer.applying.trained import load_model
from trainer.errors import TrainingError
from trainer.targets import Labels

CPU = torch.device("cpu")
ROOT = str(Path(__file__).parents[3])


def images(n: int, px: int = LENET.input_px) -> np.ndarray:
    """Dark, bright and noisy ones."""
    rng = np.random.default_rng(n)
    found = rng.integers(0, 256, (n, px, px, 3), dtype=np.uint8)
    found[::3] //= 5
    return found


@pytest.mark.parametrize("labels", [CLASSES, GRADES, SEVERAL, NUMBER])
def test_the_file_gives_the_answers_of_the_run_for_any_number_of_images(
    tmp_path: Path, labels: Labels
) -> None:
    temperature = None if labels is NUMBER else 2.5
    model = load_model(write_run(tmp_path / "run", labels, backbone=LENET, temperature=temperature))
    difference = export_onnx(model, tmp_path / "model.onnx")
    assert 0 <= difference <= 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for n in (1, 7):
        (found, _logits) = session.run(None, {"images": images(n)})
        assert found == pytest.approx(model.answers(images(n), CPU), abs=1e-4, rel=1e-5)
    names = [output.name for output in session.get_outputs()]
    assert names == ["value" if labels is NUMBER else "probabilities", "logits"]


def test_the_file_says_how_it_is_used_and_nothing_of_this_machine(
    tmp_path: Path, class_folders: Path
) -> None:
    model = load_model(write_run(tmp_path / "run", head="lda", backbone=tiny("test_vit.r160_in1k")))
    out = tmp_path / "model.onnx"
    export_onnx(model, out, find_files([class_folders]))
    kept = onnx.load(out)
    told = {each.key: each.value for each in kept.metadata_props}
    assert json.loads(told["evtl.classes"]) == list(CLASSES.names)
    assert told["evtl.run_id"] == model.result.run_id
    assert json.loads(told["evtl.digests"]) == model.result.digests
    assert "160, 160, 3" in told["evtl.input"]
    assert told["evtl.interpolation"] in told["evtl.input"]
    for path in (ROOT, torch.__path__[0], str(tmp_path)):
        assert path.encode() not in out.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if "onnx" in path.name] == ["model.onnx"]


@pytest.mark.parametrize("head", ["svm", "knn"])
def test_a_head_that_has_no_linear_form_is_refused_with_what_to_do(
    tmp_path: Path, head: Head
) -> None:
    model = load_model(write_run(tmp_path / "run", head=head, backbone=LENET))
    with pytest.raises(TrainingError, match=f"a head {head} cannot be exported, only linear and"):
        export_onnx(model, tmp_path / "model.onnx")


class Forgetful(Deployed):
    """Without the temperature."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answers that are not calibrated."""
        _, logits = super().forward(images)
        return logits.softmax(1), logits


def test_a_file_that_answers_otherwise_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_run(tmp_path / "run", backbone=LENET, temperature=2.0))
    out = tmp_path / "model.onnx"
    out.write_bytes(b"older")
    monkeypatch.setattr(export, "Deployed", Forgetful)
    with pytest.raises(TrainingError, match=r"differs by .* nothing was written"):
        export_onnx(model, out)
    assert out.read_bytes() == b"older"
    assert {path.name for path in tmp_path.iterdir()} == {"run", "model.onnx"}
