"""NIfTI volumes -> 8-bit pictures of axial slices.

A slice is 2.5-D: its neighbours below and above are the first and the third channel, so that a
network for colours sees a little of the depth. The least and the greatest grey are percentiles of
the whole volume: slices of one volume stay comparable.
"""

import gzip
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, NamedTuple, cast

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel import imageglobals

from trainer.errors import UnreadableError
from trainer.reading.rasters import check_size
from trainer.reading.scaling import BY_VOLUME, Picture, picture, spread, window_of

#: Beginning of a compressed file; where and what the header says of itself otherwise.
GZIP = b"\x1f\x8b"
HEADER_BYTES = 540
MAGIC = {344: b"n+1\0", 4: b"n+2\0"}
#: Size of a volume, and of the notes before it, above which a file is taken for a bomb.
MAX_VOLUME_BYTES = 2**31
MAX_NOTES_BYTES = 2**26

# Said of damaged headers on standard error, in the middle of a progress bar.
imageglobals.logger.disabled = True
#: As many volumes are read at a time, each of which may take gigabytes; as many are kept.
LOCKS = (Lock(), Lock())
#: Its functions have types here and there only.
_NIBABEL: Any = nibabel


class Header(NamedTuple):
    """Size of an axial slice, their number, and bits of a value."""

    width_px: int
    height_px: int
    bits: int
    n_slices: int


class _Volume(NamedTuple):
    """Values ``(slices, H, W)``, seen from the feet: anterior on top, the right side left."""

    values: npt.NDArray[Any]
    low: float
    high: float
    scaling: str


def is_nifti(beginning: bytes) -> bool:
    """Whether a file that begins so is compressed or a NIfTI file."""
    return beginning.startswith(GZIP) or any(
        beginning[at : at + len(magic)] == magic for at, magic in MAGIC.items()
    )


def read_header(path: Path) -> Header:
    """What the header says of the slices.

    Raises
    ------
    UnreadableError
        The file holds no volume, or one that is too large.
    """
    with _stream(path) as stream:
        image = _opened(stream)
        slices, height, width = (_sides(image)[axis] for axis in _axes(image)[0])
        return Header(width, height, 8 * image.header.get_data_dtype().itemsize, slices)


def read_nifti(path: Path, number: int | None = None) -> Picture:
    """One axial slice: the one that is named (from 0, as it is stored), else the middle one.

    Of a series of volumes the first is taken.

    Raises
    ------
    UnreadableError
        The file holds no volume of numbers, has no such slice, or is too large.
    Exception
        Whatever the library raises on damaged content.
    """
    status = path.stat()
    # Whoever asks for another slice of the same file waits for the volume that is being read.
    with LOCKS[hash(path) % len(LOCKS)]:
        volume = _volume(path, status.st_mtime_ns, status.st_size)
    n_slices = len(volume.values)
    middle = n_slices // 2 if number is None else number
    if middle >= n_slices:
        msg = f"no such slice: it has {n_slices}"
        raise UnreadableError(msg)
    near = np.clip([middle - 1, middle, middle + 1], 0, n_slices - 1)
    channels = spread(np.moveaxis(volume.values[near], 0, -1), volume.low, volume.high)
    several = number is None and n_slices > 1
    return picture(channels, volume.scaling + (", middle slice" if several else ""))


# Slices of one volume are mostly asked for one after the other.
@lru_cache(maxsize=len(LOCKS))
def _volume(path: Path, _modified_ns: int, _size: int) -> _Volume:
    with _stream(path) as stream:
        image = _opened(stream)
        raw = image.dataobj.get_unscaled()
        stream.read(1)  # At the end of a compressed file its checksum is compared.
    order, flips = _axes(image)
    series = raw.reshape((*_sides(image), -1))
    seen, scaling = _filled(series[..., 0].transpose(order)[:, :: flips[0], :: flips[1]])
    if series.shape[-1] > 1:
        scaling += ", first volume"
    low, high = window_of(seen)
    # Percentiles take a positive slope away again; a negative one exchanges black and white.
    if float(image.dataobj.slope) < 0:
        return _Volume(-seen.astype(np.float32), -high, -low, scaling)
    return _Volume(seen, low, high, scaling)


def _filled(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], str]:
    """Volumes with the least value where resampling left none, as it does outside of the body."""
    if values.dtype.kind != "f":
        return values, BY_VOLUME
    finite = np.isfinite(values)
    if finite.all() or not finite.any():
        return values, BY_VOLUME
    return np.where(finite, values, values[finite].min()), f"{BY_VOLUME}, holes black"


def _stream(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        compressed = stream.read(len(GZIP)) == GZIP
    return cast("BinaryIO", gzip.open(path)) if compressed else path.open("rb")


def _opened(stream: BinaryIO) -> Any:
    """An image whose header is read and whose size is allowed; its values are not read yet."""
    beginning = stream.read(HEADER_BYTES)
    if not is_nifti(beginning) or beginning.startswith(GZIP):
        msg = "no image"
        raise UnreadableError(msg)
    stream.seek(0)
    second = beginning[4:8] == MAGIC[4]
    header = (_NIBABEL.Nifti2Header if second else _NIBABEL.Nifti1Header)(
        beginning[: 540 if second else 348], check=False
    )
    kind = header.get_data_dtype()
    n_bytes = float(np.prod(np.array(header.get_data_shape(), dtype=np.float64))) * kind.itemsize
    if n_bytes > MAX_VOLUME_BYTES or header.get_data_offset() > MAX_NOTES_BYTES:
        msg = "too many pixels"
        raise UnreadableError(msg)
    if kind.kind not in "iuf":
        msg = "values that are no plain numbers"
        raise UnreadableError(msg)
    image = (_NIBABEL.Nifti2Image if second else _NIBABEL.Nifti1Image).from_stream(stream)
    check_size(*_sides(image)[:2])
    check_size(*_sides(image)[1:])
    return image


def _sides(image: Any) -> tuple[int, int, int]:
    """Voxels along the first three axes; those that are not there count one."""
    width, height, depth = (*image.shape, 1, 1, 1)[:3]
    return int(width), int(height), int(depth)


def _axes(image: Any) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """Stored axes that run along the body, to the front and to the side; steps of the last two."""
    found = _NIBABEL.io_orientation(image.affine)
    if not np.isfinite(found).all():
        found = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    side, front, along = (int(np.flatnonzero(found[:, 0] == axis)[0]) for axis in range(3))
    # Stored from the back to the front, and from left to right, is seen the other way round.
    return (along, front, side), (-int(found[front, 1]), -int(found[side, 1]))
