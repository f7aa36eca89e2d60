"""Images that grow when they are opened: refused in a process that may not take much."""

import gzip
import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from evtl import upload_services
from evtl.upload_services import UploadError, try_image
from tests.unit.trainer.model_runs import LENET, write_run
from tests.unit.trainer.pictures import RAMP, write_dicom

#: What a person may send.
MOST_BYTES = 20_000_000
REFUSED = r"cannot be read: (too many pixels|damaged|no image)|more memory or time"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    upload_services.prepare()
    return write_run(tmp_path_factory.mktemp("run") / "run", backbone=LENET)


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert list(place.iterdir()) == []


def png(_place: Path) -> bytes:
    """Of 900 million pixels, in a few kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(30_000 * 3751), 9))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def webp(_place: Path) -> bytes:
    """As large as the format allows."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "WEBP", lossless=True)
    content = bytearray(stream.getvalue())
    at = content.index(b"VP8L") + 9
    content[at : at + 4] = struct.pack("<I", 16382 | 16382 << 14)
    return bytes(content)


def tiff(place: Path) -> bytes:
    """Whose header says 4 billion pixels."""
    tifffile.imwrite(place / "a.tif", np.zeros((16, 16), dtype=np.uint16))
    with tifffile.TiffFile(place / "a.tif", mode="r+") as file:
        tags = file.pages[0].aspage().tags
        for name in ("ImageWidth", "ImageLength"):
            tags[name].overwrite(65_000)
    return (place / "a.tif").read_bytes()


def dicom(place: Path) -> bytes:
    """Whose header says 4 billion pixels."""
    return write_dicom(place / "a.dcm", RAMP, Rows=65_535, Columns=65_535).read_bytes()


def deflated_dicom(place: Path) -> bytes:
    """Of 600 megabytes when it is inflated."""
    whole = dcmread(write_dicom(place / "a.dcm", RAMP))
    whole.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole.PixelData = bytes(600_000_000)
    whole.save_as(place / "b.dcm")
    return (place / "b.dcm").read_bytes()


def nifti(_place: Path) -> bytes:
    """Of nearly as many bytes as a volume may have, twice what the process may take."""
    header = nibabel.Nifti1Header()  # type: ignore[no-untyped-call]
    header["dim"][:4] = [3, 9000, 9000, 26]
    header["datatype"], header["bitpix"] = 2, 8
    header["magic"], header["vox_offset"] = b"n+1", 352
    stream = io.BytesIO()
    with gzip.open(stream, "wb", compresslevel=1) as packed:
        packed.write(header.binaryblock + bytes(4))
        for _ in range(26):
            packed.write(bytes(81_000_000))
    return stream.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [png, webp, tiff, dicom, deflated_dicom, nifti])
def test_a_bomb_is_refused_and_leaves_nothing(
    run: Path, tmp_path: Path, bomb: Callable[[Path], bytes]
) -> None:
    content = bomb(tmp_path)
    assert len(content) < MOST_BYTES
    with pytest.raises(UploadError, match=REFUSED):
        try_image(run, content)


@pytest.mark.slow
def test_what_a_decoder_would_take_beyond_the_limits_ends_its_process_only(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_services, "LONGEST_S", 0.01)
    with pytest.raises(UploadError, match="more memory or time"):
        try_image(run, png(tmp_path))
    monkeypatch.undo()
    stream = io.BytesIO()
    Image.fromarray(RAMP.astype(np.uint8)).save(stream, "PNG")
    assert try_image(run, stream.getvalue()).probabilities
