"""NIfTI slices are axial, stand the same way however they are stored, and see their neighbours."""

import gzip
from pathlib import Path
from typing import BinaryIO

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.trainer.pictures import write_nifti
from trainer.errors import UnreadableError
from trainer.images import read_images
from trainer.preparing.leakage import conflicts
from trainer.reading import nifti
from trainer.reading.pixels import read_header, read_picture
from trainer.reading.scaling import BY_VOLUME

#: Right, front and top of the body are bright, each more than the one before: (8, 10, 6) in RAS.
BODY = np.zeros((8, 10, 6), dtype=np.int16)
BODY[-1], BODY[:, -1], BODY[:, :, -1] = 1000, 2000, 3000


def stored(axes: str) -> np.ndarray:
    """The body as a file keeps it whose axes grow towards the sides that `axes` names."""
    order = [next(n for n, pair in enumerate(("RL", "AP", "SI")) if a in pair) for a in axes]
    flipped = np.transpose(BODY, order)
    return flipped[tuple(slice(None, None, 1 if a in "RAS" else -1) for a in axes)]


def channels(path: Path) -> np.ndarray:
    return np.asarray(read_picture(path).image.convert("RGB")).astype(int)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("axes", ["RAS", "LPS", "LAS", "SAR", "PIR", "ASL"])
def test_every_way_of_storing_gives_the_same_slice(tmp_path: Path, name: str, axes: str) -> None:
    write_nifti(tmp_path / name, stored(axes), axes)
    found = channels(tmp_path / name)[..., 1]
    assert found.shape == (10, 8)
    assert (found[0] == 170).all()  # The front is on top,
    assert (found[1:, 0] == 85).all()  # the body's right side left.
    assert not found[1:, 1:].any()
    header = read_header(tmp_path / name)
    assert (header.format, header.bits, header.width_px, header.height_px) == ("NIfTI", 16, 8, 10)


def ramp(n: int = 6) -> np.ndarray:
    """Slices of one value each, from 0 to 255, as far as percentiles let them."""
    return np.broadcast_to(np.linspace(0, 1000, n), (40, 40, n)).astype(np.float32)


def test_the_neighbours_are_the_first_and_third_channel(tmp_path: Path) -> None:
    write_nifti(tmp_path / "v.nii.gz", ramp())
    assert channels(tmp_path / "v.nii.gz#3")[0, 0].tolist() == [102, 153, 204]
    assert channels(tmp_path / "v.nii.gz#0")[0, 0].tolist() == [0, 0, 51]
    assert channels(tmp_path / "v.nii.gz#5")[0, 0].tolist() == [204, 255, 255]


def test_without_a_number_it_is_the_middle_slice(tmp_path: Path) -> None:
    write_nifti(tmp_path / "v.nii", ramp())
    assert np.array_equal(channels(tmp_path / "v.nii"), channels(tmp_path / "v.nii#3"))
    write_nifti(tmp_path / "body.nii", BODY)
    assert read_picture(tmp_path / "body.nii").scaling == f"{BY_VOLUME}, middle slice"


def test_a_slice_is_counted_as_it_is_stored(tmp_path: Path) -> None:
    write_nifti(tmp_path / "down.nii", ramp()[..., ::-1], "RAI")
    assert channels(tmp_path / "down.nii#1")[0, 0, 1] == 204


def test_a_slice_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "v.nii", ramp())
    with pytest.raises(UnreadableError, match="no such slice: it has 6"):
        read_picture(tmp_path / "v.nii#6")


def test_a_slope_changes_nothing_and_a_negative_one_exchanges_black_and_white(
    tmp_path: Path,
) -> None:
    values = ramp().astype(np.int16)
    plain, scaled, negative = (
        channels(write_nifti(tmp_path / f"{slope}.nii", values, slope=slope))
        for slope in (None, 3.0, -1.0)
    )
    assert np.array_equal(plain, scaled)
    assert np.array_equal(plain, 255 - negative)


def test_of_a_series_the_first_volume_is_taken(tmp_path: Path) -> None:
    series = np.stack([ramp(), ramp()[..., ::-1]], -1)
    write_nifti(tmp_path / "4d.nii.gz", series)
    assert channels(tmp_path / "4d.nii.gz#5")[0, 0, 1] == 255


def test_holes_of_a_resampled_volume_are_black_and_told(tmp_path: Path) -> None:
    values = ramp() + 500
    values[0] = np.nan
    path = write_nifti(tmp_path / "holes.nii", values)
    assert not channels(path)[:, -1].any()
    assert read_picture(path).scaling == f"{BY_VOLUME}, holes black, middle slice"


def test_a_volume_without_any_number_is_refused(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "nan.nii", np.full((4, 4, 4), np.nan, dtype=np.float32))
    with pytest.raises(UnreadableError, match="no numbers"):
        read_picture(path)


def test_colours_and_complex_values_are_refused(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "c.nii", np.ones((4, 4, 4), dtype=np.complex64))
    with pytest.raises(UnreadableError, match="no plain numbers"):
        read_picture(path)


def test_content_counts_not_the_suffix(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "v.nii.gz", ramp())
    assert channels(path.rename(tmp_path / "v.png"))[0, 0, 1] == 153


def test_a_changed_checksum_is_noticed(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "v.nii.gz", ramp())
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match="damaged"):
        read_picture(path)


@pytest.mark.parametrize("change", [{"dim": 30000}, {"offset": 1e30}])
def test_sizes_of_bombs_are_refused(tmp_path: Path, change: dict[str, float]) -> None:
    header = nibabel.Nifti1Header()  # type: ignore[no-untyped-call]
    header["dim"][:4] = [3, *[int(change.get("dim", 4))] * 3]
    header["magic"], header["vox_offset"] = b"n+1", change.get("offset", 352)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(500)))
    with pytest.raises(UnreadableError, match="too many pixels"):
        read_picture(tmp_path / "b.nii.gz")


def test_slices_of_a_volume_are_one_unit_and_no_copies(tmp_path: Path) -> None:
    for number in range(4):
        write_nifti(tmp_path / f"{number}.nii.gz", ramp() + number)
    rows = [f"{v}.nii.gz,{s},{'ab'[s % 2]}" for v in range(4) for s in range(6)]
    (tmp_path / "s.csv").write_text("\n".join(["file,frame,label", *rows]), encoding="utf-8")
    images = read_images(tmp_path)
    assert images.files[:2] == ("0.nii.gz#0", "0.nii.gz#1")
    assert len(set(images.units())) == 4
    assert len(set(images.digests)) == 24
    assert conflicts(images) == ()


def test_a_volume_is_opened_once_for_all_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_nifti(tmp_path / "v.nii.gz", ramp())
    opened, seen = nifti._opened, []

    def counted(stream: BinaryIO) -> object:
        seen.append(stream)
        return opened(stream)

    monkeypatch.setattr(nifti, "_opened", counted)
    for number in range(6):
        read_picture(tmp_path / f"{path.name}#{number}")
    assert len(seen) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.floats(0.01, 1e6), st.floats(-1e6, 1e6))
def test_brightness_and_contrast_of_a_volume_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, number: int, gain: float, offset: float
) -> None:
    root = tmp_path_factory.mktemp("v")
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 6, 6))
    write_nifti(root / "one.nii", values)
    write_nifti(root / "two.nii", values * gain + offset)
    first, second = (channels(root / f"{name}.nii#{number}") for name in ("one", "two"))
    # Single precision far from zero holds fewer steps.
    assert np.abs(first - second).max() <= 1 + 255 * abs(offset) / gain * 1e-6
