"""Blocks of any network in the order of its forward pass; frozen ones stay as they are."""

import itertools

import numpy as np
import pytest
import timm
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.unit.trainer.toys import TOY_PX
from tests.unit.trainer.tuning import (
    BLOCKS,
    CPU,
    STEPS,
    bright_or_dark,
    deep_toy,
    same,
    state_of,
    tune,
    tuning_plan,
)
from trainer.errors import TrainingError
from trainer.features import to_input
from trainer.tuning.classifier import Classifier
from trainer.tuning.freezing import blocks, n_open, unfreeze

#: Of each network: how it is built, the pixels it takes, its blocks, and the first of some.
NETWORKS = {
    "tf_efficientnet_lite0": (64, 8, ("conv_stem", "blocks.0", "blocks.6")),
    "resnet18": (64, 5, ("conv1", "layer1", "layer4")),
    "densenet121": (64, 5, ("features.conv0", "features.denseblock4")),
    "vgg16": (64, 6, ("features.0", "features.24", "pre_logits")),
    "vgg16_bn": (64, 6, ("features.0", "features.34", "pre_logits")),
    "inception_v3": (96, 13, ("Conv2d_1a_3x3", "Mixed_7c")),
    "inception_resnet_v2": (96, 45, ("conv2d_1a", "block8")),
    "legacy_xception": (96, 14, ("conv1", "block1", "conv3")),
    "convnext_atto": (64, 5, ("stem", "stages.0", "stages.3")),
    "vit_tiny_patch16_224": (224, 13, ("cls_token", "blocks.0", "blocks.11")),
    "swin_tiny_patch4_window7_224": (224, 5, ("patch_embed", "layers.3")),
    "mobilenetv2_100": (64, 8, ("conv_stem", "blocks.6")),
    "darknet53": (64, 6, ("stem", "stages.4")),
    "resnetv2_50": (64, 5, ("stem", "stages.3")),
    "torchvision alexnet": (96, 4, ("features.0", "features.3", "classifier")),
    "torchvision googlenet": (96, 13, ("conv1", "inception5b")),
    "torchvision squeezenet1_1": (64, 10, ("features.0", "features.3", "features.12")),
}


def network_of(name: str) -> nn.Module:
    """Without memory for its weights: their order does not depend on their values."""
    with torch.device("meta"):
        if name.startswith("torchvision"):
            options = {"aux_logits": False, "init_weights": False} if "goog" in name else {}
            return torchvision.models.get_model(name.split()[1], weights=None, **options)  # type: ignore[no-any-return]
        return timm.create_model(name, num_classes=0)


def bottom(classifier: Classifier) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """First convolution and normalisation."""
    convolution, normalisation, *_ = classifier.backbone.get_submodule("stem").children()
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(normalisation, nn.BatchNorm2d)
    return convolution, normalisation


def calls(network: nn.Module, px: int) -> dict[str, int]:
    """When each layer is first called."""
    order: dict[str, int] = {}

    def note(name: str) -> None:
        order.setdefault(name, len(order))

    for name, module in network.named_modules():
        module.register_forward_hook(lambda _module, _inputs, _output, name=name: note(name))
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 3, px, px, device=next(network.parameters()).device))
    return order


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_in_one_block_and_blocks_follow_the_forward_pass(name: str) -> None:
    px, n, some = NETWORKS[name]
    network = network_of(name)
    found = blocks(network, px)
    parameters = [parameter for block in found for parameter in block.parameters]
    assert sorted(parameters) == sorted(name for name, _ in network.named_parameters())
    assert len(found) == n
    names = [block.name for block in found]
    assert names[0] == some[0]
    assert [name for name in names if name in some] == list(some)
    order = calls(network, px)
    called = [
        [order[layer] for p in block.parameters if (layer := p.rpartition(".")[0])]
        for block in found
    ]
    for below, above in itertools.pairwise(called):
        assert max(below) < min(above)


def test_blocks_of_a_network_in_training_leave_it_in_training() -> None:
    network = deep_toy().backbone.train()
    before = state_of(network)
    assert tuple(block.name for block in blocks(network, TOY_PX)) == BLOCKS
    assert network.training
    assert same(state_of(network), before)


@pytest.mark.parametrize("n", [1, 2])
def test_only_the_last_blocks_and_the_head_learn(n: int) -> None:
    classifier = deep_toy()
    before = state_of(classifier)
    outcome = tune(classifier, tuning_plan(approach="fine_tuning", n_blocks=n))
    assert (outcome.n_blocks, outcome.n_trained) == (3, n)
    learning = (*(f"backbone.{name}" for name in BLOCKS[-n:]), "head")
    for name, value in classifier.state_dict().items():
        counted = "running" in name or "num_batches" in name
        assert torch.equal(value, before[name]) != (name.startswith(learning) and not counted), name


def test_a_frozen_block_takes_no_gradient_keeps_no_activations_and_stays_in_eval_mode() -> None:
    classifier = deep_toy()
    found = blocks(classifier.backbone, TOY_PX)
    unfreeze(classifier.backbone, found, 1)
    classifier.train()
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    images = to_input(np.asarray(bright_or_dark(4).pixels), STEPS, CPU)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = images
        for name in ("stem", "body"):
            features = classifier.backbone.get_submodule(name)(features)
        assert not kept
        assert not features.requires_grad
        loss = classifier(images).sum()
    loss.backward()
    for name, parameter in classifier.named_parameters():
        assert (parameter.grad is None) == name.startswith(("backbone.stem", "backbone.body")), name
    assert [block.training for block in classifier.backbone.children()] == [False, False, True]


def test_the_statistics_of_a_pretraining_are_kept_and_those_of_a_random_start_are_learned() -> None:
    for initialisation, kept in (("pretrained", True), ("random", False)):
        classifier = deep_toy()
        before = state_of(classifier)
        tune(classifier, tuning_plan(initialisation=initialisation))
        for name, value in classifier.state_dict().items():
            if "running" in name:
                assert torch.equal(value, before[name]) == kept, name
        assert bottom(classifier.train())[1].training != kept


def test_a_random_start_learns_statistics_fast_enough_for_few_steps() -> None:
    classifier = deep_toy()
    convolution, normalisation = bottom(classifier)
    normalisation.momentum = 0.01  # as in TensorFlow's networks
    tune(classifier, tuning_plan(initialisation="random", epochs=5))
    part = bright_or_dark(30)
    with torch.no_grad():
        images = to_input(np.asarray(part.pixels), STEPS, CPU)
        seen = convolution(images).mean((0, 2, 3))
    assert normalisation.running_mean is not None
    assert torch.allclose(normalisation.running_mean, seen, atol=0.1)


def test_more_blocks_than_there_are_is_an_error_that_says_how_many() -> None:
    with pytest.raises(TrainingError, match="has 3 blocks; allowed: 1 to 3"):
        tune(deep_toy(), tuning_plan(approach="fine_tuning", n_blocks=4))


@given(most=st.integers(1, 30), epochs=st.integers(1, 60))
def test_gradual_unfreezing_goes_from_the_head_to_the_bottom_in_equal_shares(
    most: int, epochs: int
) -> None:
    plan = tuning_plan(gradual=True, epochs=epochs)
    opened = [n_open(plan, most, epoch) for epoch in range(1, epochs + 1)]
    assert opened == sorted(opened)
    assert opened[-1] == most
    assert opened[0] == (0 if epochs > 1 else most)
    if epochs > most:
        shares = [opened.count(n) for n in range(most + 1)]
        assert max(shares) - min(shares) <= 1
    else:
        steps = [after - before for before, after in itertools.pairwise(opened)]
        assert not steps or max(steps) - min(steps) <= 1


def test_gradual_unfreezing_opens_a_block_only_when_its_epoch_comes() -> None:
    """Three blocks and the head share four epochs: after each, one block more has moved."""
    classifier = deep_toy()
    before, moved = state_of(classifier), []

    def note(_line: object) -> None:
        now = classifier.state_dict()
        changed = [n for n in before if not torch.equal(now[n], before[n])]
        moved.append({name.split(".")[1] for name in changed if name.startswith("backbone")})

    tune(classifier, tuning_plan(gradual=True, epochs=4), on_epoch=note)
    assert moved == [set(), {"top"}, {"top", "body"}, {"top", "body", "stem"}]
