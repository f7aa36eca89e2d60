"""A frozen backbone is read at its last stages, and its head says the same wherever it goes."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import timm
import torch
from torch import Tensor, nn

from recommender.plan import PlannedBackbone
from tests.unit.trainer.model_runs import write_run
from tests.unit.trainer.toys import toy
from trainer.applying.export import export_onnx
from trainer.applying.trained import load_model
from trainer.explain import _evidence_map, activation_map
from trainer.finetune import Classifier
from trainer.stages import N_STAGES, Stages, depth_of, read_at

CPU = torch.device("cpu")
#: Stages of this network end at an eighth, a sixteenth and a thirty-second of the side.
STAGED = "tf_efficientnet_lite0"


def network(model: str = STAGED) -> nn.Module:
    torch.manual_seed(0)
    found: nn.Module = timm.create_model(model, pretrained=False, num_classes=0)
    return found.eval()


def images(px: int = 64) -> Tensor:
    return torch.rand(2, 3, px, px, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("model", [STAGED, "test_resnet", "test_convnext", "densenet121"])
def test_features_are_means_of_what_timm_itself_gives_of_its_last_stages(model: str) -> None:
    whole = network(model)
    pyramid = timm.create_model(model, pretrained=False, features_only=True).eval()
    own = {n.replace(".", "_"): v for n, v in whole.state_dict().items()}
    state = {n: own.get(n.replace(".", "_"), v) for n, v in pyramid.state_dict().items()}
    pyramid.load_state_dict(state)
    with torch.inference_mode():
        expected = torch.cat([found.mean((2, 3)) for found in pyramid(images())[-N_STAGES:]], 1)
        found = Stages(whole)(images())
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_networks_without_stages_are_read_before_their_classifier() -> None:
    assert depth_of(network(), "stages") == "stages"
    assert depth_of(network(), "last") == "last"
    for flat in (toy(), network("test_vit"), nn.Flatten()):
        assert depth_of(flat, "stages") == "last"
        assert read_at(flat, "last") is flat


def test_weights_are_those_of_the_backbone() -> None:
    whole = network()
    inside = {n.removeprefix("network."): v for n, v in Stages(whole).state_dict().items()}
    assert {n: v.data_ptr() for n, v in inside.items()} == {
        n: v.data_ptr() for n, v in whole.state_dict().items()
    }


@pytest.mark.parametrize("head", ["linear", "lda", "knn"])
def test_a_run_is_read_back_where_it_was_read(tmp_path: Path, head: str) -> None:
    lite = PlannedBackbone(name="Lite0", library="timm", model=STAGED, input_px=64)
    run = write_run(tmp_path / "run", head=head, backbone=lite, features="stages")  # type: ignore[arg-type]
    model = load_model(run)
    source = model.network.backbone if head == "linear" else model.network
    assert isinstance(source, Stages)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    answers = model.answers(pixels, CPU)
    assert answers.shape == (2, 3)
    if head != "knn":
        export_onnx(model, tmp_path / "model.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
        (found, _) = session.run(None, {"images": pixels})
        assert found == pytest.approx(answers, abs=1e-4)


@pytest.mark.parametrize("px", [64, 75])  # sides of 8, 4 and 2, and of 10, 5 and 3
@pytest.mark.parametrize("exclusive", [True, False])
def test_the_mean_of_its_map_is_its_logit(exclusive: bool, px: int) -> None:
    torch.manual_seed(0)
    source, seen = Stages(network()), images(px)
    model = Classifier(source, source(seen).shape[1], 3).eval()
    method, found = _evidence_map(model, seen, [0, 2], exclusive)
    logits = model(seen).detach()
    expected = (logits - logits.mean(1, keepdim=True) if exclusive else logits)[[0, 1], [0, 2]]
    assert method == "CAM"
    assert found.shape == (2, -(-px // 8), -(-px // 8))
    assert torch.allclose(found.mean((1, 2)), expected, atol=1e-5)
    assert activation_map(model, seen, [0, 2]).maps.shape == (2, px, px)
