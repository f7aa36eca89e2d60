"""Rasters of odd kinds come out as they look, or one reason says that they do not; never black."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import openjpeg
import pytest
import tifffile
from PIL import Image

from tests.unit.trainer.pictures import RAMP, grey, is_ramp, saved, write_lzw
from trainer.errors import UnreadableError
from trainer.reading.pixels import read_header, read_picture
from trainer.reading.scaling import AS_STORED

COLOUR = np.stack([RAMP, RAMP // 2, np.zeros_like(RAMP)], -1)
PLAIN = np.arange(64, dtype=np.uint8)[None].repeat(8, 0) * np.uint8(4)


def colours(path: Path) -> np.ndarray:
    return np.asarray(read_picture(path).image.convert("RGB")).astype(int)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_deep_colours_compressed_with_lzw_keep_their_depth(
    tmp_path: Path, byteorder: Literal["<", ">"]
) -> None:
    lzw = colours(write_lzw(tmp_path / "lzw.tif", COLOUR, byteorder))
    tifffile.imwrite(tmp_path / "plain.tif", COLOUR, photometric="rgb")
    assert np.array_equal(lzw, colours(tmp_path / "plain.tif"))
    assert is_ramp(lzw[..., 0])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"photometric": "separated"}, "neither grey nor RGB: save it as PNG of 16 bits"),
        ({"photometric": "minisblack", "planarconfig": "contig"}, "a kind that is not read: save"),
    ],
)
def test_deep_colours_of_odd_kinds_are_refused_with_what_to_do(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    n_channels = 4 if options["photometric"] == "separated" else 5
    tifffile.imwrite(tmp_path / "odd.tif", np.stack([RAMP] * n_channels, -1), **options)
    with pytest.raises(UnreadableError, match=reason):
        read_picture(tmp_path / "odd.tif")


def test_a_tiff_of_doubles_says_what_to_do(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "f64.tif", RAMP.astype(np.float64), photometric="minisblack")
    for read in (read_picture, read_header):
        with pytest.raises(
            UnreadableError, match="TIFF of a kind that is not read: save it as PNG"
        ):
            read(tmp_path / "f64.tif")


def test_a_volume_in_one_page_is_no_picture(tmp_path: Path) -> None:
    volume = np.stack([RAMP] * 16)
    tifffile.imwrite(tmp_path / "v.tif", volume, volumetric=True, tile=(16, 16, 16))
    with pytest.raises(UnreadableError, match="a volume in one page: save its slices"):
        read_picture(tmp_path / "v.tif")


def test_signed_values_of_eight_bits_are_not_wrapped(tmp_path: Path) -> None:
    values = (PLAIN.astype(int) - 128).astype(np.int8)
    tifffile.imwrite(tmp_path / "signed.tif", values, photometric="minisblack")
    assert (np.diff(grey(tmp_path / "signed.tif")[0].astype(int)) >= 0).all()


def test_deep_colours_of_a_ppm_are_refused_not_black(tmp_path: Path) -> None:
    """Pillow keeps the high bytes, which are nearly nothing of values of 12 bits."""
    path = tmp_path / "deep.ppm"
    path.write_bytes(b"P6 64 64 65535\n" + COLOUR.astype(">u2").tobytes())
    with pytest.raises(UnreadableError, match=r"deeper than 8 bits .*: save it as PNG of 16 bits"):
        read_picture(path)
    assert read_header(path).bits == 16


def test_deep_colours_of_a_jpeg_2000_are_refused_not_black(tmp_path: Path) -> None:
    path = tmp_path / "deep.j2k"
    path.write_bytes(openjpeg.utils.encode_array(COLOUR, photometric_interpretation=1))
    with pytest.raises(UnreadableError, match=r"deeper than 8 bits .*: save it as PNG of 16 bits"):
        read_picture(path)
    plain = saved(tmp_path / "plain.jp2", np.stack([PLAIN] * 3, -1))
    assert np.array_equal(grey(plain), PLAIN)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pbm", b"P1\n2 1\n1 0\n"), ("b.pbm", b"P4\n2 1\n\x80"), ("c.pgm", b"P2\n2 1\n255\n0 255\n"),
     ("d.pgm", b"P5\n2 1\n4095\n\0\0\x0f\xff"), ("e.pfm", b"Pf\n2 1\n-1.0\n\0\0\0\0\0\0\x80\x3f")],
)  # fmt: skip
def test_each_portable_map_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert grey(tmp_path / name).tolist() == [[0, 255]]


@pytest.mark.parametrize("name", ["pages.tif", "film.gif", "film.webp"])
def test_that_only_the_first_of_several_pages_is_taken_is_told(tmp_path: Path, name: str) -> None:
    pages = [Image.fromarray(PLAIN + np.uint8(number)) for number in range(3)]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:], lossless=True)
    assert read_picture(tmp_path / name).scaling == f"{AS_STORED}, first page"
    assert read_picture(tmp_path / f"{name}#0").scaling == AS_STORED


def test_the_header_is_that_of_the_page_that_is_named(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        file.write(PLAIN)
        file.write(RAMP)
    first, second = (read_header(tmp_path / f"pages.tif#{number}") for number in range(2))
    assert (first.width_px, first.height_px, first.bits) == (64, 8, 8)
    assert (second.width_px, second.height_px, second.bits) == (64, 64, 16)
    with pytest.raises(UnreadableError, match="no such page: it has 2"):
        read_header(tmp_path / "pages.tif#2")


@pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK"])
def test_colours_of_every_mode_look_alike(tmp_path: Path, mode: str) -> None:
    steps = np.repeat(np.array([0, 255], dtype=np.uint8), 32)[None].repeat(8, 0)
    image = Image.fromarray(np.stack([steps] * 3, -1)).convert(mode)
    image.save(tmp_path / f"a.{'tif' if mode == 'CMYK' else 'png'}")
    assert np.array_equal(colours(next(tmp_path.glob("a.*")))[..., 1], steps)
