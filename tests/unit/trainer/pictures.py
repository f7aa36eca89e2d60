"""Small files of every kind of image, for tests: PNG of 16 bits, DICOM, NIfTI."""

import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from trainer.reading.pixels import read_picture

SECRET = "SECRET^NAME"
SECRET_ID = "MRN-4711"
#: A 12-bit ramp, 64 x 64: Pillow's own conversion saturates 94% of it.
RAMP = np.tile(np.arange(4096, dtype=np.uint16)[::64], (64, 1))


def png16(values: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits, which Pillow cannot write: ``(H, W, C)`` of 2, 3 or 4 channels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width, channels = values.shape
    kind = {2: 4, 3: 2, 4: 6}[channels]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b"")


def write_dicom(path: Path, values: NDArray[Any], **elements: object) -> Path:
    """A DICOM file of grey ``(H, W)``, frames ``(N, H, W)`` or colour ``(H, W, 3)``."""
    colour = values.ndim == 3 and values.shape[-1] == 3
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    found.PatientName, found.PatientID = SECRET, SECRET_ID
    found.SamplesPerPixel = 3 if colour else 1
    found.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        found.PlanarConfiguration = 0
    elif values.ndim == 3:
        found.NumberOfFrames = len(values)
    found.Rows, found.Columns = values.shape[:2] if colour else values.shape[-2:]
    bits = 8 * values.dtype.itemsize
    found.BitsAllocated, found.BitsStored, found.HighBit = bits, bits, bits - 1
    found.PixelRepresentation = int(values.dtype.kind == "i")
    found.PixelData = values.tobytes()
    for name, value in elements.items():
        setattr(found, name, value)
    found.save_as(path, enforce_file_format=True)
    return path


def write_lzw(path: Path, values: NDArray[np.uint16], byteorder: Literal["<", ">"]) -> Path:
    """A TIFF of colours ``(H, W, 3)`` that is compressed with LZW, by differences of values."""
    rows = len(values)
    tifffile.imwrite(
        path, values, photometric="rgb", byteorder=byteorder, rowsperstrip=rows,
        compression="zlib", predictor=True,
    )  # fmt: skip
    differences = np.diff(values, axis=1, prepend=np.uint16(0)).astype(f"{byteorder}u2").tobytes()
    codes: list[int] = []
    for start in range(0, len(differences), 250):
        codes += [256, *differences[start : start + 250]]  # Cleared before codes have ten bits.
    bits = "".join(f"{code:09b}" for code in (*codes, 257))
    packed = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    with path.open("ab") as stream:
        at = stream.tell()
        stream.write(packed)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].aspage().tags
        for name, value in (
            ("Compression", 5),
            ("StripOffsets", at),
            ("StripByteCounts", len(packed)),
        ):
            tags[name].overwrite(value)
    return path


def write_nifti(
    path: Path, values: NDArray[Any], axes: str = "RAS", slope: float | None = None
) -> Path:
    """A NIfTI file whose stored axes grow towards the sides that `axes` names."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for stored, letter in enumerate(axes):
        row = next(n for n, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[row, stored] = 1 if letter in "RAS" else -1
    image = nibabel.Nifti1Image(values, affine)  # type: ignore[no-untyped-call]
    if slope is not None:
        image.header.set_slope_inter(slope, 0)  # type: ignore[no-untyped-call]
    nibabel.save(image, path)
    return path


def saved(path: Path, values: NDArray[Any], **options: object) -> Path:
    """An image that Pillow writes."""
    Image.fromarray(values).save(path, **options)  # type: ignore[arg-type]
    return path


def grey(path: Path) -> NDArray[np.uint8]:
    """Grey values of a picture whose channels are the same."""
    pixels = np.asarray(read_picture(path).image.convert("RGB"))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def is_ramp(pixels: NDArray[Any]) -> bool:
    """Grows to the right, over all of the range, and is cut off nowhere."""
    row = pixels[0].astype(int)
    return bool((np.diff(row) > 0).all() and row[0] <= 2 and row[-1] >= 253)
