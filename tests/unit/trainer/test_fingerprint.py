"""A fingerprint counts what is there, says what is damaged, and names nobody."""

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.errors import TrainingError
from trainer.images import ImageSet, read_images
from trainer.preparing import fingerprint as module
from trainer.preparing.fingerprint import Fingerprint, fingerprint

DATA = os.environ.get("EVTL_TEST_DATA", "")


def folder_of(root: Path, **extra: bytes) -> Path:
    """Two classes of six grey images of 8 bits, 20 pixels wide and 12 high, and further files."""
    for label in ("a", "b"):
        (root / label).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((12, 20), 10 * number + (label == "b"), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    for name, content in extra.items():
        (root / "a" / f"{name}.png").write_bytes(content)
    return root


def put(root: Path, pixels: np.ndarray, name: str = "extra.png", **options: object) -> Fingerprint:
    """Fingerprint of the folder with one more image."""
    Image.fromarray(pixels).save(folder_of(root) / "a" / name, **options)  # type: ignore[arg-type]
    return fingerprint(read_images(root))


def test_it_counts_images_classes_sizes_and_kinds(tmp_path: Path) -> None:
    pixels = np.zeros((30, 50, 3), dtype=np.uint8)
    pixels[:15, :, 0] = 200
    found = put(tmp_path, pixels, "extra.jpg", quality=95)
    assert (found.n_images, found.classes) == (13, {"a": 7, "b": 6})
    assert found.balance == pytest.approx(7 / 6)
    assert (found.width_px.min, found.width_px.median, found.width_px.max) == (20, 20, 50)
    assert (found.height_px.min, found.height_px.median, found.height_px.max) == (12, 12, 30)
    assert found.formats == {"JPEG": 1, "PNG": 12}
    assert found.bit_depths == {8: 13}
    assert (found.n_grey, found.n_colour) == (12, 1)
    assert (found.n_colour_decoded, found.n_colour_only_grey) == (1, 0)
    assert (found.n_groups, found.has_split, found.unreadable) == (None, False, ())
    assert found.options() == {"n_images": 13, "n_classes": 2}


def test_grey_in_a_colour_file_is_found_in_spite_of_rounding(tmp_path: Path) -> None:
    grey = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], 40, axis=0)
    found = put(tmp_path, np.repeat(grey, 3, axis=2), "extra.jpg", quality=60)
    assert (found.n_colour, found.n_colour_decoded, found.n_colour_only_grey) == (1, 1, 1)


def test_a_small_coloured_mark_is_colour(tmp_path: Path) -> None:
    pixels = np.full((256, 256, 3), 90, dtype=np.uint8)
    pixels[100:108, 100:108] = (200, 40, 40)
    found = put(tmp_path, pixels)
    assert (found.n_colour_decoded, found.n_colour_only_grey) == (1, 0)


def sixteen_bit_colour() -> bytes:
    """A PNG of 2 x 2 pixels with 16 bits per channel, which Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
    rows = zlib.compress((b"\0" + bytes(range(12))) * 2)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_bit_depth_is_that_of_the_file(tmp_path: Path) -> None:
    root = folder_of(tmp_path, deep=sixteen_bit_colour())
    Image.fromarray(np.zeros((4, 4), dtype=np.uint16)).save(root / "a" / "grey16.png")
    Image.fromarray(np.zeros((4, 4), dtype=bool)).save(root / "a" / "one.png")
    Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(root / "a" / "float.tif")
    found = fingerprint(read_images(root))
    assert found.bit_depths == {1: 1, 8: 12, 16: 2, 32: 1}
    assert (found.n_grey, found.n_colour) == (15, 1)


def test_a_lying_image_is_measured_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = put(tmp_path, np.zeros((5, 90), dtype=np.uint8), "extra.jpg", exif=exif.tobytes())
    assert (found.width_px.min, found.height_px.max) == (5, 90)


def test_copies_and_contradictions_are_counted(tmp_path: Path) -> None:
    root = folder_of(tmp_path)
    content = (root / "a" / "0.png").read_bytes()
    (root / "a" / "copy.png").write_bytes(content)
    (root / "b" / "copy.png").write_bytes(content)
    found = fingerprint(read_images(root))
    assert (found.n_copies, found.n_contradicting) == (2, 3)


def test_every_kind_of_damage_is_listed_by_number_and_reason(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(whole).save(tmp_path / "whole.png")
    broken = (tmp_path / "whole.png").read_bytes()[:900]
    root = folder_of(tmp_path / "set", empty=b"", text=b"not an image", zcut=broken)
    Image.new("1", (20_000, 10_000)).save(root / "a" / "large.png")
    images = read_images(root)
    (root / "b" / "5.png").unlink()
    found = fingerprint(images)
    reasons = {images.files[each.number - 1]: each.reason for each in found.unreadable}
    assert reasons == {
        "a/empty.png": "empty file",
        "a/large.png": "too many pixels",
        "a/text.png": "no image",
        "a/zcut.png": "damaged",
        "b/5.png": "missing",
    }
    assert found.n_unreadable == 5
    assert found.n_images == 16


def test_it_holds_no_file_or_group_names(tmp_path: Path) -> None:
    root = folder_of(tmp_path, janedoe=b"")
    images = read_images(root)
    groups = tuple(f"patient-{number // 2}" for number in range(len(images.files)))
    found = fingerprint(replace(images, groups=groups, splits=("train",) * len(groups)))
    text = found.model_dump_json()
    assert (found.n_groups, found.has_split) == (7, True)
    assert not any(name in text for name in ("janedoe", "patient", ".png", str(tmp_path)))
    assert Fingerprint.model_validate_json(text) == found


def test_only_a_spread_sample_is_decoded_and_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DECODED", 5)
    images = read_images(folder_of(tmp_path))
    found = fingerprint(images)
    assert found.n_decoded == 4  # every third of twelve
    assert fingerprint(images) == found


def test_a_set_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    images = read_images(folder_of(tmp_path))
    for name in images.files:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(TrainingError, match="none of the 12 images can be read"):
        fingerprint(images)


@pytest.mark.data
@pytest.mark.skipif(not (Path(DATA) / "pneumonia_xray_28px").is_dir(),
                    reason="EVTL_TEST_DATA names no folder with pneumonia_xray_28px")  # fmt: skip
def test_five_thousand_xrays_are_what_their_source_says() -> None:
    images: ImageSet = read_images(Path(DATA) / "pneumonia_xray_28px")
    found = fingerprint(images)
    assert found.classes == {"normal": 757, "pneumonia": 4273}
    assert (found.n_copies, found.n_contradicting, found.has_split) == (28, 0, True)
    assert (found.width_px.max, found.n_grey, found.n_unreadable) == (28, 5030, 0)
