"""Features of a network that stays as it is, extracted once and kept: any other head is quick."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from trainer.backbones import Preprocessing
from trainer.features import (
    EXTRACTION_BATCH,
    GPU_EXTRACTION_BATCH,
    autocast,
    batches,
    quicken,
)
from trainer.images import ImageSet, Progress
from trainer.processes import crew
from trainer.reading.array_cache import ArrayCache, Made, key_of
from trainer.reading.pixel_cache import cached_pixels, image_keys, pixel_recipe
from trainer.tuning.feeding import Pixels, iterate

Features = npt.NDArray[np.float32]


def cached_features(
    network: nn.Module,
    name: str,
    images: ImageSet,
    steps: Preprocessing,
    device: torch.device,
    progress: Progress,
) -> Features:
    """Features of every image; those that the same network gave before are read from the cache.

    The network is put into eval mode, so that batch normalisation keeps its ImageNet statistics.
    All batches have the same size: kernels round differently in smaller ones, and the features of
    an image would otherwise depend on what was in the cache.

    Of several processes each extracts a share of what the cache of the main one does not hold.

    Parameters
    ----------
    network : torch.nn.Module
        ``(B, 3, px, px)`` -> ``(B, D)``.
    name : str
        Of the architecture; its tensors are looked at, but two networks may differ in more.
    images : ImageSet
        Decoded where features are missing.

    Returns
    -------
    ndarray, shape (N, D)
        Mostly a read-only memory map.

    Raises
    ------
    TrainingError
        Lists every file that cannot be decoded.
    """

    def rows(numbers: Sequence[int]) -> Iterator[Features]:
        pixels = cached_pixels(images, steps, progress)
        return _extracted(network, pixels, np.asarray(numbers), steps, device, progress)

    kept = _Kept(_recipe(network, name, steps, device), image_keys(images))
    found = kept.divided(rows) if crew.several else kept.features(rows)
    progress("features", len(found), len(found))
    return found


class _Kept(NamedTuple):
    """Features in the cache, by what made them and of which images."""

    recipe: bytes
    keys: list[bytes]

    def features(self, rows: Callable[[Sequence[int]], Iterator[Features]]) -> Features:
        """All of them, those that are missing made by `rows`."""

        def make(numbers: Sequence[int]) -> Iterator[Made]:
            return map(Made, numbers, rows(numbers)) if numbers else iter(())

        return ArrayCache.of_user().table("features", self.recipe, self.keys, make).rows

    def divided(self, rows: Callable[[Sequence[int]], Iterator[Features]]) -> Features:
        """The same by all processes."""
        cache = ArrayCache.of_user()
        missing = crew.from_main(lambda: cache.missing("features", self.recipe, self.keys))
        made: dict[int, Features] = {}
        if missing:
            found = crew.divided(
                len(missing), lambda own: torch.from_numpy(np.stack([*rows(missing[own])]))
            )
            made = dict(zip(missing, found.numpy(), strict=True))

        def known(numbers: Sequence[int]) -> Iterator[Features]:
            # The cache may have lost something meanwhile.
            return map(made.__getitem__, numbers) if made.keys() >= {*numbers} else rows(numbers)

        return crew.from_main(lambda: np.asarray(self.features(known)))


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over the names and values of all tensors of a network."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _recipe(network: nn.Module, name: str, steps: Preprocessing, device: torch.device) -> bytes:
    """All that features depend on beside the content of the images."""
    return key_of(
        pixel_recipe(steps).hex(), steps.mean, steps.std, name, weights_digest(network),
        [version(package) for package in ("torch", "torchvision", "timm")],
        device.type, _size(device),
    )  # fmt: skip


def _extracted(
    network: nn.Module,
    pixels: Pixels,
    numbers: npt.NDArray[np.intp],
    steps: Preprocessing,
    device: torch.device,
    progress: Progress,
) -> Iterator[Features]:
    network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    quicken(network, device)
    size = _size(device)
    # The last batch is filled up with the first images.
    order = np.resize(numbers, (-(-len(numbers) // size), size))
    fed = iterate(pixels, np.arange(len(pixels)), list(order), steps, device)
    for part, (inputs, _) in zip(batches(len(numbers), size), fed, strict=True):
        with torch.inference_mode(), autocast(device):
            features = network(inputs).float().cpu().numpy()
        progress("features", part.stop, len(numbers))
        yield from features[: part.stop - part.start]


def _size(device: torch.device) -> int:
    return GPU_EXTRACTION_BATCH if device.type == "cuda" else EXTRACTION_BATCH
