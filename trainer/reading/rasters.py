"""PNG, JPEG, TIFF and their like -> 8-bit RGB pictures."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openjpeg
import tifffile
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, SAMPLEFORMAT

from trainer.errors import UnreadableError
from trainer.reading.scaling import AS_STORED, BLANK, Picture, is_blank, spread_picture

#: Pixels of one image above which a file is taken for a decompression bomb.
MAX_PIXELS = 100_000_000
#: Read whatever the suffix says. Others stay closed: EPS, say, is run by an interpreter.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
#: Values of the EXIF orientation that exchange width and height.
LYING = frozenset({5, 6, 7, 8})
#: Beginnings of a TIFF, and its word for signed values.
TIFF_MAGIC = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})
SIGNED = 2
#: Photometric interpretations whose values may be spread as they are.
SPREADABLE = frozenset(
    {
        tifffile.PHOTOMETRIC.MINISBLACK,
        tifffile.PHOTOMETRIC.MINISWHITE,
        tifffile.PHOTOMETRIC.RGB,
    }
)
#: What to do with an image that is not read as it is.
AS_PNG = "save it as PNG of 16 bits, or as TIFF of RGB without compression"
#: JPEG is decoded at least so many times larger than needed, as Pillow's thumbnails are.
REDUCING_GAP = 2


def check_size(*sides: int) -> None:
    """Refuse what would not fit into memory.

    Raises
    ------
    UnreadableError
        There are more than `MAX_PIXELS` pixels, or none.
    """
    n_pixels = int(np.prod(np.array(sides, dtype=np.float64)))
    if not n_pixels:
        msg = "no image"
        raise UnreadableError(msg)
    if n_pixels > MAX_PIXELS or n_pixels < 0:
        msg = "too many pixels"
        raise UnreadableError(msg)


def open_raster(path: Path) -> Image.Image:
    """An image whose header is read and whose size is allowed; its pixels are not read yet.

    Raises
    ------
    UnreadableError
        The image is too large, or a TIFF of an odd kind.
    OSError
        There is no image of a known format.
    """
    try:
        opened = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        msg = "too many pixels"
        raise UnreadableError(msg) from error
    except UnidentifiedImageError as error:
        if not _is_tiff(path):
            raise
        msg = f"damaged, or a TIFF of a kind that is not read: {AS_PNG}"
        raise UnreadableError(msg) from error
    check_size(opened.width, opened.height)
    return opened


def read_raster(path: Path, page: int | None = None, px: int | None = None) -> Picture:
    """One image upright; of several pages the first, unless one is named (from 0).

    Parameters
    ----------
    path : pathlib.Path
        The file.
    page : int or None
        Of a TIFF or an animation.
    px : int or None
        Side in pixels that is needed: JPEG is decoded no larger than makes sense for it.

    Raises
    ------
    UnreadableError
        The image is too large, has no such page, or cannot be decoded without loss of depth.
    Exception
        Whatever the library raises on damaged content.
    """
    with open_raster(path) as opened:
        turn_to(opened, page or 0)
        found = _read(path, page or 0, opened, px)
        several = page is None and _n_pages(opened) > 1
    return found._replace(scaling=found.scaling + ", first page") if several else found


def _read(path: Path, page: int, opened: Image.Image, px: int | None) -> Picture:
    if opened.format == "PNG" and _raw_mode(opened).endswith(";16B"):
        return _upright(spread_picture(_deep_png(path, opened)), _orientation(opened))
    deep = bits_of(opened) > 8
    if opened.format == "TIFF" and (deep or _is_signed(opened)):
        return _deep_tiff(path, page, opened)
    if opened.mode in {"I", "F"} or opened.mode.startswith("I;16"):
        return spread_picture(np.asarray(opened))
    if deep:  # Pillow would keep the high bytes, which may be black.
        msg = f"colours deeper than 8 bits in a format that is not read so: {AS_PNG}"
        raise UnreadableError(msg)
    if px:
        opened.draft(None, (REDUCING_GAP * px, REDUCING_GAP * px))
    ImageOps.exif_transpose(opened, in_place=True)
    image = opened.convert("L" if opened.mode == "L" else "RGB")
    return Picture(image, BLANK if is_blank(image) else AS_STORED)


def turn_to(opened: Image.Image, page: int) -> None:
    """Go to a page of a TIFF or an animation.

    Raises
    ------
    UnreadableError
        There is no such page, or it is too large.
    """
    if page >= _n_pages(opened):
        msg = f"no such page: it has {_n_pages(opened)}"
        raise UnreadableError(msg)
    if page:
        opened.seek(page)
        check_size(opened.width, opened.height)


def _n_pages(opened: Image.Image) -> int:
    """Pages or frames; the second of an MPO, which cameras write, is a preview."""
    return 1 if opened.format == "MPO" else int(getattr(opened, "n_frames", 1))


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in TIFF_MAGIC


def _is_signed(opened: Image.Image) -> bool:
    """Whether a TIFF holds signed values, which Pillow takes for unsigned ones where they are 8."""
    return SIGNED in opened.tag_v2.get(SAMPLEFORMAT, ())  # type: ignore[attr-defined]


def _raw_mode(opened: Image.Image) -> str:
    """How pixels lie in the file, in Pillow's words."""
    return str(next(iter(_arguments(opened)), ""))


def _arguments(opened: Image.Image) -> tuple[Any, ...]:
    """What Pillow's decoder is told of the file; the raw mode comes first."""
    tiles = getattr(opened, "tile", [])
    args = tiles[0].args if tiles else ()
    return args if isinstance(args, tuple) else (args,)


def bits_of(opened: Image.Image) -> int:
    """Bits per channel in the file; Pillow opens colour of 16 bits with 8."""
    if opened.format == "TIFF":
        return int(max(opened.tag_v2.get(BITSPERSAMPLE, (1,))))  # type: ignore[attr-defined]
    if opened.format == "JPEG2000":
        return int(openjpeg.get_parameters(opened.filename)["precision"])  # type: ignore[attr-defined]
    if opened.format == "PPM" and opened.mode != "F" and (most := _arguments(opened)[1:]):
        return int(most[0]).bit_length()
    if ";16" in opened.mode or ";16" in _raw_mode(opened):
        return 16
    return {"1": 1, "I": 32, "F": 32}.get(opened.mode, 8)


def is_grey(opened: Image.Image) -> bool:
    """Whether the file can hold nothing but grey."""
    return opened.mode in GREY_MODES or opened.mode.startswith("I;16")


def upright_size(opened: Image.Image) -> tuple[int, int]:
    """Width and height of the upright image; a PNG is taken to stand upright.

    Pillow decodes a whole PNG to look for EXIF behind the pixels.
    """
    lying = opened.format != "PNG" and _orientation(opened) in LYING
    return (opened.height, opened.width) if lying else (opened.width, opened.height)


def _orientation(opened: Image.Image) -> int:
    return int(opened.getexif().get(ExifTags.Base.Orientation, 1))


def _upright(found: Picture, orientation: int) -> Picture:
    found.image.getexif()[ExifTags.Base.Orientation] = orientation
    ImageOps.exif_transpose(found.image, in_place=True)
    return found


def _deep_png(path: Path, opened: Image.Image) -> npt.NDArray[np.uint16]:
    """Grey ``(H, W)`` or colour ``(H, W, 3)`` of 16 bits; grey with an alpha has four bytes."""
    raw = _raw_mode(opened)
    if opened.mode.startswith("I"):
        return np.asarray(opened).astype(np.uint16)
    if raw == "LA;16B":
        found = _bytes_as(path, 0, "RGBA")
        return found[..., 0] * np.uint16(256) + found[..., 1]
    return _both_bytes(path, 0, raw, raw.replace("16B", "16L"))


def _both_bytes(path: Path, page: int, raw: str, exchanged: str) -> npt.NDArray[np.uint16]:
    """Colours ``(H, W, 3)`` of 16 bits: Pillow keeps the high byte only.

    So the file is read a second time, as if the bytes of each value were `exchanged`.
    """
    high, low = _bytes_as(path, page, raw), _bytes_as(path, page, exchanged)
    return (high * np.uint16(256) + low)[..., :3]


def _bytes_as(path: Path, page: int, raw: str) -> npt.NDArray[np.uint16]:
    with open_raster(path) as opened:
        opened.seek(page)
        (tile,) = opened.tile  # type: ignore[attr-defined]
        args = raw if isinstance(tile.args, str) else (raw, *tile.args[1:])
        opened.tile = [tile._replace(args=args)]  # type: ignore[attr-defined]
        return np.asarray(opened).astype(np.uint16)


def _deep_tiff(path: Path, page: int, opened: Image.Image) -> Picture:
    """By tifffile, which keeps the depth; what it has no decoder for by Pillow."""
    orientation = _orientation(opened)
    with tifffile.TiffFile(path) as file:
        read = file.pages[page].aspage()
        if read.photometric not in SPREADABLE:
            msg = f"colours deeper than 8 bits that are neither grey nor RGB: {AS_PNG}"
            raise UnreadableError(msg)
        if read.imagedepth > 1:
            msg = "a volume in one page: save its slices as pages of their own"
            raise UnreadableError(msg)
        inverted = read.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        separate = read.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        check_size(*read.shape)
        try:
            values = read.asarray()
        except (ValueError, ImportError):
            # Pillow turns a TIFF upright by itself.
            values = _by_pillow(path, page, opened, separate=separate)
            return spread_picture(values, inverted=inverted)
    if values.ndim == 3 and separate:
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3:
        values = values[..., :3] if values.shape[-1] > 2 else values[..., 0]
    return _upright(spread_picture(values, inverted=inverted), orientation)


def _by_pillow(
    path: Path, page: int, opened: Image.Image, *, separate: bool
) -> npt.NDArray[np.generic]:
    """Grey or colours, compressed with LZW, say; planes that are `separate` cannot be had whole."""
    if opened.mode in {"I", "F"} or opened.mode.startswith("I;16"):
        return np.asarray(opened)
    raw = _raw_mode(opened)
    if separate or not raw.endswith(";16N"):
        msg = f"colours deeper than 8 bits, compressed in a way that is not read: {AS_PNG}"
        raise UnreadableError(msg)
    exchanged = raw.replace("16N", "16B" if sys.byteorder == "little" else "16L")
    return _both_bytes(path, page, raw, exchanged)
