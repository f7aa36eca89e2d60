"""Features from the cache are those that the network gives, to the last bit."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.unit.trainer.toys import Toy, toy
from trainer import feature_cache
from trainer.backbones import Preprocessing
from trainer.feature_cache import cached_features, weights_digest
from trainer.features import extract
from trainer.images import ImageSet, decode, read_images

CPU = torch.device("cpu")


def quiet(_stage: str, _done: int, _total: int) -> None:
    pass


class Counting(Toy):
    """A toy that counts the batches it was given, and their sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""
        self.sizes.append(len(images))
        return super().forward(images)


def counting() -> Counting:
    network = Counting()
    network.load_state_dict(toy().state_dict())
    return network


@pytest.fixture
def images(class_folders: Path) -> ImageSet:
    return read_images(class_folders)


def test_features_are_those_of_the_network_and_extracted_once(
    images: ImageSet, steps: Preprocessing
) -> None:
    network = counting()
    first, second = (cached_features(network, "t", images, steps, CPU, quiet) for _ in range(2))
    assert len(network.sizes) == 1
    np.testing.assert_array_equal(first, second)
    # Kernels may round otherwise in a batch that is not filled up.
    expected = extract(toy(), decode(images, steps, quiet), steps, CPU, quiet)
    np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-6)


def test_what_the_cache_held_before_changes_no_bit(
    images: ImageSet, steps: Preprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "EXTRACTION_BATCH", 8)
    monkeypatch.setenv("EVTL_CACHE_GB", "0")
    fresh = cached_features(toy(), "t", images, steps, CPU, quiet)
    monkeypatch.delenv("EVTL_CACHE_GB")
    cached_features(toy(), "t", images.pick([3, 17, 29]), steps, CPU, quiet)
    network = counting()
    found = cached_features(network, "t", images, steps, CPU, quiet)
    np.testing.assert_array_equal(found, fresh)
    assert network.sizes == [8, 8, 8, 8]


@pytest.mark.parametrize("part", ["weight", "statistics", "name", "mean"])
def test_another_network_or_transform_is_extracted_anew(
    images: ImageSet, steps: Preprocessing, part: str
) -> None:
    cached_features(counting(), "t", images, steps, CPU, quiet)
    network, name = counting(), "t"
    if part == "weight":
        nn.init.zeros_(network.convolution.weight)
    elif part == "statistics":
        nn.init.ones_(network.normalisation.get_buffer("running_mean"))
    elif part == "name":
        name = "another"
    else:
        steps = dataclasses.replace(steps, mean=(0.4, 0.5, 0.5))
    cached_features(network, name, images, steps, CPU, quiet)
    assert len(network.sizes) == 1


def test_a_digest_is_of_all_tensors_and_their_types() -> None:
    network = toy()
    before = weights_digest(network)
    assert before == weights_digest(toy())
    assert before != weights_digest(network.half())


def test_extraction_does_not_train(images: ImageSet, steps: Preprocessing) -> None:
    network = toy().train()
    before = weights_digest(network)
    cached_features(network, "t", images, steps, CPU, quiet)
    assert weights_digest(network) == before
    assert not network.training
