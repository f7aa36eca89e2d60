"""Batches hold each image once, in order, with its own target; the next is made ahead."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.backbones import Preprocessing
from trainer.features import _scale_and_shift, to_input
from trainer.tuning.feeding import Picked, ahead, inputs, iterate

CPU = torch.device("cpu")
STEPS = Preprocessing(4, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear")


@given(order=st.permutations(range(11)), size=st.integers(1, 12), n=st.integers(0, 11))
def test_every_image_comes_once_in_order_with_its_target(
    order: list[int], size: int, n: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3), dtype=np.uint8)
    targets, index = np.arange(11) * 10, np.array(order[:n], dtype=np.intp)
    parts = [index[start : start + size] for start in range(0, n, size)]
    found = list(iterate(pixels, targets, parts, STEPS, CPU))
    assert [len(images) for images, _ in found] == [len(part) for part in parts]
    if n:
        assert torch.cat([y for _, y in found]).tolist() == targets[index].tolist()
        expected = to_input(pixels[index], STEPS, CPU)
        torch.testing.assert_close(torch.cat([x for x, _ in found]), expected, rtol=0, atol=0)


@pytest.mark.parametrize("size", [1, 3, 50])
def test_all_images_come_in_their_order(size: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)
    found = list(inputs(pixels, size, STEPS, CPU))
    assert max(map(len, found)) <= size
    torch.testing.assert_close(torch.cat(found), to_input(pixels, STEPS, CPU), rtol=0, atol=0)


def test_picked_images_are_those_of_the_array(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    numbers = np.array([7, 2, 2, 0])
    picked = Picked(np.load(tmp_path / "pixels.npy", mmap_mode="r"), numbers)
    np.testing.assert_array_equal(np.asarray(picked), pixels[numbers])
    torch.testing.assert_close(
        torch.cat(list(inputs(picked, 3, STEPS, CPU))), to_input(pixels[numbers], STEPS, CPU)
    )


def test_targets_may_be_rows() -> None:
    pixels, targets = np.zeros((3, 4, 4, 3), dtype=np.uint8), np.eye(3, dtype=np.float32)
    [(_, found)] = iterate(pixels, targets, [np.array([2, 0])], STEPS, CPU)
    assert found.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_normal_values_are_those_of_the_formula_and_channels_last() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    found = to_input(pixels, STEPS, CPU)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (STEPS.mean, STEPS.std))
    expected = (torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255 - mean) / std
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_pixels_that_may_not_be_written_are_taken_without_a_word() -> None:
    pixels = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    assert to_input(pixels, STEPS, CPU).shape == (2, 3, 4, 4)


def test_normalising_inside_inference_leaves_nothing_that_training_cannot_use() -> None:
    steps = Preprocessing(4, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bilinear")
    with torch.inference_mode():
        to_input(np.zeros((1, 4, 4, 3), dtype=np.uint8), steps, CPU)
    assert not any(tensor.is_inference() for tensor in _scale_and_shift(steps.mean, steps.std, CPU))


def test_the_next_is_made_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(4)]

    def make(number: int) -> int:
        made[number].set()
        return number

    for number in ahead(make, 4):
        if number < 3:
            assert made[number + 1].wait(10)
        assert not any(event.is_set() for event in made[number + 2 :])


def test_nothing_is_made_of_nothing() -> None:
    assert list(ahead(lambda number: number, 0)) == []


def test_what_fails_in_the_thread_is_raised() -> None:
    def make(number: int) -> int:
        return 1 // (1 - number)

    with pytest.raises(ZeroDivisionError, match="division"):
        list(ahead(make, 2))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_batches_on_a_gpu_are_those_of_the_cpu() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    targets = np.arange(50)
    parts = np.array_split(np.random.default_rng(1).permutation(50), 7)
    there = list(iterate(pixels, targets, parts, STEPS, torch.device("cuda")))
    here = list(iterate(pixels, targets, parts, STEPS, CPU))
    for (x, y), (u, v) in zip(there, here, strict=True):
        torch.testing.assert_close(x.cpu(), u, rtol=1e-6, atol=1e-6)
        assert y.tolist() == v.tolist()
