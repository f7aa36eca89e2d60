"""DICOM files are shown as their header says, and nobody's name is."""

import logging
import traceback
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_rescale, apply_windowing
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.unit.trainer.pictures import RAMP, SECRET, SECRET_ID, grey, is_ramp, write_dicom
from trainer.errors import TrainingError, UnreadableError
from trainer.images import ImageSet, load_image, read_images
from trainer.preparing.fingerprint import fingerprint
from trainer.reading.patients import ONE_ID, USED_IDS
from trainer.reading.pixels import quiet, read_header, read_picture
from trainer.reading.readable import readable
from trainer.reading.scaling import AS_STORED, BY_IMAGE, BY_WINDOW

FRAMES = np.arange(5, dtype=np.uint8)[:, None, None] + np.arange(64, dtype=np.uint8).reshape(8, 8)


def shipped(name: str) -> Path:
    """A file that the library ships for its own tests."""
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str)
    return Path(found)


def test_twelve_bits_without_a_window_are_spread(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", RAMP, BitsStored=12, HighBit=11)
    assert is_ramp(grey(path))
    assert read_picture(path).scaling == BY_IMAGE
    header = read_header(path)
    assert (header.format, header.bits, header.grey, header.width_px) == ("DICOM", 12, True, 64)


def test_a_window_is_applied_to_rescaled_values(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "ct.dcm", RAMP, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40,
        WindowWidth=400,
    )  # fmt: skip
    found = read_picture(path)
    expected = ((RAMP.astype(float) - 1024 - 39.5) / 399 + 0.5).clip(0, 1) * 255
    assert found.scaling == BY_WINDOW
    assert np.abs(grey(path) - expected).max() <= 0.5


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("slope", [2.0, -2.0])
def test_every_kind_of_window_is_the_librarys(tmp_path: Path, function: str, slope: float) -> None:
    path = write_dicom(
        tmp_path / "a.dcm", RAMP, RescaleSlope=slope, RescaleIntercept=7, VOILUTFunction=function,
        WindowCenter=[3000 * np.sign(slope), 1], WindowWidth=[2000, 1],
    )  # fmt: skip
    whole = dcmread(path)
    shown = apply_windowing(apply_rescale(RAMP, whole), whole)
    # The ends of the range change places with the sign, not what is bright.
    darkest, brightest = 7, 65535 * slope + 7
    expected = (shown - darkest) / (brightest - darkest) * 255
    assert (
        np.abs(np.asarray(read_picture(path).image.convert("RGB"))[..., 0] - expected).max() <= 0.5
    )


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 2000, "WindowWidth": 1500}])
def test_monochrome1_is_the_inverted_monochrome2(tmp_path: Path, window: dict[str, object]) -> None:
    one = write_dicom(tmp_path / "1.dcm", RAMP, PhotometricInterpretation="MONOCHROME1", **window)
    two = write_dicom(tmp_path / "2.dcm", RAMP, **window)
    assert np.array_equal(255 - grey(one), grey(two))


@pytest.mark.parametrize(("center", "width"), [(2000, 0), (1e6, 10), ("", ""), (-5000, 100)])
def test_a_window_that_shows_nothing_is_not_used(
    tmp_path: Path, center: object, width: object
) -> None:
    path = write_dicom(tmp_path / "a.dcm", RAMP, WindowCenter=center, WindowWidth=width)
    assert is_ramp(grey(path))
    assert read_picture(path).scaling == BY_IMAGE


def test_a_lookup_table_is_applied(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = np.arange(4095, -1, -1, dtype=np.uint16).tobytes()
    table["LUTData"].VR = "OW"
    path = write_dicom(tmp_path / "a.dcm", RAMP, VOILUTSequence=Sequence([table]))
    assert np.abs(grey(path) - (1 - RAMP / 4095) * 255).max() <= 0.5
    assert read_picture(path).scaling == BY_WINDOW


def test_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    values = np.arange(100, 164, dtype=np.uint8).reshape(8, 8)
    path = write_dicom(tmp_path / "a.dcm", values, RescaleSlope=1, RescaleIntercept=0)
    assert np.array_equal(grey(path), values)
    assert read_picture(path).scaling == AS_STORED


def test_a_frame_is_named_by_its_number_and_the_middle_one_taken_else(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "cine.dcm", FRAMES)
    assert np.array_equal(grey(path), FRAMES[2])
    assert read_picture(path).scaling == f"{AS_STORED}, middle frame"
    for number, frame in enumerate(FRAMES):
        assert np.array_equal(grey(tmp_path / f"cine.dcm#{number}"), frame)
    with pytest.raises(UnreadableError, match="no such frame: it has 5"):
        read_picture(tmp_path / "cine.dcm#5")


def test_a_frames_own_window_counts_before_what_all_share(tmp_path: Path) -> None:
    def shown(center: float) -> Dataset:
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = center, 1000
        group.FrameVOILUTSequence = Sequence([window])
        return group

    def rescaled() -> Dataset:
        values, group = Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept = 1, -500
        group.PixelValueTransformationSequence = Sequence([values])
        return group

    path = write_dicom(
        tmp_path / "enhanced.dcm", np.stack([RAMP, RAMP]),
        SharedFunctionalGroupsSequence=Sequence([rescaled()]),
        PerFrameFunctionalGroupsSequence=Sequence([shown(500), shown(2500)]),
    )  # fmt: skip
    for number, middle in enumerate((1000, 3000)):
        found = grey(tmp_path / f"{path.name}#{number}")[0]
        assert found[middle // 64] == pytest.approx(127, abs=16)  # A step of the ramp.


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
        ("SC_rgb_rle.dcm", "SC_rgb_gdcm_KY.dcm"),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_rle.dcm"),
        ("SC_ybr_full_422_uncompressed.dcm", "SC_rgb_rle.dcm"),
    ],
)
def test_each_transfer_syntax_and_colour_space_is_read(name: str, plain: str) -> None:
    with quiet():
        found, expected = (
            np.asarray(read_picture(shipped(each)).image.convert("RGB"), int)
            for each in (name, plain)
        )
    # Colours that were kept as brightness and differences come back rounded.
    assert np.abs(found - expected).mean() < 3


def test_a_file_without_suffix_or_preamble_is_read(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "IM0001", RAMP)
    whole = dcmread(path)
    del whole.file_meta
    dcmwrite(tmp_path / "bare.dcm", whole, implicit_vr=False, little_endian=True)
    assert is_ramp(grey(path))
    assert is_ramp(grey(tmp_path / "bare.dcm"))


@pytest.mark.parametrize("name", ["rtplan.dcm", "reportsi.dcm", "MR_truncated.dcm"])
def test_what_is_no_whole_image_is_refused(name: str) -> None:
    with quiet(), pytest.raises(UnreadableError, match=r"no image|damaged"):
        read_picture(shipped(name))


def test_sizes_of_bombs_are_refused(tmp_path: Path) -> None:
    large = write_dicom(tmp_path / "large.dcm", RAMP, Rows=65535, Columns=65535)
    with pytest.raises(UnreadableError, match="too many pixels"):
        read_picture(large)


def test_a_deflated_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dicom(tmp_path / "deflated.dcm", RAMP)
    whole = dcmread(path)
    whole.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole.save_as(path)
    assert is_ramp(grey(path))
    monkeypatch.setattr("trainer.reading.dicom.MAX_PIXELS", 500)
    with pytest.raises(UnreadableError, match="too many pixels"):
        read_picture(path)


def patients_of(root: Path, ids: list[str], values: NDArray[np.uint16] = RAMP) -> ImageSet:
    """Two classes of DICOM files with these patient ids, the first half of class a."""
    for number, patient in enumerate(ids):
        folder = root / ("a" if number < len(ids) / 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        write_dicom(folder / f"{number}.dcm", values + np.uint16(number), PatientID=patient)
    return read_images(root)


def test_files_of_one_patient_are_one_group(tmp_path: Path) -> None:
    found = patients_of(tmp_path, ["p1", "p1", "p2", "p2", "p3", "", "", "p1 "])
    assert found.groups is not None
    names = {name: n for n, name in enumerate(dict.fromkeys(found.groups))}
    assert [names[group] for group in found.groups] == [0, 0, 1, 1, 2, 3, 4, 0]
    assert USED_IDS in found.notes
    assert read_images(tmp_path).groups == found.groups


def test_one_id_for_all_says_nothing(tmp_path: Path) -> None:
    found = patients_of(tmp_path, ["ANONYMOUS"] * 6)
    assert found.groups is None
    assert ONE_ID in found.notes


def test_groups_of_a_manifest_count_before_ids(tmp_path: Path) -> None:
    patients_of(tmp_path, ["p1", "p1", "p2", "p2", "p3", "p3"])
    rows = [f"{'a' if n < 3 else 'b'}/{n}.dcm,{'a' if n < 3 else 'b'},g{n}" for n in range(6)]
    (tmp_path / "set.csv").write_text("\n".join(["file,label,group", *rows]), encoding="utf-8")
    assert read_images(tmp_path).groups == tuple(f"g{n}" for n in range(6))


def test_no_name_and_no_id_is_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
    steps: object,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    ids = [SECRET_ID, SECRET_ID, f"{SECRET_ID}-2", SECRET_ID, f"{SECRET_ID}-2", ""]
    images = patients_of(tmp_path, ids)
    broken = tmp_path / "a" / "0.dcm"
    content = broken.read_bytes()
    told = [repr(images), images.digest]
    for cut in (140, 300, 420, 520, len(content) // 2, len(content) - 30):
        broken.write_bytes(content[:cut] + SECRET.encode())
        told.append(fingerprint(images).model_dump_json())
        with pytest.raises(TrainingError) as caught:
            load_image(broken, steps)  # type: ignore[arg-type]
        told.append("".join(traceback.format_exception(caught.value)))
        with pytest.raises(TrainingError) as caught:
            readable(images, 0.0)
        told.append("".join(traceback.format_exception(caught.value)))
    text = "\n".join([*told, caplog.text, *capfd.readouterr()])
    for part in ("SECRET", "MRN", "4711"):
        assert part not in text.replace(str(Path(__file__)), "")


def test_a_group_is_named_by_content_so_that_its_id_cannot_be_guessed(tmp_path: Path) -> None:
    first = patients_of(tmp_path / "one", ["p1", "p2"] * 3).groups
    again = patients_of(tmp_path / "two", ["p1", "p2"] * 3, RAMP[:, ::-1]).groups
    assert first is not None
    assert again is not None
    assert not set(first) & set(again)
    assert [first[0] == group for group in first] == [again[0] == group for group in again]


def test_files_without_suffix_are_images_of_their_folder_but_no_directory_is(
    tmp_path: Path,
) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            write_dicom(tmp_path / label / f"1.2.840.{number}", RAMP + np.uint16(number))
        write_dicom(tmp_path / label / "DICOMDIR", RAMP)
        (tmp_path / label / "notes").write_text("no image", encoding="utf-8")
    assert read_images(tmp_path).files == tuple(f"{c}/1.2.840.{n}" for c in "ab" for n in range(3))
