"""Which backbone and which weights a plan gets."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional

from recommender.plan import PlannedBackbone, TrainingPlan
from tests.unit.trainer.toys import LITE0, no_network, plan_of
from trainer import backbones as module
from trainer.backbones import build_backbone, choose_backbone, preprocessing, stated_config
from trainer.errors import TrainingError
from trainer.lenet import LeNet5
from trainer.weights import named_weights

RESNET = PlannedBackbone(
    name="ResNet-18", library="timm", model="resnet18.tv_in1k", input_px=224
)  # fmt: skip
LENET = PlannedBackbone(name="LeNet-5", library="evtl", model="lenet5", input_px=32)
SMALL = PlannedBackbone(name="small", library="timm", model="test_resnet.r160_in1k", input_px=160)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fetch_weights", no_network)


def random_plan(backbone: PlannedBackbone) -> TrainingPlan:
    return plan_of(
        backbone=backbone, approach="fine_tuning_from_scratch", initialisation="random",
        fallbacks=(LITE0,),
    )  # fmt: skip


def test_without_its_weights_the_next_backbone_is_taken_and_says_why() -> None:
    chosen = choose_backbone(plan_of(backbone=RESNET, fallbacks=(SMALL, LITE0)))
    assert chosen.backbone == LITE0
    assert "ResNet-18 are not here and cannot be fetched (no network)" in chosen.fallback_reason
    assert chosen.describe_weights().startswith("package: ")


@pytest.mark.parametrize("backbone", [RESNET, SMALL, LENET], ids=lambda each: each.name)
def test_random_initialisation_takes_no_weights_and_repeats_by_its_seed(
    backbone: PlannedBackbone,
) -> None:
    chosen = choose_backbone(random_plan(backbone))
    assert (chosen.backbone, chosen.weights, chosen.fallback_reason) == (backbone, None, "")
    assert chosen.describe_weights() == "random initialisation"

    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return next(build_backbone(backbone, chosen.weights).parameters())

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_a_named_file_is_the_only_choice(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    torch.manual_seed(1)
    wanted = timm.create_model(SMALL.model).state_dict()
    save_file(wanted, path)
    plan = plan_of(backbone=SMALL, fallbacks=(LITE0,), weights=named_weights(str(path)))
    chosen = choose_backbone(plan)
    assert chosen.backbone == SMALL
    assert chosen.describe_weights().startswith("file: mine.safetensors sha256:")
    assert str(tmp_path) not in chosen.describe_weights()
    built = build_backbone(SMALL, chosen.weights).state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in built.items())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TrainingError, match="was expected"):
        choose_backbone(plan)


def test_without_published_weights_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.delenv("EVTL_WEIGHTS_DIR", raising=False)
    with pytest.raises(TrainingError, match="no weights of lenet5 are published; name a file, or"):
        choose_backbone(plan_of(backbone=LENET))


@pytest.mark.parametrize("place", ["backbone", "fallbacks"])
def test_a_plan_with_a_network_under_a_wrong_name_is_refused(place: str) -> None:
    wrong = RESNET.model_copy(update={"model": "vgg16.tv_in1k"})
    fields = {"backbone": wrong} if place == "backbone" else {"fallbacks": (wrong,)}
    with pytest.raises(TrainingError, match="that model is VGG-16: correct name or model"):
        choose_backbone(plan_of(**fields))


def test_a_transformer_with_images_of_another_size_is_refused() -> None:
    model = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    planned = PlannedBackbone(name="ViT-Tiny-16", library="timm", model=model, input_px=384)
    with pytest.raises(TrainingError, match="takes images of 224 px only, the plan says input_px"):
        choose_backbone(random_plan(planned))


@pytest.mark.parametrize(
    "model", ["resnet18.tv_in1k", "test_vit.r160_in1k", "inception_v3.tv_in1k"]
)
def test_what_is_stated_of_weights_is_what_images_are_brought_to(model: str) -> None:
    backbone = PlannedBackbone(name=model, library="timm", model=model, input_px=160)
    with torch.device("meta"):
        steps = preprocessing(backbone, build_backbone(backbone, None))
    stated = stated_config(backbone)
    assert (steps.mean, steps.std) == (stated["mean"], stated["std"])
    assert steps.interpolation == stated["interpolation"]
    assert steps.input_px == 160


def test_torchvision_and_our_own_network_state_theirs() -> None:
    alexnet = PlannedBackbone(
        name="AlexNet", library="torchvision", model="alexnet", input_px=224
    )  # fmt: skip
    stated = stated_config(alexnet)
    assert stated["crop_pct"] == 224 / 256
    steps = preprocessing(alexnet, torch.nn.Identity())
    assert (steps.mean, steps.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert steps.interpolation == "bilinear"
    assert preprocessing(LENET, LeNet5()).mean == (0.5, 0.5, 0.5)


def test_lenet_has_the_layers_of_its_paper() -> None:
    """LeCun 1998, section II.B, but for three colours and full connections of the third layer."""
    torch.manual_seed(0)
    network = LeNet5()
    sizes = [sum(p.numel() for p in layer.parameters()) for layer in network.features]
    assert [size for size in sizes if size] == [3 * 25 * 6 + 6, 6 * 25 * 16 + 16, 48_120]
    assert sum(p.numel() for p in network.hidden.parameters()) == 10_164
    images = torch.rand(2, 3, 32, 32)
    assert network(images).shape == (2, 84)
    assert network.features(images).shape == (2, 120, 1, 1)
    assert network(functional.interpolate(images, size=64)).shape == (2, 84)


def test_our_own_weights_are_read_back(tmp_path: Path) -> None:
    torch.manual_seed(5)
    wanted = LeNet5().state_dict()
    save_file(wanted, tmp_path / "lenet5.safetensors")
    weights = named_weights(str(tmp_path / "lenet5.safetensors"))
    chosen = choose_backbone(plan_of(backbone=LENET, weights=weights))
    built = build_backbone(LENET, chosen.weights).state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in built.items())
