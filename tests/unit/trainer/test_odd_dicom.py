"""DICOM and NIfTI files of odd kinds come out as they look, or one reason says that they do not."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit

from tests.unit.trainer.pictures import RAMP, grey, is_ramp, write_dicom, write_nifti
from trainer.errors import UnreadableError
from trainer.reading import nifti
from trainer.reading.encoded import encoded_sides
from trainer.reading.pixels import quiet, read_header, read_picture
from trainer.reading.scaling import BY_VOLUME, BY_WINDOW

COLOUR = np.stack([np.arange(64, dtype=np.uint8)[None].repeat(64, 0)] * 3, -1)


@pytest.mark.parametrize("kind", ["HSV", "CMYK", "ARGB", "YBR_PARTIAL_420", "SECRET", ""])
def test_colours_that_would_come_out_wrong_are_refused(tmp_path: Path, kind: str) -> None:
    path = write_dicom(tmp_path / "a.dcm", COLOUR, PhotometricInterpretation=kind)
    for read in (read_picture, read_header):
        with pytest.raises(UnreadableError, match="colours of a kind that is not read: MONO") as e:
            read(path)
        assert "SECRET" not in str(e.value)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 2016, "WindowWidth": 4034}])
@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_takes_no_contrast(
    tmp_path: Path, kind: str, window: dict[str, object]
) -> None:
    values = np.vstack([RAMP, np.full_like(RAMP, 63_000)])
    path = write_dicom(
        tmp_path / "a.dcm", values, PhotometricInterpretation=kind, PixelPaddingValue=63_000,
        **window,
    )  # fmt: skip
    found = grey(path)
    assert found[64:].max() <= found[:64].min()  # As dark as the darkest that was measured.
    assert is_ramp(found[:64] if kind == "MONOCHROME2" else 255 - found[:64])


def test_a_range_of_padding_is_black(tmp_path: Path) -> None:
    values = np.vstack([RAMP.astype(np.int16), np.full((9, 64), -2000), np.full((9, 64), -1990)])
    path = write_dicom(
        tmp_path / "ct.dcm", values.astype(np.int16), PixelPaddingValue=-2000,
        PixelPaddingRangeLimit=-1980,
    )  # fmt: skip
    assert is_ramp(grey(path)[:64])
    assert not grey(path)[64:].any()


def test_an_image_of_nothing_but_padding_stays_what_it_is(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm", np.full((8, 8), 7, np.uint16), PixelPaddingValue=7, WindowCenter=4,
        WindowWidth=16,
    )  # fmt: skip
    assert read_picture(path).scaling != BY_WINDOW


def encoded(path: Path, frame: bytes, syntax: UID) -> Path:
    """A file that says it has 64 x 64 pixels, whatever its compressed frame says."""
    whole = dcmread(write_dicom(path, COLOUR[..., 0]))
    whole.file_meta.TransferSyntaxUID = syntax
    whole.PixelData = encapsulate([frame])
    whole["PixelData"].VR = "OB"
    whole["PixelData"].is_undefined_length = True
    whole.save_as(path)
    return path


@pytest.mark.parametrize(("form", "syntax"), [("JPEG", JPEGBaseline8Bit),
                                              ("JPEG2000", JPEG2000Lossless)])  # fmt: skip
def test_a_compressed_frame_that_is_a_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, syntax: UID
) -> None:
    stream = io.BytesIO()
    options = {"no_jp2": True} if form == "JPEG2000" else {}
    Image.fromarray(COLOUR[..., 0]).save(stream, form, **options)
    frame = stream.getvalue()
    assert encoded_sides(frame) == (64, 64)
    at = frame.index((64).to_bytes(4 if options else 2, "big") * 2)
    side = (60_000).to_bytes(4 if options else 2, "big")
    bomb = frame[:at] + side * 2 + frame[at + 2 * len(side) :]
    with quiet():
        assert (
            np.abs(
                grey(encoded(tmp_path / "a.dcm", frame, syntax)) - COLOUR[..., 0].astype(int)
            ).max()
            < 3
        )
    monkeypatch.setattr("trainer.reading.dicom.pixel_array", None)
    with quiet(), pytest.raises(UnreadableError, match="too many pixels"):
        read_picture(encoded(tmp_path / "bomb.dcm", bomb, syntax))


@pytest.mark.parametrize("frame", [b"", b"\xff", b"\xff\xd8\xff", b"\xff\xd8" + b"\xff\0\0\0" * 9,
                                   b"\xff\x4f\xff\x51", b"noise"])  # fmt: skip
def test_a_frame_that_says_no_size_is_left_to_the_decoder(frame: bytes) -> None:
    assert encoded_sides(frame) == (0, 0)


def test_that_only_the_first_volume_of_a_series_is_taken_is_told(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(size=(6, 6, 6)).astype(np.float32)
    path = write_nifti(tmp_path / "series.nii", np.stack([volume, volume + 9], -1))
    assert read_picture(path).scaling == f"{BY_VOLUME}, first volume, middle slice"


def test_a_volume_whose_slices_are_asked_for_at_once_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_nifti(tmp_path / "v.nii.gz", np.random.default_rng(0).normal(size=(40, 40, 40)))
    opened, seen = nifti._opened, []

    def counted(stream: BinaryIO) -> object:
        seen.append(stream)
        return opened(stream)

    monkeypatch.setattr(nifti, "_opened", counted)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_picture, [tmp_path / f"{path.name}#{n}" for n in range(40)]))
    assert len(seen) == 1
