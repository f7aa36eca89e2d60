"""What is said beside an answer where the image itself speaks against it."""

import numpy as np
import numpy.typing as npt
import pytest

from trainer.reporting.doubts import doubts

NOISE = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
BLACK, ORANGE = np.zeros_like(NOISE), np.full_like(NOISE, (250, 120, 0))


def spots() -> npt.NDArray[np.uint8]:
    """One pixel that differs, in one channel."""
    found = BLACK.copy()
    found[31, 31, 2] = 1
    return found


@pytest.mark.parametrize("pixels", [BLACK, ORANGE])
def test_one_colour_shows_nothing(pixels: npt.NDArray[np.uint8]) -> None:
    (said,) = doubts(pixels, 32, 32, 32)
    assert "shows nothing" in said


@pytest.mark.parametrize("pixels", [NOISE, spots()])
def test_an_image_with_something_on_it_is_not_doubted(pixels: npt.NDArray[np.uint8]) -> None:
    assert doubts(pixels, 32, 32, 32) == ()


@pytest.mark.parametrize(("side", "told"), [(8, False), (7, True)])
def test_an_image_is_small_below_a_quarter_of_what_the_network_looks_at(
    side: int, told: bool
) -> None:
    found = "".join(doubts(NOISE, 20, side, 32))
    assert (f"{side} pixels, the network looks at 32 by 32" in found) == told


@pytest.mark.parametrize(("long", "told"), [(400, False), (401, True)])
def test_a_strip_is_more_than_four_times_as_long_as_wide(long: int, told: bool) -> None:
    for sides in ((long, 100), (100, long)):
        assert any("a strip" in line for line in doubts(NOISE, *sides, 224)) == told
