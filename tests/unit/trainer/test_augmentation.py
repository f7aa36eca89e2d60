"""Each kind of change does what its name says; copies are written once and counted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from recommender.plan import MILD, TrainingPlan, TransformKind
from tests.unit.trainer.tuning import files_of_at_most, quiet, tuning_plan
from trainer.errors import TrainingError
from trainer.tuning.augmentation import augment, seeded, write_copies

EVERY: tuple[TransformKind, ...] = (
    *MILD, "horizontal_flip", "vertical_flip", "quarter_turn", "colour",
)  # fmt: skip


def drawn(images: Tensor, *kinds: TransformKind, seed: int = 0) -> Tensor:
    return augment(images, kinds, torch.Generator().manual_seed(seed))


def smooth(n: int) -> Tensor:
    """Images without fine detail, which resampling would blur."""
    rows = torch.linspace(0, 1, 32).view(1, 1, -1, 1)
    columns = torch.linspace(0, 2, 32).view(1, 1, 1, -1)
    return (rows + columns**2).expand(n, 3, 32, 32).contiguous()


def test_without_kinds_nothing_changes() -> None:
    images = torch.rand(3, 3, 8, 8)
    assert torch.equal(drawn(images), images)


@pytest.mark.parametrize(("kind", "side"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_a_flip_mirrors_about_half_of_the_images(kind: TransformKind, side: int) -> None:
    images = torch.rand(1, 3, 8, 8).expand(60, 3, 8, 8)
    found = drawn(images, kind)
    mirrored = (found - images.flip(side)).abs().amax((1, 2, 3)) < 1e-4
    same = (found - images).abs().amax((1, 2, 3)) < 1e-4
    assert bool((mirrored | same).all())
    assert 15 < mirrored.sum() < 45


def test_a_quarter_turn_takes_all_four_directions() -> None:
    images = torch.rand(1, 3, 8, 8).expand(60, 3, 8, 8)
    found = drawn(images, "quarter_turn")
    turned = torch.stack([images.rot90(times, (2, 3)) for times in range(4)])
    which = (turned - found).abs().amax((2, 3, 4)) < 1e-4
    assert bool((which.sum(0) == 1).all())
    assert bool((which.sum(1) > 5).all())


@pytest.mark.parametrize("kind", ["small_rotation", "shift", "zoom"])
def test_a_mild_move_changes_every_image_a_little(kind: TransformKind) -> None:
    images = smooth(20)
    distance = (drawn(images, kind) - images).abs().mean((1, 2, 3))
    assert bool((distance > 1e-4).all())
    assert bool((distance < 0.3).all())
    assert len(set(distance.tolist())) == 20


def test_contrast_keeps_the_mean_and_scales_the_rest() -> None:
    images = torch.rand(20, 3, 8, 8)
    found = drawn(images, "contrast")
    assert torch.allclose(found.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-5)
    ratio = found.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.8 <= ratio.min() < 0.9
    assert 1.1 < ratio.max() <= 1.2


def test_colour_changes_the_channels_apart_and_nothing_in_place() -> None:
    images = smooth(20)
    found = drawn(images, "colour")
    assert not torch.allclose(found[:, 0], found[:, 1], atol=1e-3)
    for channel in range(3):
        both = torch.stack([images[0, channel].flatten(), found[0, channel].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.999


def test_each_image_is_changed_on_its_own_and_the_generator_decides_how() -> None:
    images = torch.rand(1, 3, 32, 32).expand(6, 3, 32, 32).contiguous()
    first = drawn(images, *EVERY)
    assert torch.equal(first, drawn(images, *EVERY))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, drawn(images, *EVERY, seed=1))
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_what_is_drawn_for_a_step_depends_on_no_step_before() -> None:
    fresh = torch.rand(3, generator=seeded(torch.Generator(), 1, 2))
    used = torch.Generator()
    torch.rand(7, generator=used)
    assert torch.equal(torch.rand(3, generator=seeded(used, 1, 2)), fresh)
    assert not torch.equal(torch.rand(3, generator=seeded(used, 2, 1)), fresh)


def pixels_of(n: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def offline(**fields: Any) -> TrainingPlan:
    return tuning_plan(augmentation="offline", n_copies=3, **fields)


def test_copies_follow_the_images_they_were_made_of(tmp_path: Path) -> None:
    pixels = pixels_of(40)
    found = write_copies(tmp_path / "copies", pixels, offline(), quiet)
    assert found.pixels.shape == (120, 8, 8, 3)
    assert found.pixels.dtype == np.uint8
    assert np.array_equal(found.pixels[:40], pixels)
    assert np.array_equal(found.origin, [*range(40)] * 3)
    # Mild changes leave a copy nearest to the image that it was made of.
    flat = found.pixels.reshape(3, 40, -1).astype(float)
    for copy in flat[1:]:
        assert not np.array_equal(copy, flat[0])
        distance = np.abs(copy[:, None] - flat[0][None]).mean(2)
        assert (distance.argmin(1) == range(40)).mean() > 0.9
    assert not np.array_equal(flat[1], flat[2])


def test_copies_are_counted_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    first, second, other = (
        write_copies(tmp_path / name, pixels_of(5), offline(seed=seed), quiet).pixels
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    about = json.loads((tmp_path / "a" / "copies.json").read_text(encoding="utf-8"))
    assert (about["n_images"], about["n_copies"], about["n_written"]) == (5, 3, 15)


def test_copies_are_written_once(tmp_path: Path) -> None:
    write_copies(tmp_path, pixels_of(5), offline(), quiet)
    written = (tmp_path / "copies.npy").stat().st_ino

    def nobody(_stage: str, _done: int, _total: int) -> None:
        pytest.fail("copies were written again")

    write_copies(tmp_path, pixels_of(5), offline(), nobody)
    assert (tmp_path / "copies.npy").stat().st_ino == written
    assert len(write_copies(tmp_path, pixels_of(6), offline(), quiet).pixels) == 18


def test_copies_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "copies").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"cannot write .*copies"):
        write_copies(tmp_path / "copies", pixels_of(5), offline(), quiet)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    with files_of_at_most(1000), pytest.raises(TrainingError, match="too large"):
        write_copies(tmp_path, pixels_of(20), offline(), quiet)
    assert not list(tmp_path.iterdir())
