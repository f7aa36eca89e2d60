"""A folder for the hub: timm loads it by itself and says what the run's own model says."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor

from tests.unit.trainer.model_runs import CLASSES, LENET, NUMBER, SEVERAL, TINY, tiny, write_run
from trainer.applying import hub
from trainer.applying.hub import export_hub
from trainer.applying.trained import TrainedModel, load_model
from trainer.errors import TrainingError
from trainer.features import to_input
from trainer.images import load_image
from trainer.tuning.classifier import Classifier

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(1).integers(0, 256, (3, 160, 160, 3), dtype=np.uint8)
#: Their classifiers have other names and lie behind other layers.
MODELS = [TINY, "test_vit.r160_in1k", "test_convnext.r160_in1k", "test_efficientnet.r160_in1k",
          "test_nfnet.r160_in1k", "test_byobnet.r160_in1k"]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_timm_loads_the_folder_with_the_logits_of_the_run(tmp_path: Path, model: str) -> None:
    ours = load_model(write_run(tmp_path / "run", backbone=tiny(model)))
    export_hub(ours, tmp_path / "out")
    loaded = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    with torch.inference_mode():
        found = loaded(to_input(PIXELS, ours.steps, CPU))
    assert found.numpy() == pytest.approx(ours.outputs(PIXELS, CPU).numpy(), abs=1e-5, rel=1e-5)
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert (config["num_classes"], config["label_names"]) == (3, list(CLASSES.names))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md", "config.json", "model.safetensors",
    }  # fmt: skip


def test_timm_prepares_an_image_as_training_did(tmp_path: Path) -> None:
    ours = load_model(write_run(tmp_path / "run"))
    export_hub(ours, tmp_path / "out")
    loaded = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    path = tmp_path / "wide.png"
    pixels = np.random.default_rng(0).integers(0, 256, (90, 300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    transform = create_transform(**resolve_model_data_config(loaded), is_training=False)  # type: ignore[no-untyped-call]
    with Image.open(path) as image:
        found = transform(image)
    expected = to_input(np.stack([load_image(path, ours.steps)]), ours.steps, CPU)[0]
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_temperature_and_unit_are_inside_the_weights(tmp_path: Path) -> None:
    calm = load_model(write_run(tmp_path / "calm", temperature=2.0))
    number = load_model(write_run(tmp_path / "number", NUMBER))
    several = load_model(write_run(tmp_path / "several", SEVERAL))
    meanings: list[tuple[TrainedModel, Callable[[Tensor], Tensor]]] = [
        (calm, lambda logits: logits.softmax(1)),
        (number, lambda logits: logits[:, 0]),
        (several, torch.sigmoid),
    ]
    for model, of in meanings:
        out = tmp_path / f"{model.run.name} out"
        export_hub(model, out)
        loaded = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
        with torch.inference_mode():
            found = of(loaded(to_input(PIXELS, model.steps, CPU))).numpy()
        assert found == pytest.approx(model.answers(PIXELS, CPU), rel=1e-5, abs=1e-6)


def test_the_card_of_the_run_is_its_readme(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", head="lda")
    export_hub(load_model(run), tmp_path / "bare")
    bare = (tmp_path / "bare" / "README.md").read_text(encoding="utf-8")
    assert bare.startswith("---\nlibrary_name: timm\n")
    assert "benign, malignant, normal; `softmax` of them" in bare
    (run / "MODEL_CARD.md").write_text("---\nlicense: other\n---\n\n# Für alle\n", encoding="utf-8")
    export_hub(load_model(run), tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: other\n---\n\n# Für alle\n")
    assert "timm.create_model(" in text


def test_what_timm_cannot_load_is_refused_with_what_to_do(tmp_path: Path) -> None:
    own = load_model(write_run(tmp_path / "a", backbone=LENET))
    knn = load_model(write_run(tmp_path / "b", head="knn"))
    with pytest.raises(TrainingError, match=r"not one of timm's models.* export it --to onnx"):
        export_hub(own, tmp_path / "out")
    with pytest.raises(TrainingError, match="a head knn cannot be exported"):
        export_hub(knn, tmp_path / "out")
    deep = load_model(write_run(tmp_path / "c", features="stages"))
    with pytest.raises(TrainingError, match=r"timm has no form: train with --features last"):
        export_hub(deep, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_timm_reads_otherwise_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_run(tmp_path / "run"))

    def other(name: str, ours: Classifier) -> torch.nn.Module:
        network = complete(name, ours)
        with torch.no_grad():
            network.get_parameter("fc.bias").add_(1e-3)
        return network

    complete = hub._complete
    monkeypatch.setattr(hub, "_complete", other)
    with pytest.raises(TrainingError, match=r"differs by .* nothing was written"):
        export_hub(model, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: Path) -> None:
    model = load_model(write_run(tmp_path / "run"))
    with pytest.raises(TrainingError, match="not an empty folder"):
        export_hub(model, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
