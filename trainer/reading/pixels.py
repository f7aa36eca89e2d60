"""One image of a set, whatever its format -> an upright 8-bit picture.

An image is a file, or a frame of it that is named by its number: ``cine.dcm#12`` is the frame, and
``volume.nii.gz#40`` the axial slice, with 12 or 40 before it. A file of several that is named
without a number gives the middle one; pages of a TIFF count from the first.
"""

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import UnidentifiedImageError

from trainer.errors import UnreadableError
from trainer.reading import dicom, nifti, rasters
from trainer.reading.scaling import Picture

Kind = Literal["raster", "DICOM", "NIfTI"]

#: Bytes that tell the kind of a file.
BEGINNING_BYTES = 540
DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
NIFTI_SUFFIXES = frozenset({".nii", ".nii.gz"})

# They log what they find in damaged files, which may be a name.
for _name in ("PIL", "pydicom", "tifffile"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class Header(NamedTuple):
    """What a file says of its pixels before they are read; sides of the upright image."""

    width_px: int
    height_px: int
    format: str
    bits: int
    grey: bool


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Decoders' warnings are not shown: what matters is raised, and they may quote the file.

    Around a pool of threads, never within one: Python keeps one list of filters for all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def split_item(item: Path) -> tuple[Path, int | None]:
    """File and number of the frame that an item names; a file that is called so is the file."""
    found = re.fullmatch(r"(.+)#(\d{1,9})", item.name)
    if found is None or item.exists():
        return item, None
    return item.with_name(found[1]), int(found[2])


def kind_of(path: Path) -> Kind:
    """Kind by content; by suffix where DICOM came without its preamble.

    Raises
    ------
    UnreadableError
        There is no such file, or nothing in it.
    OSError
        It may not be opened.
    """
    if not path.is_file():
        msg = "missing"
        raise UnreadableError(msg)
    with path.open("rb") as stream:
        beginning = stream.read(BEGINNING_BYTES)
    if not beginning:
        msg = "empty file"
        raise UnreadableError(msg)
    if beginning[dicom.MAGIC_AT :].startswith(dicom.MAGIC):
        return "DICOM"
    if nifti.is_nifti(beginning):
        return "NIfTI"
    return "DICOM" if path.suffix.lower() in DICOM_SUFFIXES else "raster"


def read_picture(item: Path, px: int | None = None) -> Picture:
    """Picture of an item at its own size, or somewhat smaller where only `px` are needed.

    Raises
    ------
    UnreadableError
        Nothing can be seen of it; the reason is free of what the file holds.
    """
    path, number = split_item(item)
    with told():
        kind = kind_of(path)
        if kind == "DICOM":
            return dicom.read_dicom(path, number)
        if kind == "NIfTI":
            return nifti.read_nifti(path, number)
        return rasters.read_raster(path, number, px)


def read_header(item: Path) -> Header:
    """What the file of an item says of its pixels.

    Raises
    ------
    UnreadableError
        There is no image, or one that is too large.
    """
    path, number = split_item(item)
    with told("no image"):
        kind = kind_of(path)
        if kind == "DICOM":
            width, height, bits, grey, _frames = dicom.read_header(path)
            return Header(width, height, kind, bits, grey)
        if kind == "NIfTI":
            width, height, bits, _slices = nifti.read_header(path)
            return Header(width, height, kind, bits, grey=True)
        with rasters.open_raster(path) as opened:
            rasters.turn_to(opened, number or 0)
            size = rasters.upright_size(opened)
            grey = rasters.is_grey(opened)
            return Header(*size, opened.format or "unknown", rasters.bits_of(opened), grey)


@contextlib.contextmanager
def told(otherwise: str = "damaged") -> Iterator[None]:
    """Every failure of a decoder as one of few reasons: its own words may quote the file.

    Decoders raise nearly anything on damaged content, so nothing narrower will do.
    """
    try:
        yield
    except UnreadableError:
        raise
    except PermissionError as error:
        msg = "may not be opened"
        raise UnreadableError(msg) from error
    except Exception as error:
        raise UnreadableError(_reason(error, otherwise)) from None


def _reason(error: Exception, otherwise: str) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image"
    if isinstance(error, MemoryError):
        return "damaged, or too large for the memory"
    if isinstance(error, RuntimeError | NotImplementedError):
        return "damaged, or compressed in a way that is not read"
    return otherwise
