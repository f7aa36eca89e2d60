"""Low-rank updates start as nothing, train alone, and end as plain weights."""

import pytest
import timm
import torch
from torch import Tensor, nn

from tests.unit.trainer.tuning import deep_toy, same, state_of, tune, tuning_plan
from trainer.errors import TrainingError
from trainer.tuning import lora
from trainer.tuning.classifier import Classifier


def transformer() -> nn.Module:
    """A vision transformer of two layers for images of sixteen pixels."""
    torch.manual_seed(0)
    return timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=16, patch_size=8, depth=2, embed_dim=12,
        num_heads=3,
    )  # fmt: skip


class Attending(nn.Module):
    """An attention as torchvision's transformers use it: ``(N, 3, H, W)`` -> ``(N, 12)``."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 12, 8, 8)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        attended: Tensor = self.attention(tokens, tokens, tokens)[0]
        return attended.mean(1)


NETWORKS = {"timm": (transformer, 4), "torchvision": (Attending, 2)}
ATTENTION = ("attn.qkv.weight", "attn.proj.weight", "in_proj_weight", "out_proj.weight")


@pytest.mark.parametrize("library", NETWORKS)
def test_an_update_is_nothing_at_first_and_merging_it_changes_no_output(library: str) -> None:
    build, n = NETWORKS[library]
    network = build().eval()
    images = torch.rand(2, 3, 16, 16)
    before, plain = network(images), state_of(network)
    assert lora.adapt(network, 2) == n
    assert torch.allclose(network(images), before, atol=1e-6)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert len(learning) == 2 * n
    with torch.no_grad():
        for parameter in learning:
            parameter.add_(0.1)
    updated = network(images)
    assert not torch.allclose(updated, before, atol=1e-3)
    lora.merge(network)
    assert network.state_dict().keys() == plain.keys()
    assert torch.allclose(network(images), updated, atol=1e-6)


@pytest.mark.parametrize("library", NETWORKS)
def test_only_the_attention_and_the_head_change_and_by_the_rank_asked_for(library: str) -> None:
    classifier = Classifier(NETWORKS[library][0](), 12, 2)
    before = state_of(classifier)
    tune(classifier, tuning_plan(approach="fine_tuning", lora_rank=2))
    for name, value in classifier.state_dict().items():
        changed = not torch.equal(value, before[name])
        assert changed == name.endswith((*ATTENTION, "head.weight", "head.bias")), name
        if changed and name.startswith("backbone"):
            assert torch.linalg.matrix_rank(value - before[name], atol=1e-5) <= 2


def test_the_saved_weights_load_into_a_plain_network() -> None:
    classifier = Classifier(transformer(), 12, 2)
    tune(classifier, tuning_plan(approach="fine_tuning", lora_rank=1))
    plain = Classifier(transformer(), 12, 2)
    plain.load_state_dict(classifier.state_dict())
    assert same(state_of(plain), state_of(classifier))


def test_a_network_without_attention_is_refused() -> None:
    with pytest.raises(TrainingError, match="DeepToy has no attention"):
        tune(deep_toy(), tuning_plan(approach="fine_tuning", lora_rank=4))


def test_a_rank_that_saves_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="allowed for this network: 1 to 11"):
        lora.adapt(transformer(), 12)
