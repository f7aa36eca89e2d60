"""Whatever is changed in a file: it decodes, or one clear error says that it does not.

No error says a word of what the file holds.
"""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from tests.unit.trainer.pictures import RAMP, SECRET, png16, saved, write_dicom, write_nifti
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import load
from trainer.reading.pixels import quiet, read_header

STEPS = Preprocessing(16, (0.5,) * 3, (0.5,) * 3, "bilinear")
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP.T], -1)
PLAIN = (COLOUR // 16).astype(np.uint8)
SHIPPED = (
    "SC_rgb_jpeg_dcmtk.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "image_dfl.dcm", "examples_palette.dcm",
)  # fmt: skip
KINDS = (
    "a.png", "deep.png", "deep-colour.png", "a.jpg", "a.bmp", "a.webp", "a.tif", "lzw.tif",
    "deep.tif", "deep-colour.tif", "a.dcm", "cine.dcm", "a.nii", "a.nii.gz", *SHIPPED,
)  # fmt: skip
BEGINNINGS = (
    b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"\x1f\x8b\x08",
    bytes(128) + b"DICM", b"\x5c\x01\0\0" + bytes(340) + b"n+1\0", b"BM",
    b"RIFF\x40\0\0\0WEBPVP8 ", b"GIF89a",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A good file of each kind."""
    root = tmp_path_factory.mktemp("whole")
    for name in ("a.png", "a.jpg", "a.bmp", "a.webp", "a.tif"):
        saved(root / name, PLAIN)
    saved(root / "deep.png", RAMP)
    saved(root / "lzw.tif", RAMP, compression="tiff_lzw")
    (root / "deep-colour.png").write_bytes(png16(COLOUR))
    tifffile.imwrite(root / "deep.tif", RAMP, photometric="minisblack")
    tifffile.imwrite(root / "deep-colour.tif", COLOUR, photometric="rgb", compression="zlib")
    window = {"WindowCenter": 2000, "WindowWidth": 1500, "RescaleSlope": 1, "RescaleIntercept": -9}
    write_dicom(root / "a.dcm", RAMP, **window)
    write_dicom(root / "cine.dcm", np.stack([RAMP] * 3))
    for name in ("a.nii", "a.nii.gz"):
        write_nifti(root / name, COLOUR)
    for name in SHIPPED:
        path = get_testdata_file(name, download=False)
        (root / name).write_bytes(Path(str(path)).read_bytes())
    return {name: (root / name).read_bytes() for name in KINDS}


def looked_at(path: Path) -> str:
    """Decode the file; the error where it cannot be, anything else that is raised is a bug."""
    try:
        read_header(path)
        found = load(path, STEPS).pixels
    except TrainingError as error:
        return str(error)
    assert (found.shape, found.dtype.name) == ((16, 16, 3), "uint8")
    return ""


@pytest.mark.parametrize("name", KINDS)
def test_the_files_that_are_spoiled_here_are_good(
    tmp_path: Path, whole: dict[str, bytes], name: str
) -> None:
    (tmp_path / name).write_bytes(whole[name])
    with quiet():
        assert looked_at(tmp_path / name) == ""


@pytest.mark.parametrize("name", KINDS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_spoiled_file_decodes_or_says_that_it_does_not(
    tmp_path: Path, whole: dict[str, bytes], name: str, data: st.DataObject
) -> None:
    content = bytearray(whole[name])
    # Headers are at the beginning, where a change matters more.
    places = st.one_of(st.integers(0, min(999, len(content) - 1)), st.integers(0, len(content) - 1))
    for place in data.draw(st.lists(places, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    path = tmp_path / name
    path.write_bytes(bytes(content[:end]) + data.draw(st.sampled_from([b"", SECRET.encode()])))
    with quiet():
        assert SECRET not in looked_at(path)


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    content=st.binary(max_size=2000),
    start=st.sampled_from(BEGINNINGS),
    name=st.sampled_from(["x.png", "x.dcm", "x.nii", "x"]),
)  # fmt: skip
def test_noise_behind_any_beginning_is_refused_or_read(
    tmp_path: Path, content: bytes, start: bytes, name: str
) -> None:
    (tmp_path / name).write_bytes(start + content)
    with quiet():
        assert SECRET not in looked_at(tmp_path / name)
