"""Changed copies of images: drawn anew for each batch, or written to disk once."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from recommender.plan import TrainingPlan, TransformKind
from trainer.errors import TrainingError
from trainer.images import Progress
from trainer.places import new_file

#: Ranges of the changes: zoom (share of the side that stays in view), rotation, shift (share of
#: half a side), contrast, and for colour the contrast and the brightness of each channel.
ZOOM, ROTATION_DEG, SHIFT, CONTRAST, COLOUR = (0.8, 1.0), 10.0, 0.05, 0.2, 0.1
GEOMETRIC: frozenset[TransformKind] = frozenset(
    {"horizontal_flip", "vertical_flip", "quarter_turn", "small_rotation", "shift", "zoom"}
)
#: Images that are changed at once where copies are written.
_BATCH = 32

Pixels = npt.NDArray[np.uint8]


def seeded(generator: torch.Generator, *numbers: int) -> torch.Generator:
    """Seed with several numbers: what is drawn depends on nothing that was drawn before."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return generator.manual_seed(int(state[0] >> np.uint64(1)))


class Place(NamedTuple):
    """Where in a batch of `n` images some consecutive ones are: those of one process."""

    first: int
    n: int


def augment(
    images: Tensor,
    kinds: Collection[TransformKind],
    generator: torch.Generator,
    place: Place | None = None,
) -> Tensor:
    """Change each image of ``(B, 3, H, W)`` on its own; what leaves the view is its border.

    Parameters
    ----------
    images : Tensor, shape (B, 3, H, W)
        Square; normalised or not, on any device.
    kinds : collection of str
        Changes that may be made; each image draws how much of each.
    generator : torch.Generator
        On the device of the images.
    place : Place or None
        Of the images in a batch that is divided; None for a whole one.
    """
    draw = _Draw(images, generator, place or Place(0, len(images)))
    changed = _move(images, kinds, draw) if GEOMETRIC.intersection(kinds) else images
    if "contrast" in kinds:
        factor = draw(1 - CONTRAST, 1 + CONTRAST)
        mean = changed.mean((1, 2, 3), keepdim=True)
        factor = factor.view(-1, 1, 1, 1)
        changed = changed.mul(factor).add_(mean * (1 - factor))
    if "colour" in kinds:
        changed = _recolour(changed, draw)
    return changed.contiguous(memory_format=torch.channels_last)


class _Draw(NamedTuple):
    """Draws one number of each image, whoever else draws for the rest of the batch."""

    images: Tensor
    generator: torch.Generator
    place: Place

    def __call__(self, low: float, high: float) -> Tensor:
        return low + (high - low) * self.part((self.place.n,), 0)

    def part(self, shape: Sequence[int], axis: int) -> Tensor:
        """The images' part, along an axis, of numbers from 0 to 1 for the whole batch."""
        drawn = torch.rand(shape, generator=self.generator, device=self.images.device)
        return drawn.narrow(axis, self.place.first, len(self.images))

    def sign(self) -> Tensor:
        """Minus one or one."""
        return self(0, 2).floor() * 2 - 1


def _move(images: Tensor, kinds: Collection[TransformKind], draw: _Draw) -> Tensor:
    """All changes of place at once, so that an image is resampled a single time."""
    nothing = torch.zeros(len(images), device=images.device)
    angle = draw(-ROTATION_DEG, ROTATION_DEG) if "small_rotation" in kinds else nothing
    if "quarter_turn" in kinds:
        angle = angle + 90 * draw(0, 4).floor()
    zoom = draw(*ZOOM) if "zoom" in kinds else nothing + 1
    across, down = (draw(-SHIFT, SHIFT) if "shift" in kinds else nothing for _ in range(2))
    mirrored = draw.sign() if "horizontal_flip" in kinds else nothing + 1
    upturned = draw.sign() if "vertical_flip" in kinds else nothing + 1
    cosine, sine = zoom * angle.deg2rad().cos(), zoom * angle.deg2rad().sin()
    rows = [
        [cosine * mirrored, -sine * upturned, across],
        [sine * mirrored, cosine * upturned, down],
    ]
    theta = torch.stack([torch.stack(row, 1) for row in rows], 1)
    return functional.grid_sample(
        images, _grid(theta, images), padding_mode="border", align_corners=False
    )


def _grid(theta: Tensor, images: Tensor) -> Tensor:
    """Where each pixel comes from: `affine_grid`, whose product of matrices takes thrice as long.

    Parameters
    ----------
    theta : Tensor, shape (B, 2, 3)
    images : Tensor, shape (B, C, H, W)

    Returns
    -------
    Tensor, shape (B, H, W, 2)
    """
    n, _, height, width = images.shape
    grid = images.new_empty(n, height, width, 2)
    across, down = (
        (torch.arange(size, device=images.device) * 2 + 1) / size - 1 for size in (width, height)
    )
    for axis in range(2):
        by_column = theta[:, axis, :1] * across + theta[:, axis, 2:]
        by_row = theta[:, axis, 1:2] * down
        torch.add(by_column[:, None, :], by_row[:, :, None], out=grid[..., axis])
    return grid


def _recolour(images: Tensor, draw: _Draw) -> Tensor:
    """Another contrast and brightness of each channel, in parts of the image's deviation."""
    drawn = draw.part((2, draw.place.n, images.shape[1], 1, 1), 1) * 2 - 1
    mean = images.mean((2, 3), keepdim=True)
    deviation = images.std((1, 2, 3), keepdim=True)
    return (images - mean) * (1 + COLOUR * drawn[0]) + mean + COLOUR * drawn[1] * deviation


class Copies(NamedTuple):
    """Training images and their changed copies.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n_copies * N, px, px, 3)
        A memory map: first the N images themselves, then their first copies, and so on.
    origin : ndarray of int, shape (n_copies * N,)
        Number of the image that each was made of: picks its target and its group.
    """

    pixels: Pixels
    origin: npt.NDArray[np.int64]


def write_copies(folder: Path, pixels: Pixels, plan: TrainingPlan, progress: Progress) -> Copies:
    """Write the offline augmentation of the training part once; a later call finds it.

    ``copies.npy`` holds the pixels, ``copies.json`` what they are and how many.

    Parameters
    ----------
    folder : pathlib.Path
        Made if needed.
    pixels : ndarray of uint8, shape (N, px, px, 3)
        Images of the training part only.

    Raises
    ------
    TrainingError
        The folder cannot be written.
    """
    about = {
        "n_images": len(pixels),
        "n_copies": plan.n_copies,
        "n_written": len(pixels) * plan.n_copies,
        "transforms": list(plan.transforms),
        "seed": plan.seed,
        "shape": list(pixels.shape[1:]),
    }
    array, record = folder / "copies.npy", folder / "copies.json"
    try:
        if not (record.is_file() and json.loads(record.read_text(encoding="utf-8")) == about):
            _write(array, pixels, plan, progress)
            with new_file(record) as draft:
                draft.write_text(json.dumps(about, indent=2), encoding="utf-8")
        found = np.load(array, mmap_mode="r")
    except (OSError, ValueError) as error:
        msg = f"the copies of the offline augmentation in {folder}: {error}"
        raise TrainingError(msg) from error
    return Copies(found, np.tile(np.arange(len(pixels)), plan.n_copies))


def _write(path: Path, pixels: Pixels, plan: TrainingPlan, progress: Progress) -> None:
    # A map that is written to would end the process where the disk is full; a stream says so.
    total = len(pixels) * plan.n_copies
    shape = (total, *pixels.shape[1:])
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with new_file(path) as draft, draft.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for copy in range(plan.n_copies):
            for start in range(0, len(pixels), _BATCH):
                batch = pixels[start : start + _BATCH]
                changed = batch if copy == 0 else _changed(batch, plan, copy, start)
                stream.write(np.ascontiguousarray(changed).tobytes())
                progress("copies", copy * len(pixels) + start + len(batch), total)


def _changed(batch: Pixels, plan: TrainingPlan, copy: int, start: int) -> Pixels:
    generator = seeded(torch.Generator(), plan.seed, copy, start)
    images = torch.from_numpy(np.array(batch)).permute(0, 3, 1, 2).float()
    changed = augment(images, plan.transforms, generator).clamp(0, 255).round()
    return changed.permute(0, 2, 3, 1).to(torch.uint8).numpy()
