"""Values of any depth -> 8 bits, and which way was taken."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.errors import UnreadableError

Values = npt.NDArray[np.float32]

#: Values of deeper images between these percentiles are spread over 8 bits; Pillow would clip.
WINDOW_PERCENTILES = (0.5, 99.5)
#: Values that percentiles are taken of, evenly spread over an image or a volume.
MAX_VALUES = 1_000_000

AS_STORED = "8 bits as stored"
BY_IMAGE = "percentiles 0.5 to 99.5 of the image"
BY_VOLUME = "percentiles 0.5 to 99.5 of the volume"
BY_WINDOW = "DICOM window"
BLANK = "one value everywhere"


class Picture(NamedTuple):
    """An upright image of 8 bits, and how its values were brought there.

    Grey stays one channel (mode ``L``, else ``RGB``), which is resized three times as fast.
    `scaling` is one of the constants of this module; some have a comma and a note behind them.
    """

    image: Image.Image
    scaling: str


def window_of(values: npt.NDArray[np.generic]) -> tuple[float, float]:
    """Percentiles between which values are spread; the extremes where these would coincide.

    Raises
    ------
    UnreadableError
        A value is infinite or no number.
    """
    flat = values.reshape(-1)
    some = _finite(flat[:: -(-flat.size // MAX_VALUES)])
    low, high = np.percentile(some, WINDOW_PERCENTILES)
    if low == high:
        low, high = flat.min(), flat.max()
    return float(low), float(high)


def spread(values: npt.NDArray[np.generic], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Values from `low` to `high` over 0 to 255, those beyond at the ends.

    Raises
    ------
    UnreadableError
        A value is infinite or no number.
    """
    # In doubles: the range of huge values overflows single precision.
    share = (_finite(values) - np.float64(low)) / max(high - low, 1e-12)
    return (share.clip(0, 1) * 255).round().astype(np.uint8)


def _finite(values: npt.NDArray[np.generic]) -> Values:
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    if not np.isfinite(found).all():
        msg = "values that are no numbers"
        raise UnreadableError(msg)
    return found


def picture(values: npt.NDArray[np.uint8], scaling: str) -> Picture:
    """A picture of grey values ``(H, W)`` or colours ``(H, W, 3)``."""
    image = Image.fromarray(np.ascontiguousarray(values))
    return Picture(image, BLANK if is_blank(image) else scaling)


def is_blank(image: Image.Image) -> bool:
    """Whether each channel has one value everywhere."""
    extrema: Any = image.getextrema()
    pairs = extrema if image.mode == "RGB" else [extrema]
    return all(low == high for low, high in pairs)


def spread_picture(values: npt.NDArray[np.generic], *, inverted: bool = False) -> Picture:
    """A picture of deep values, by their own percentiles; black and white may be exchanged."""
    found = spread(values, *window_of(values))
    return picture(255 - found if inverted else found, BY_IMAGE)
