"""PNG, JPEG, TIFF and their like -> 8-bit RGB pictures."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import ExifTags, Image, ImageOps
from PIL.TiffImagePlugin import BITSPERSAMPLE

from trainer.errors import UnreadableError
from trainer.reading.scaling import AS_STORED, BLANK, Picture, is_blank, spread_picture

#: Pixels of one image above which a file is taken for a decompression bomb.
MAX_PIXELS = 100_000_000
#: Read whatever the suffix says. Others stay closed: EPS, say, is run by an interpreter.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
#: Values of the EXIF orientation that exchange width and height.
LYING = frozenset({5, 6, 7, 8})
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
        The image is too large.
    OSError
        There is no image of a known format.
    """
    try:
        opened = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        msg = "too many pixels"
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
        _turn_to(opened, page or 0)
        if opened.format == "PNG" and _raw_mode(opened).endswith(";16B"):
            return _upright(spread_picture(_deep_png(path, opened)), _orientation(opened))
        if opened.format == "TIFF" and bits_of(opened) > 8:
            return _deep_tiff(path, page or 0, opened)
        if opened.mode in {"I", "F"} or opened.mode.startswith("I;16"):
            return spread_picture(np.asarray(opened))
        if px:
            opened.draft(None, (REDUCING_GAP * px, REDUCING_GAP * px))
        ImageOps.exif_transpose(opened, in_place=True)
        image = opened.convert("L" if opened.mode == "L" else "RGB")
    return Picture(image, BLANK if is_blank(image) else AS_STORED)


def _turn_to(opened: Image.Image, page: int) -> None:
    if page >= getattr(opened, "n_frames", 1):
        msg = f"no such page: it has {getattr(opened, 'n_frames', 1)}"
        raise UnreadableError(msg)
    if page:
        opened.seek(page)
        check_size(opened.width, opened.height)


def _raw_mode(opened: Image.Image) -> str:
    """How pixels lie in the file, in Pillow's words."""
    tiles = getattr(opened, "tile", [])
    return str(tiles[0][3]) if tiles else ""


def bits_of(opened: Image.Image) -> int:
    """Bits per channel in the file; Pillow opens colour of 16 bits with 8."""
    if opened.format == "TIFF":
        return int(max(opened.tag_v2.get(BITSPERSAMPLE, (1,))))  # type: ignore[attr-defined]
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
    """Grey ``(H, W)`` or colour ``(H, W, 3)`` of 16 bits.

    Pillow keeps the high byte of a colour only, so the file is read as if the bytes were
    exchanged too; grey with an alpha is read as four bytes.
    """
    raw = _raw_mode(opened)
    if opened.mode.startswith("I"):
        return np.asarray(opened).astype(np.uint16)
    if raw == "LA;16B":
        found = _bytes_as(path, "RGBA")
        return found[..., 0] * np.uint16(256) + found[..., 1]
    high, low = _bytes_as(path, raw), _bytes_as(path, raw.replace("16B", "16L"))
    return (high * np.uint16(256) + low)[..., :3]


def _bytes_as(path: Path, raw: str) -> npt.NDArray[np.uint16]:
    with open_raster(path) as opened:
        opened.tile = [opened.tile[0]._replace(args=raw)]  # type: ignore[attr-defined]
        return np.asarray(opened).astype(np.uint16)


def _deep_tiff(path: Path, page: int, opened: Image.Image) -> Picture:
    """By tifffile, which keeps the depth; grey that it has no decoder for by Pillow."""
    orientation = _orientation(opened)
    with tifffile.TiffFile(path) as file:
        read = file.pages[page].aspage()
        inverted = read.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        check_size(*read.shape)
        try:
            values = np.squeeze(read.asarray())
        except (ValueError, ImportError) as error:
            if opened.mode not in {"I", "F"} and not opened.mode.startswith("I;16"):
                msg = "colours deeper than 8 bits, compressed in a way that is not read"
                raise UnreadableError(msg) from error
            # Pillow turns a TIFF upright by itself.
            return spread_picture(np.asarray(opened), inverted=inverted)
    if values.ndim == 3 and read.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3:
        values = values[..., :3] if values.shape[-1] > 2 else values[..., 0]
    return _upright(spread_picture(values, inverted=inverted), orientation)
