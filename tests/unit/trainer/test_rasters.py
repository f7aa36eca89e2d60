"""PNG, TIFF, JPEG and their like keep their depth, stand upright, and never come out black."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.unit.trainer.pictures import RAMP, grey, is_ramp, png16, saved
from trainer.errors import UnreadableError
from trainer.reading import rasters
from trainer.reading.pixels import quiet, read_header, read_picture
from trainer.reading.scaling import AS_STORED, BLANK, BY_IMAGE


@pytest.mark.parametrize("name", ["ramp.png", "ramp.tif"])
def test_twelve_bits_in_sixteen_are_not_saturated(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / name, RAMP)
    assert is_ramp(grey(path))
    assert read_picture(path).scaling == BY_IMAGE
    assert read_header(path).bits == 16


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.float32])
def test_a_tiff_of_any_depth_is_spread(tmp_path: Path, dtype: type) -> None:
    values = RAMP.astype(dtype) + dtype(100)
    tifffile.imwrite(tmp_path / "deep.tif", values, photometric="minisblack")
    assert is_ramp(grey(tmp_path / "deep.tif"))


def test_a_compressed_grey_tiff_is_spread_too(tmp_path: Path) -> None:
    assert is_ramp(grey(saved(tmp_path / "lzw.tif", RAMP, compression="tiff_lzw")))


def test_a_tiff_whose_zero_is_white_is_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "white.tif", RAMP, photometric="miniswhite")
    assert is_ramp(255 - grey(tmp_path / "white.tif"))


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_of_a_deep_tiff_keep_their_balance(tmp_path: Path, planar: str) -> None:
    colour = np.stack([RAMP, RAMP // 2, np.zeros_like(RAMP)], -1)
    laid = np.moveaxis(colour, -1, 0) if planar == "separate" else colour
    tifffile.imwrite(tmp_path / "c.tif", laid, photometric="rgb", planarconfig=planar)
    found = np.asarray(read_picture(tmp_path / "c.tif").image.convert("RGB")).astype(int)
    assert is_ramp(found[..., 0])
    assert np.abs(found[..., 0] / 2 - found[..., 1]).max() <= 2
    assert not found[..., 2].any()


def test_colours_of_a_deep_png_are_not_black(tmp_path: Path) -> None:
    colour = np.stack([RAMP, RAMP // 2, np.zeros_like(RAMP)], -1)
    (tmp_path / "c.png").write_bytes(png16(colour))
    found = np.asarray(read_picture(tmp_path / "c.png").image.convert("RGB")).astype(int)
    assert is_ramp(found[..., 0])
    assert np.abs(found[..., 0] / 2 - found[..., 1]).max() <= 2


@pytest.mark.parametrize("channels", [2, 4])
def test_the_alpha_of_a_deep_png_is_left_out(tmp_path: Path, channels: int) -> None:
    values = np.stack([RAMP] * (channels - 1) + [np.full_like(RAMP, 65535)], -1)
    (tmp_path / "alpha.png").write_bytes(png16(values))
    assert is_ramp(grey(tmp_path / "alpha.png"))


def test_a_few_bright_values_in_the_dark_are_seen(tmp_path: Path) -> None:
    values = np.zeros((64, 64), dtype=np.uint16)
    values[3, 3], values[9, 9] = 1000, 4000
    found = grey(saved(tmp_path / "dots.png", values))
    assert [found[3, 3], found[9, 9], np.median(found)] == [64, 255, 0]


def test_values_of_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    values = np.arange(100, 164, dtype=np.uint8)[None].repeat(8, 0)
    path = saved(tmp_path / "plain.png", values)
    assert np.array_equal(grey(path), values)
    assert read_picture(path).scaling == AS_STORED


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_of_one_value_is_told(tmp_path: Path, dtype: type) -> None:
    path = saved(tmp_path / "blank.png", np.full((9, 9), 77, dtype=dtype))
    assert read_picture(path).scaling == BLANK


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[5, 5] = np.nan
    with pytest.raises(UnreadableError, match="no numbers"):
        read_picture(saved(tmp_path / "nan.tif", values))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["turned.jpg", "turned.png", "turned.tif", "turned.webp"])
def test_every_orientation_is_turned_upright(tmp_path: Path, name: str, orientation: int) -> None:
    upright = np.zeros((32, 48), dtype=np.uint8)
    upright[:8, :8] = 250  # Where the first row and the first column begin.
    back = [
        upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1],
        upright.T, np.rot90(upright), np.rot90(upright, 2).T, np.rot90(upright, -1),
    ]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    colour = np.repeat(np.ascontiguousarray(back[orientation - 1])[..., None], 3, 2)
    path = saved(tmp_path / name, colour, exif=exif)
    found = np.asarray(read_picture(path).image.convert("RGB"))[..., 0].astype(int)
    assert found.shape == upright.shape
    assert np.abs(found - upright).max() < 40  # JPEG's rounding.


def test_a_deep_tiff_is_turned_upright(tmp_path: Path) -> None:
    tags = [(274, "H", 1, 6, True)]
    turned = np.rot90(RAMP[:32])
    tifffile.imwrite(tmp_path / "t.tif", turned, extratags=tags, photometric="minisblack")
    assert is_ramp(grey(tmp_path / "t.tif"))


def test_a_large_jpeg_is_decoded_no_larger_than_needed(tmp_path: Path) -> None:
    path = saved(tmp_path / "large.jpg", np.zeros((800, 1200, 3), dtype=np.uint8))
    assert read_picture(path, px=50).image.size == (150, 100)
    assert read_picture(path).image.size == (1200, 800)


def test_content_counts_not_the_suffix(tmp_path: Path) -> None:
    path = saved(tmp_path / "wrong.jpg", RAMP, format="PNG")
    assert is_ramp(grey(path))
    assert read_header(path).format == "PNG"


def test_a_page_is_named_by_its_number(tmp_path: Path) -> None:
    pages = np.arange(5, dtype=np.uint8)[:, None, None] * np.eye(9, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    assert np.asarray(read_picture(tmp_path / "pages.tif#3").image.convert("RGB")).max() == 3
    with pytest.raises(UnreadableError, match="no such page: it has 5"):
        read_picture(tmp_path / "pages.tif#5")


def test_a_file_that_is_called_so_is_no_page(tmp_path: Path) -> None:
    path = saved(tmp_path / "image#3", RAMP, format="PNG")
    assert is_ramp(grey(path))


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    side = int(rasters.MAX_PIXELS**0.5) + 1
    path = tmp_path / "bomb.png"
    with quiet():
        Image.new("1", (side, side)).save(path)
        for read in (read_picture, read_header):
            with pytest.raises(UnreadableError, match="too many pixels"):
                read(path)


def test_a_program_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(UnreadableError, match="no image"):
        read_picture(tmp_path / "x.png")
