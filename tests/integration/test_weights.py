"""Weights: from a folder, a package or the hub's cache, of the right network, never random."""

from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images
from timm.data.transforms_factory import create_transform

from recommender.plan import PlannedBackbone
from tests.unit.trainer.toys import LITE0, no_network, plan_of
from trainer.backbones import (
    Weights,
    build_backbone,
    choose_backbone,
    fetch_weights,
    find_weights,
    preprocessing,
)
from trainer.errors import TrainingError


def names_of_the_photographs(number: int) -> list[int]:
    """ImageNet classes of scikit-learn's two photographs, prepared as timm prepares them."""
    size = {0: 224, 1: 240, 2: 260}[number]
    model = f"tf_efficientnet_lite{number}.in1k"
    backbone = PlannedBackbone(name="lite", library="timm", model=model, input_px=size)
    weights = find_weights(backbone)
    assert weights is not None
    assert weights.source == "package"
    trunk = build_backbone(backbone, weights)
    raw = list(torch.load(weights.path, weights_only=True, map_location="cpu").values())
    head = torch.nn.Linear(*reversed(raw[-2].shape))
    head.load_state_dict({"weight": raw[-2], "bias": raw[-1]})
    steps = preprocessing(backbone, trunk)
    prepare = create_transform(
        steps.input_px, interpolation=steps.interpolation, mean=steps.mean, std=steps.std
    )
    images = [Image.fromarray(photograph) for photograph in load_sample_images().images]
    with torch.inference_mode():
        logits = torch.nn.Sequential(trunk, head).eval()(torch.stack([prepare(i) for i in images]))
    found: list[int] = logits.argmax(1).tolist()
    return found


def test_the_embedded_weights_name_a_palace_and_a_daisy() -> None:
    """698 is palace, 985 daisy."""
    assert names_of_the_photographs(0) == [698, 985]


@pytest.mark.parametrize("number", [1, 2])
def test_the_larger_packages_name_the_palace(number: int) -> None:
    """The other photograph shows a dahlia, which ImageNet does not have."""
    assert names_of_the_photographs(number)[0] == 698


RESNET = PlannedBackbone(name="ResNet-18", library="timm", model="resnet18.tv_in1k", input_px=224)


@pytest.fixture
def resnet_state() -> dict[str, torch.Tensor]:
    """Weights of a ResNet-18 drawn at random: a stand-in for a published file."""
    torch.manual_seed(1)
    state: dict[str, torch.Tensor] = timm.create_model("resnet18.tv_in1k").state_dict()
    return state


def hub_layout(root: Path, state: dict[str, torch.Tensor]) -> Path:
    """A folder laid out as the hub client lays out its cache."""
    repository = root / "models--timm--resnet18.tv_in1k"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    save_file(state, snapshot / "model.safetensors")
    return root


def same_trunk(weights: Weights | None, state: dict[str, torch.Tensor]) -> bool:
    assert weights is not None
    found = build_backbone(RESNET, weights).state_dict()
    return all(torch.equal(value, state[name]) for name, value in found.items())


def test_weights_come_from_the_cache_of_the_hub(
    tmp_path: Path, resnet_state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(hub_layout(tmp_path / "cache", resnet_state)))
    weights = find_weights(RESNET)
    assert weights is not None
    assert weights.source == "hub"
    assert same_trunk(weights, resnet_state)


@pytest.mark.parametrize("layout", ["hub", "flat", "pth", "folder", "file"])
def test_weights_come_from_the_folder_that_is_named(
    tmp_path: Path,
    resnet_state: dict[str, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
) -> None:
    root = tmp_path / "weights"
    root.mkdir()
    place = root
    if layout == "hub":
        hub_layout(root, resnet_state)
    elif layout == "pth":
        torch.save(resnet_state, root / "resnet18.pth")
    elif layout == "folder":
        (root / "resnet18.tv_in1k").mkdir()
        save_file(resnet_state, root / "resnet18.tv_in1k" / "model.safetensors")
    else:
        place = root / "resnet18.tv_in1k.safetensors"
        save_file(resnet_state, place)
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(place if layout == "file" else root))
    weights = find_weights(RESNET)
    assert weights is not None
    assert weights.source == "folder"
    assert same_trunk(weights, resnet_state)


def test_a_weights_file_named_after_no_backbone_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mynet.safetensors").write_bytes(b"x")
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path / "mynet.safetensors"))
    with pytest.raises(TrainingError, match=r"mynet\.safetensors: named after no backbone"):
        choose_backbone(plan_of())


def test_the_folder_comes_before_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = timm.create_model(LITE0.model).state_dict()
    save_file(state, tmp_path / "tf_efficientnet_lite0.in1k.safetensors")
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path))
    weights = find_weights(LITE0)
    assert weights is not None
    assert weights.source == "folder"


def test_weights_of_another_network_or_with_code_in_them_are_refused(
    tmp_path: Path, resnet_state: dict[str, torch.Tensor]
) -> None:
    other = tmp_path / "other.safetensors"
    save_file(timm.create_model("resnet34.tv_in1k").state_dict(), other)
    with pytest.raises(TrainingError, match="does not fit"):
        build_backbone(RESNET, Weights("folder", other))
    evil = tmp_path / "evil.pth"
    torch.save({"state": resnet_state, "code": Path}, evil)
    with pytest.raises(TrainingError, match="cannot be read"):
        build_backbone(RESNET, Weights("folder", evil))


def test_without_any_weights_there_is_an_error_and_no_random_stand_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainer.backbones.fetch_weights", no_network)
    with pytest.raises(TrainingError, match=r"weights of ResNet-18 are not here.*EVTL_WEIGHTS"):
        choose_backbone(plan_of(backbone=RESNET))


def test_the_best_ranked_backbone_with_weights_here_stands_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainer.backbones.fetch_weights", no_network)
    found = choose_backbone(plan_of(backbone=RESNET, fallbacks=(RESNET, LITE0)))
    assert (found.backbone, found.weights.source) == (LITE0, "package")
    assert "ResNet-18 are not here and cannot be fetched (no network)" in found.fallback_reason


def test_without_a_network_fetching_says_why_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        msg = "name not known\nmore"
        raise ConnectionError(msg)

    monkeypatch.setattr("trainer.backbones.get_hf_file_metadata", refuse)
    with pytest.raises(TrainingError, match=r"^ConnectionError: name not known$"):
        fetch_weights(RESNET)


@pytest.mark.parametrize(
    ("model", "px", "length"),
    [
        ("alexnet", 224, 4096), ("googlenet", 224, 1024), ("shufflenet_v2_x1_0", 224, 1024),
        ("squeezenet1_0", 224, 512), ("squeezenet1_1", 224, 512),
    ],
)  # fmt: skip
def test_torchvision_backbones_give_features(model: str, px: int, length: int) -> None:
    backbone = PlannedBackbone(name=model, library="torchvision", model=model, input_px=px)
    network = build_backbone(backbone, None).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, px, px)).shape == (2, length)
