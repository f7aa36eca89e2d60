"""DICOM files -> 8-bit pictures and patients, of which no name and no id leaves this module.

Only the elements that describe pixels are read, so a patient's name is never in memory; what the
library says of damaged content is not passed on, because it may quote the content.

References
----------
DICOM PS3.3 C.7.6.3 (image pixels), C.11.1 (modality LUT), C.11.2 (VOI LUT, windows),
C.7.6.16 (functional groups of multi-frame images).
"""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, config, dcmread
from pydicom.encaps import get_frame
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.processing import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi,
    apply_windowing,
)
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from trainer.errors import UnreadableError
from trainer.reading.encoded import encoded_sides
from trainer.reading.rasters import MAX_PIXELS, check_size
from trainer.reading.scaling import AS_STORED, BY_WINDOW, Picture, picture, spread, spread_picture

Values = npt.NDArray[Any]

#: Said of files without a preamble, and read before the rest.
MAGIC_AT, MAGIC = 128, b"DICM"
#: Elements that are read: none of a patient.
TAGS: list[Any] = [
    "PixelPaddingValue", "PixelPaddingRangeLimit",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
]  # fmt: skip
PIXELS: list[Any] = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"]
#: Photometric interpretations that come out as grey or RGB; others would be shown in wrong colours.
SEEN = frozenset(
    {
        "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422",
        "YBR_ICT", "YBR_RCT",
    }
)  # fmt: skip
#: Groups of elements of one frame that say how its values are shown.
SHOWN = ("PixelValueTransformationSequence", "FrameVOILUTSequence")

# Values are not checked against the standard: a warning would quote them.
config.settings.reading_validation_mode = config.IGNORE


class Header(NamedTuple):
    """Size and kind of a DICOM image."""

    width_px: int
    height_px: int
    bits: int
    grey: bool
    n_frames: int


def read_header(path: Path) -> Header:
    """What the header says of the pixels.

    Raises
    ------
    UnreadableError
        The file holds no image, or one that is too large.
    """
    return _described(_read(path, TAGS, pixels=False))


def read_dicom(path: Path, frame: int | None = None) -> Picture:
    """One frame: the one that is named (from 0), else the middle one.

    Stored values are rescaled and shown as the file's own window or lookup table says; without
    one, or where it would show one value only, percentiles are taken. MONOCHROME1 is inverted.

    Raises
    ------
    UnreadableError
        The file holds no image, has no such frame, or cannot be decoded.
    """
    whole = _read(path, TAGS + PIXELS, pixels=True)
    header = _described(whole)
    number = header.n_frames // 2 if frame is None else frame
    if number >= header.n_frames:
        msg = f"no such frame: it has {header.n_frames}"
        raise UnreadableError(msg)
    if not any(name in whole for name in PIXELS):
        msg = "no image"
        raise UnreadableError(msg)
    _check_encoded(whole, number, header.n_frames)
    found = _shown(pixel_array(whole, index=number), _of_frame(whole, number))
    several = header.n_frames > 1 and frame is None
    return found._replace(scaling=found.scaling + ", middle frame") if several else found


def patient_key(path: Path) -> str:
    """What the files of one patient have in common; empty where the file names no patient.

    For comparing in memory only: it must not be kept or shown.
    """
    found = _read(path, ["PatientID", "IssuerOfPatientID"], pixels=False)
    patient = str(found.get("PatientID") or "").strip()
    return f"{patient}\0{found.get('IssuerOfPatientID') or ''}" if patient else ""


def _read(path: Path, tags: list[Any], *, pixels: bool) -> Dataset:
    _check_deflated(path)
    found = dcmread(path, stop_before_pixels=not pixels, force=True, specific_tags=tags)
    if "TransferSyntaxUID" not in found.file_meta:
        implicit, little = found.original_encoding
        plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        found.file_meta.TransferSyntaxUID = plain if little else ExplicitVRBigEndian
    return found


def _check_deflated(path: Path) -> None:
    """Refuse a deflated file that grows beyond what an image may hold."""
    with path.open("rb") as stream:
        if stream.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] != MAGIC:
            return
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    start = MAGIC_AT + len(MAGIC) + 12 + int(meta.FileMetaInformationGroupLength)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    inflate.decompress(path.read_bytes()[start:], 2 * MAX_PIXELS)
    if inflate.unconsumed_tail:
        msg = "too many pixels"
        raise UnreadableError(msg)


def _check_encoded(whole: Dataset, number: int, n_frames: int) -> None:
    """Refuse a compressed frame that is larger than its file says, and than an image may be."""
    syntax = whole.file_meta.TransferSyntaxUID
    if syntax in AllTransferSyntaxes and syntax.is_encapsulated:
        frame = get_frame(whole.PixelData, number, number_of_frames=n_frames)
        check_size(*(side or 1 for side in encoded_sides(frame)))


def _described(found: Dataset) -> Header:
    if not all(found.get(name) for name in ("Rows", "Columns", "BitsAllocated")):
        msg = "no image"
        raise UnreadableError(msg)
    rows, columns = int(found.Rows), int(found.Columns)
    check_size(rows, columns)
    kind = str(found.get("PhotometricInterpretation", ""))
    if kind not in SEEN:
        msg = f"colours of a kind that is not read: {', '.join(sorted(SEEN))} are"
        raise UnreadableError(msg)
    return Header(
        columns,
        rows,
        int(found.get("BitsStored") or found.BitsAllocated),
        kind.startswith("MONOCHROME"),
        max(1, int(found.get("NumberOfFrames") or 1)),
    )


def _of_frame(whole: Dataset, number: int) -> Dataset:
    """How one frame is shown: what it says, else what all frames share, else the file."""
    found = Dataset()
    found.file_meta = whole.file_meta
    for name in TAGS:
        if name in whole and not name.endswith("GroupsSequence"):
            found[name] = whole[name]
    shared = whole.get("SharedFunctionalGroupsSequence") or []
    own = whole.get("PerFrameFunctionalGroupsSequence") or []
    for group in [*shared[:1], *own[number : number + 1]]:
        for name in SHOWN:
            for item in group.get(name) or []:
                found.update(item)
    return found


def _shown(values: Values, how: Dataset) -> Picture:
    kind = str(how.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, how)
        if values.dtype == np.uint16 and values.max() > 255:
            values = (values >> 8).astype(np.uint8)  # A palette of 16 bits spans them all.
    if values.ndim == 3:
        return _as_stored_or_spread(values, stored_8=values.dtype == np.uint8)
    inverted = kind == "MONOCHROME1"
    rescaled = _without_padding(apply_modality_lut(values, how), values, how, inverted=inverted)
    if (windowed := _windowed(rescaled, how)) is not None:
        return picture(255 - windowed if inverted else windowed, BY_WINDOW)
    plain = (
        values.dtype == np.uint8 and how.get("BitsStored") == 8 and np.array_equal(rescaled, values)
    )
    return _as_stored_or_spread(rescaled, stored_8=plain, inverted=inverted)


def _without_padding(shown: Values, stored: Values, how: Dataset, *, inverted: bool) -> Values:
    """Black where the file says that nothing was measured, with a value far from all others.

    Values of 8 bits stay as they are: all that they may be is shown anyway.
    """
    value = how.get("PixelPaddingValue")
    if value is None or stored.itemsize == 1:
        return shown
    ends = sorted((int(value), int(how.get("PixelPaddingRangeLimit", value))))
    padded = (stored >= ends[0]) & (stored <= ends[1])
    if padded.all():
        return shown
    measured = shown[~padded]
    darkest = measured.max() if inverted else measured.min()
    return np.where(padded, darkest, shown)


def _as_stored_or_spread(values: Values, *, stored_8: bool, inverted: bool = False) -> Picture:
    if not stored_8:
        return spread_picture(values, inverted=inverted)
    plain = values.astype(np.uint8)
    return picture(255 - plain if inverted else plain, AS_STORED)


def _windowed(values: Values, how: Dataset) -> npt.NDArray[np.uint8] | None:
    """Values as the file's table or first window shows them; None where that shows nothing."""
    try:
        if (table := how.get("VOILUTSequence")) and table[0].get("LUTData"):
            shown, ends = _by_table(values, how)
        elif how.get("WindowCenter") is None or how.get("WindowWidth") is None:
            return None
        else:
            # To what the window maps the ends depends on much of the header.
            ends = apply_windowing(np.array([-np.inf, np.inf]), how)
            shown = apply_windowing(values, how)
    except (ValueError, TypeError, IndexError):
        return None  # A width of zero, say: what the file asks for makes no sense.
    low, high = float(ends[0]), float(ends[-1])
    # A negative slope exchanges the ends.
    found = spread(shown, low, high) if low < high else spread(np.negative(shown), -low, -high)
    return None if found.min() == found.max() and values.min() != values.max() else found


def _by_table(values: Values, how: Dataset) -> tuple[Values, Values]:
    """Values looked up in the first table, and the ends of what it holds."""
    n_entries, first, _bits = how.VOILUTSequence[0].LUTDescriptor
    whole = apply_voi(np.arange(first, first + (n_entries or 65_536)), how)
    return apply_voi(values.round().astype(np.int64), how), np.array([whole.min(), whole.max()])
