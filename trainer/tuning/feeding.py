"""Batches from decoded images to the device, one ahead of the network."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainer.backbones import Preprocessing
from trainer.features import batches, normalise, to_input

Pixels = npt.NDArray[np.uint8]
Targets = npt.NDArray[Any]
Index = npt.NDArray[np.integer[Any]]
T = TypeVar("T")
#: Pinned buffers: one is filled while the other is copied.
N_SLOTS = 2


@dataclass(frozen=True)
class Picked:
    """Some images of an array; of a memory map none is read before its batch asks for it.

    Attributes
    ----------
    pixels : ndarray, shape (N, px, px, 3)
    numbers : ndarray of int, shape (M,)
        Which images, in which order.
    """

    pixels: Pixels
    numbers: Index

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Index | slice) -> Pixels:
        """Copies of the images at these places."""
        found: Pixels = self.pixels[self.numbers[index]]
        return found

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        """Copies of all of them."""
        return np.asarray(self[:], dtype)


#: Where batches are gathered from.
Source = Pixels | Picked


def portion(pixels: Source, own: slice) -> Source:
    """Some of the images, none of which is read."""
    if isinstance(pixels, Picked):
        return Picked(pixels.pixels, pixels.numbers[own])
    return pixels[own]


def iterate(
    pixels: Source,
    targets: Targets,
    parts: Sequence[Index],
    steps: Preprocessing,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of normalised images and their targets, on the device.

    On a GPU a thread gathers the next batch into pinned memory and copies it on a stream of its
    own, while the network works on the one before.

    Parameters
    ----------
    pixels : ndarray, shape (N, px, px, 3), or Picked
        All images; a memory map is read batch by batch.
    targets : ndarray, shape (N,) or (N, L)
    parts : sequence of ndarray of int, shapes (B,)
        Numbers of the images of each batch.

    Yields
    ------
    tuple of Tensor
        Images ``(B, 3, px, px)``, channels last, and targets ``(B,)`` or ``(B, L)``.
    """
    if device.type == "cuda":
        yield from _from_pinned(pixels, targets, parts, steps, device)
        return
    for index in parts:
        yield to_input(pixels[index], steps, device), torch.from_numpy(targets[index])


def inputs(
    pixels: Source, size: int, steps: Preprocessing, device: torch.device
) -> Iterator[Tensor]:
    """All images in their order, at most `size` at once, as `iterate` gives them."""
    numbers = np.arange(len(pixels))
    parts = [numbers[part] for part in batches(len(pixels), size)]
    return (images for images, _ in iterate(pixels, numbers, parts, steps, device))


class _Copied(NamedTuple):
    """Bytes and targets on their way to the device, and when they will be there."""

    images: Tensor
    targets: Tensor
    arrived: torch.cuda.Event


class _Copier:
    """Gathers batches into pinned buffers in turn and copies them on a stream of its own."""

    def __init__(
        self, pixels: Source, targets: Targets, batch_size: int, device: torch.device
    ) -> None:
        whole = Picked(pixels, np.arange(len(pixels))) if isinstance(pixels, np.ndarray) else pixels
        self._source, self._targets, self._device = whole, targets, device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._slots = [_pinned(whole.pixels, batch_size) for _ in range(N_SLOTS)]
        self._arrived = [_event() for _ in range(N_SLOTS)]

    def __call__(self, number: int, index: Index) -> _Copied:
        slot, arrived = self._slots[number % N_SLOTS][: len(index)], self._arrived[number % N_SLOTS]
        arrived.synchronize()
        # Any other mode would gather into a buffer first.
        numbers = self._source.numbers[index]
        np.take(self._source.pixels, numbers, axis=0, out=slot.numpy(), mode="clip")
        targets = torch.from_numpy(self._targets[index]).pin_memory()
        with torch.cuda.stream(self._stream):
            images = slot.to(self._device, non_blocking=True)
            moved = targets.to(self._device, non_blocking=True)
            arrived.record(self._stream)
        return _Copied(images, moved, arrived)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]


def _pinned(pixels: Pixels, batch_size: int) -> Tensor:
    return torch.empty((batch_size, *pixels.shape[1:]), dtype=torch.uint8, pin_memory=True)


def _from_pinned(
    pixels: Source,
    targets: Targets,
    parts: Sequence[Index],
    steps: Preprocessing,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    copy = _Copier(pixels, targets, max(map(len, parts), default=0), device)
    for batch in ahead(lambda number: copy(number, parts[number]), len(parts)):
        stream = torch.cuda.current_stream(device)
        stream.wait_event(batch.arrived)
        for tensor in (batch.images, batch.targets):
            tensor.record_stream(stream)
        yield normalise(batch.images, steps), batch.targets


def ahead(make: Callable[[int], T], n: int) -> Iterator[T]:
    """What is made of 0, 1, ..., n - 1; a thread makes the next while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(make, number) for number in range(min(1, n)))
        for number in range(1, n + 1):
            if number < n:
                coming.append(thread.submit(make, number))
            yield coming.popleft().result()
