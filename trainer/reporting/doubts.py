"""Why what a model says of an image is to be doubted, as far as the image shows it."""

import numpy as np
import numpy.typing as npt

#: A side shorter than this share of the network's input is mostly made up by resizing.
LEAST_SHARE = 0.25
#: Times that one side may be as long as the other.
LONGEST_RATIO = 4


def doubts(
    pixels: npt.NDArray[np.uint8], width_px: int, height_px: int, input_px: int
) -> tuple[str, ...]:
    """What speaks against an answer, in sentences; nothing does not mean that it is right.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (px, px, 3)
        As the network was given them.
    width_px, height_px : int
        Sides of the image before it was squeezed to a square.
    input_px : int
        Side of that square.
    """
    found = []
    if (pixels == pixels[0, 0]).all():
        found.append("The image shows nothing: all that the network was given is one colour.")
    short, long = sorted((width_px, height_px))
    size = f"{width_px} by {height_px} pixels"
    if short < LEAST_SHARE * input_px:
        found.append(
            f"The image is small: it has {size}, the network looks at {input_px} by {input_px}; "
            "most of what it was given is made up by enlarging."
        )
    if long > LONGEST_RATIO * short:
        found.append(
            f"The image is a strip of {size}: squeezed to a square, what it shows is distorted."
        )
    return tuple(found)
