"""Pixels -> network input, and frozen features extracted once."""

import os
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import Progress
from trainer.processes import crew

#: Images per forward pass of a frozen backbone; larger ones gain nothing on a CPU.
EXTRACTION_BATCH = 32
#: On a GPU a small batch is over before the next can be started.
GPU_EXTRACTION_BATCH = 256


def choose_device(name: str) -> torch.device:
    """``auto`` takes the GPU where there is one.

    Raises
    ------
    TrainingError
        The device is unknown or not there.
    """
    if name not in {"auto", "cpu", "cuda"}:
        msg = f"device {name!r}; allowed: auto, cpu, cuda"
        raise TrainingError(msg)
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        msg = "device cuda: no CUDA device is available here; use --device auto or cpu"
        raise TrainingError(msg)
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


def describe_device(device: torch.device) -> str:
    """Name of the device for the record, with the number of processes if there are several."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return f"{crew.n} x {name}" if crew.several else name


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU, full precision on the CPU."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def quicken(network: nn.Module, device: torch.device) -> None:
    """On a GPU, let cuDNN try its kernels; ``EVTL_COMPILE=1`` also compiles, in some minutes."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        if os.environ.get("EVTL_COMPILE") == "1":
            # In place: names of the weights stay.
            network.compile()


def to_input(pixels: npt.NDArray[np.uint8], steps: Preprocessing, device: torch.device) -> Tensor:
    """Move ``(B, px, px, 3)`` bytes to the device and normalise there: ``(B, 3, px, px)``."""
    # torch warns of memory that it could not write to, as that of the cache.
    writable = np.require(pixels, requirements=["C", "W"])
    return normalise(torch.from_numpy(writable).to(device, non_blocking=True), steps)


def normalise(images: Tensor, steps: Preprocessing) -> Tensor:
    """Bytes ``(B, px, px, 3)`` -> ``(B, 3, px, px)`` as the backbone's weights know it.

    In this order of the bytes the result is channels last as it stands.
    """
    scale, shift = _scale_and_shift(steps.mean, steps.std, images.device)
    return images.permute(0, 3, 1, 2).float().mul_(scale).add_(shift)


@cache
def _scale_and_shift(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Factor and summand from bytes to normal values; made once, a copy to a GPU is waited for."""
    with torch.inference_mode(mode=False):
        means, stds = torch.tensor(mean).view(1, 3, 1, 1), torch.tensor(std).view(1, 3, 1, 1)
        return (1 / (255 * stds)).to(device), (-means / stds).to(device)


def batches(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size`."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def extract(
    network: nn.Module,
    pixels: npt.NDArray[np.uint8],
    steps: Preprocessing,
    device: torch.device,
    progress: Progress,
) -> npt.NDArray[np.float32]:
    """Features of every image from a network that stays as it is.

    The network is put into eval mode, so that batch normalisation keeps its ImageNet statistics.
    Of several processes each passes a share of the images; all get the features of all of them.

    Returns
    -------
    ndarray, shape (N, D)
    """
    network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(own: slice) -> Tensor:
        found, mine = [], pixels[own]
        for part in batches(len(mine), EXTRACTION_BATCH):
            found.append(network(to_input(mine[part], steps, device)).float().cpu())
            progress("features", part.stop, len(mine))
        return torch.cat(found)

    with torch.inference_mode(), autocast(device):
        return crew.divided(len(pixels), features).numpy()
