"""Every row of the table of backbones is what the libraries hold, and can be carried out."""

import csv
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from evidence.rows import BackboneRow
from evidence.shipped import shipped
from recommender.plan import PlannedBackbone
from trainer.backbones import build_backbone
from trainer.errors import TrainingError
from trainer.weights import Weights

with (shipped("data") / "backbones.csv").open(encoding="utf-8", newline="") as stream:
    ROWS = [BackboneRow.model_validate(cells) for cells in csv.DictReader(stream)]
CARRIED_OUT = [row for row in ROWS if row.library]
CITED = [row for row in ROWS if row.imagenet_source]
each = pytest.mark.parametrize("row", CARRIED_OUT, ids=lambda row: row.backbone)


def planned(model: str, px: int = 224, library: str = "timm") -> PlannedBackbone:
    fields = {"name": model, "library": library, "model": model, "input_px": px}
    return PlannedBackbone.model_validate(fields)


def whole(row: BackboneRow) -> nn.Module:
    """The network with the 1000-class head."""
    if row.library == "timm":
        network: nn.Module = timm.create_model(row.model, num_classes=1000)
        return network
    options = {"aux_logits": False, "init_weights": False} if row.model == "googlenet" else {}
    found: nn.Module = torchvision.models.get_model(row.model, weights=None, **options)
    return found


def image(row: BackboneRow) -> Tensor:
    assert row.input_px is not None
    return torch.zeros(1, 3, row.input_px, row.input_px)


@each
def test_parameters_and_operations_are_those_of_the_network(row: BackboneRow) -> None:
    """Two operations of torch's counter are one multiply-accumulate."""
    with torch.device("meta"), torch.no_grad():
        network = whole(row).eval()
        with FlopCounterMode(display=False) as counter:
            network(image(row))
    assert sum(p.numel() for p in network.parameters()) == row.n_parameters
    assert counter.get_total_flops() == 2 * (row.n_macs or 0)


@each
def test_the_trainer_makes_a_row_of_features_of_an_image(row: BackboneRow) -> None:
    with torch.device("meta"), torch.no_grad():
        network = build_backbone(planned(row.model, row.input_px or 0, row.library), None).eval()
        features = network(image(row))
    n_images, n_features = features.shape
    assert n_images == 1
    assert n_features != 1000


@each
def test_the_weights_are_published_under_this_name(row: BackboneRow) -> None:
    if row.library == "timm":
        assert row.model in timm.list_pretrained()
        config = timm.get_pretrained_cfg(row.model)
        assert config is not None
        assert config.input_size == (3, row.input_px, row.input_px)
    else:
        assert torchvision.models.get_model_weights(row.model).DEFAULT.url


@pytest.mark.parametrize("row", CITED, ids=lambda row: row.backbone)
def test_the_accuracy_is_what_the_cited_library_says_of_the_same_network(row: BackboneRow) -> None:
    library, _, name = row.imagenet_source.partition(" ")
    assert library == "torchvision"
    meta = torchvision.models.get_weight(name).meta
    percent = meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert row.imagenet_top1 == pytest.approx(percent / 100, abs=1e-9)  # a division, rounded
    # torchvision counts the auxiliary classifier of the one, and gives the other fewer biases.
    if row.backbone not in {"Inception-V3", "MaxViT-T"}:
        assert meta["num_params"] == row.n_parameters


#: The smallest network of each module of timm that converts published weights.
CONVERTED = [
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "swin_tiny_patch4_window7_224.ms_in1k",
    "eva02_tiny_patch14_224.mim_in22k", "convnext_tiny.fb_in1k", "maxvit_tiny_tf_224.in1k",
    "poolformer_s12.sail_in1k", "beit_base_patch16_224.in22k_ft_in22k_in1k",
    "samvit_base_patch16.sa1b", "vit_small_patch14_dinov2.lvd142m",
]  # fmt: skip


def random_state(model: str) -> dict[str, Tensor]:
    torch.manual_seed(1)
    state: dict[str, Tensor] = timm.create_model(model).state_dict()
    return {name: value.contiguous() for name, value in state.items()}


def saved(folder: Path, state: dict[str, Tensor]) -> Weights:
    save_file(state, folder / "model.safetensors")
    return Weights("folder", folder / "model.safetensors")


@pytest.mark.nightly
@pytest.mark.parametrize("model", CONVERTED)
def test_weights_of_a_newer_network_reach_every_parameter(model: str, tmp_path: Path) -> None:
    state = random_state(model)
    found = build_backbone(planned(model), saved(tmp_path, state)).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in found.items())


@pytest.mark.parametrize(
    ("model", "constant"),
    [
        ("swin_tiny_patch4_window7_224.ms_in1k", "layers.0.blocks.1.attn_mask"),
        ("eva02_tiny_patch14_224.mim_in22k", "mask_token"),
    ],
)
def test_what_a_published_file_holds_besides_is_no_sign_of_another_network(
    model: str, constant: str, tmp_path: Path
) -> None:
    state = random_state(model) | {constant: torch.zeros(1)}
    assert build_backbone(planned(model), saved(tmp_path, state))


def test_weights_for_other_patches_are_refused_and_not_stretched(tmp_path: Path) -> None:
    weights = saved(tmp_path, random_state("vit_small_patch32_224.augreg_in21k_ft_in1k"))
    with pytest.raises(TrainingError, match=r"does not fit.* 2 tensors have another size"):
        build_backbone(planned("vit_small_patch16_224.augreg_in21k_ft_in1k"), weights)
