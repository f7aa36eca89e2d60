"""Maps of networks of which it is known where they look."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.unit.trainer.toys import TOY_PX, toy
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.explain import (
    Maps,
    activation_map,
    occlusion_map,
    resemblance_to_shuffled,
    reversed_map,
    with_plain_rectifiers,
)
from trainer.finetune import Classifier
from trainer.reporting.ideals import ideal_image

STEPS = Preprocessing(TOY_PX, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")
HALF = TOY_PX // 2


class Corner(nn.Module):
    """A network that sees the left upper quarter alone: ``(N, 3, H, W)`` -> ``(N, 4)``."""

    def __init__(self, *, pooled: bool = True, rectifier: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 1)
        self.rectifier = rectifier()
        self.window = Window()
        self.pooled = pooled
        with torch.no_grad():
            self.convolution.weight.fill_(0.5)
            self.convolution.bias.fill_(0.1)  # type: ignore[union-attr]

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""
        seen = self.window(self.rectifier(self.convolution(images)))
        features: Tensor = seen.mean((2, 3)) if self.pooled else seen.amax((2, 3))
        return features


class Window(nn.Module):
    """Leaves the left upper quarter."""

    def forward(self, planes: Tensor) -> Tensor:
        """Cut out."""
        mask = torch.zeros_like(planes)
        mask[..., : planes.shape[-2] // 2, : planes.shape[-1] // 2] = 1
        return planes * mask


def classifier(backbone: nn.Module, n_classes: int = 2) -> Classifier:
    found = Classifier(backbone, 4, n_classes)
    with torch.no_grad():
        found.head.weight.copy_(torch.linspace(-1, 1, n_classes)[:, None].expand(-1, 4))
        found.head.bias.zero_()
    return found


def images(n: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, 3, TOY_PX, TOY_PX, generator=generator) + 0.1


def probabilities(model: Classifier) -> Callable[[Tensor], Tensor]:
    return lambda batch: model(batch).softmax(1).detach()


def quarter_only(found: Maps, margin: int = 0) -> None:
    """The map lies in the left upper quarter; `margin` pixels of blur beside it are allowed."""
    assert found.maps[:, :HALF, :HALF].max() == 1
    assert not found.maps[:, HALF + margin :].any()
    assert not found.maps[:, :, HALF + margin :].any()


def test_a_network_that_sees_one_corner_has_its_map_there_by_every_method() -> None:
    model = classifier(Corner())
    cam = activation_map(model, images(), [1, 1])
    assert cam.method == "CAM"
    quarter_only(cam)
    grad_cam = activation_map(classifier(Corner(pooled=False)), images(), [1, 1])
    assert grad_cam.method == "Grad-CAM"
    quarter_only(grad_cam)
    # A window reaches beyond the quarter that it overlaps.
    quarter_only(occlusion_map(probabilities(model), images(), [1, 1]), margin=TOY_PX // 4 - 1)
    quarter_only(reversed_map(model, images(), [1, 1]))
    quarter_only(reversed_map(Corner(), images()))


def test_what_speaks_against_a_class_is_not_in_its_map() -> None:
    model = classifier(Corner())
    assert not activation_map(model, images(), [0, 0]).maps.any()


@pytest.mark.parametrize("pooled", [True, False])
def test_a_class_without_weights_of_its_own_is_explained_by_what_speaks_against_the_other(
    pooled: bool,
) -> None:
    """A binary head of scikit-learn has weights for its second class only."""
    model = classifier(Corner(pooled=pooled))
    with torch.no_grad():
        model.head.weight[0], model.head.weight[1] = 0, -1
    assert activation_map(model, images(), [0, 0]).maps.any()
    assert not activation_map(model, images(), [1, 1]).maps.any()


def test_adding_a_number_to_all_logits_changes_no_map() -> None:
    model = classifier(toy(), 3)
    before = activation_map(model, images(), [0, 2]).maps
    with torch.no_grad():
        model.head.bias.add_(7)
        model.head.weight.add_(0.5)
    np.testing.assert_allclose(activation_map(model, images(), [0, 2]).maps, before, atol=1e-5)


def test_the_mean_of_a_cam_is_the_logit_above_the_others() -> None:
    """The map is positive everywhere here, so that only its scale is lost."""
    model = classifier(Corner())
    with torch.no_grad():
        model.head.bias.copy_(torch.tensor([0.0, 1.0]))
    found = activation_map(model, images(1), [1]).maps
    logits = model(images(1))[0].detach()
    margin = float(logits[1] - logits.mean())
    peak = float((model.backbone.convolution(images(1)).relu().amax() * 4 + 0.5).detach())  # type: ignore[operator]
    assert found.mean() * peak == pytest.approx(margin, rel=1e-4)


def test_a_number_is_explained_by_what_raises_it() -> None:
    model = classifier(Corner(), 1)
    with torch.no_grad():
        model.head.weight.fill_(1)
    quarter_only(activation_map(model, images(), [0, 0], exclusive=False))


@pytest.mark.parametrize(
    ("name", "px", "method"),
    [
        ("resnet10t", 64, "CAM"),
        ("mobilenetv3_small_050", 64, "Grad-CAM"),
        ("vit_tiny_patch16_224", 64, "HiResCAM"),
        ("test_convnext", 64, "Grad-CAM"),
    ],
)
def test_each_kind_of_network_has_its_method(name: str, px: int, method: str) -> None:
    size: dict[str, Any] = {"img_size": px} if name.startswith("vit") else {}
    backbone = timm.create_model(name, pretrained=False, num_classes=0, **size)
    batch = torch.rand(2, 3, px, px)
    n_features = backbone.eval()(batch).shape[1]
    torch.manual_seed(0)
    found = activation_map(Classifier(backbone, n_features, 3), batch, [0, 2])
    assert found.method == method
    assert found.maps.shape == (2, px, px)
    assert found.maps.min() >= 0
    assert found.maps.max() <= 1


def test_a_network_without_positions_is_refused() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * TOY_PX * TOY_PX, 4))
    with pytest.raises(TrainingError, match="no layer with positions"):
        activation_map(classifier(flat), images(), [0, 0])


def test_a_relu6_is_reversed_like_a_relu() -> None:
    """Captum alone would pass over it and give the plain gradient."""
    plain, capped = classifier(Corner()), classifier(Corner(rectifier=nn.ReLU6))
    expected = reversed_map(plain, images(), [1, 1])
    found = reversed_map(capped, images(), [1, 1])
    assert found.method == expected.method == "guided backpropagation"
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-6)


def test_deconvolution_passes_a_relu6_that_is_off_as_it_does_a_relu() -> None:
    def network(rectifier: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3), rectifier, nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)]
        return nn.Sequential(*layers, nn.Flatten())

    expected = reversed_map(network(nn.ReLU()), images(), [1, 2])
    found = reversed_map(network(nn.ReLU6()), images(), [1, 2])
    assert found.method == expected.method == "deconvolution"
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-6)


@given(st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_relu6_written_as_two_layers_is_the_same_function(values: list[float]) -> None:
    given_values = torch.tensor(values)
    model = with_plain_rectifiers(nn.Sequential(nn.ReLU6()))
    assert torch.equal(model(given_values), nn.functional.relu6(given_values))


def test_a_network_without_rectifiers_says_that_its_map_is_a_gradient() -> None:
    found = reversed_map(classifier(Corner(rectifier=nn.SiLU)), images(), [1, 1])
    assert found.method == "gradient"
    assert "no layer of the network is a rectifier" in found.note
    quarter_only(found)


def test_max_pooling_is_reversed_by_deconvolution_and_other_activations_are_named() -> None:
    layers = [nn.Conv2d(3, 4, 1), nn.ReLU(), nn.MaxPool2d(2), nn.SiLU(), nn.AdaptiveAvgPool2d(1)]
    found = reversed_map(nn.Sequential(*layers, nn.Flatten()), images())
    assert found.method == "deconvolution"
    assert "SiLU" in found.note


@pytest.mark.parametrize("rectifier", [nn.ReLU, nn.ReLU6])
def test_explaining_changes_neither_the_network_nor_warns(rectifier: type[nn.Module]) -> None:
    model = classifier(Corner(rectifier=lambda: rectifier(inplace=True))).train()  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        activation_map(model, images(), [1, 1])
        reversed_map(model, images(), [1, 1])
    assert model.training
    assert isinstance(model.backbone.rectifier, rectifier)
    assert model.backbone.rectifier.inplace
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_shuffling_the_weights_changes_the_maps_of_a_network_and_is_measured() -> None:
    """The sanity check of Adebayo 2018: a map that survives it shows the image only."""
    torch.manual_seed(0)
    backbone = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    model = classifier(backbone)
    found = resemblance_to_shuffled(model, images(4), [1] * 4, seed=0)
    assert found is not None
    assert found < 0.9


def test_a_network_whose_weights_are_all_the_same_resembles_itself_when_they_are_shuffled() -> None:
    model = classifier(Corner(), 1)
    with torch.no_grad():
        model.head.weight.fill_(1)
    found = resemblance_to_shuffled(model, images(4), [0] * 4, seed=0, exclusive=False)
    assert found == pytest.approx(1)


def test_a_network_whose_maps_are_constant_resembles_nothing() -> None:
    model = classifier(Corner())
    with torch.no_grad():
        model.head.weight.zero_()
    assert resemblance_to_shuffled(model, images(), [0, 1], seed=0) is None


def test_an_ideal_image_scores_higher_than_grey_and_is_the_same_each_time() -> None:
    model = classifier(Corner())
    found = ideal_image(model, 1, STEPS, seed=3)
    assert found.shape == (TOY_PX, TOY_PX, 3)
    assert np.array_equal(found, ideal_image(model, 1, STEPS, seed=3))
    assert not np.array_equal(found, ideal_image(model, 1, STEPS, seed=4))
    # The corner wants light; of the rest it sees nothing, but the image is moved about.
    other = ideal_image(model, 0, STEPS, seed=3)
    assert found[:HALF, :HALF].mean() > other[:HALF, :HALF].mean()


def test_an_ideal_image_is_grey_where_it_is_asked_to_be() -> None:
    found = ideal_image(classifier(toy()), 1, STEPS, seed=0, grey=True)
    assert (found == found[..., :1]).all()
