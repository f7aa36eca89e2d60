"""Files that cannot be read are listed and left out, up to a limit; never replaced."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.trainer.pictures import RAMP, SECRET, saved, write_dicom, write_nifti
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import ImageSet, Loaded, decode, load, read_images
from trainer.reading.readable import readable

DATA = os.environ.get("EVTL_TEST_DATA", "")


def spoiled(root: Path) -> dict[str, str]:
    """Each kind of bad file in class a, and the reason that is expected for it."""
    whole = (root / "a" / "0.png").read_bytes()
    folder = root / "a"
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text(f"patient {SECRET}", encoding="utf-8")
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "folder.png").mkdir()
    Image.new("1", (20_000, 10_000)).save(folder / "bomb.png")
    write_dicom(folder / "cut.dcm", RAMP)
    (folder / "cut.dcm").write_bytes((folder / "cut.dcm").read_bytes()[:900])
    write_nifti(folder / "cut.nii.gz", np.random.default_rng(0).normal(size=(9, 9, 9)))
    (folder / "cut.nii.gz").write_bytes((folder / "cut.nii.gz").read_bytes()[:900])
    return {
        "a/bomb.png": "too many pixels",
        "a/cut.dcm": "damaged",
        "a/cut.nii.gz": "damaged",
        "a/cut.png": "damaged",
        "a/empty.png": "empty file",
        "a/gone.png": "missing",
        "a/loop.png": "missing",
        "a/text.png": "no image",
    }


def test_each_bad_file_is_listed_with_its_reason(class_folders: Path) -> None:
    expected = spoiled(class_folders)
    kept, bad = readable(read_images(class_folders), 0.5)
    assert {each.file: each.reason for each in bad} == expected
    assert len(kept.files) == 30
    assert kept.scaling_counts == {"8 bits as stored": 30}


def test_more_than_the_limit_stops_with_the_list(class_folders: Path) -> None:
    expected = spoiled(class_folders)
    with pytest.raises(
        TrainingError, match=r"8 of 38 images cannot be read, at most 5\.0%"
    ) as found:
        readable(read_images(class_folders), 0.05)
    for file, reason in expected.items():
        assert f"  {file}: {reason}" in str(found.value)
    assert SECRET not in str(found.value)


def test_a_file_that_a_manifest_names_and_that_is_missing_is_listed_and_counts(
    class_folders: Path,
) -> None:
    rows = [f"{label}/{number}.png,{label}" for label in "abc" for number in range(11)]
    text = "\n".join(["file,label", *rows, "a,a"])
    (class_folders / "labels.csv").write_text(text, encoding="utf-8")
    images = read_images(class_folders)
    kept, bad = readable(images, 0.2)
    assert [(each.file, each.reason) for each in bad] == [
        (name, "missing") for name in ("a", "a/10.png", "b/10.png", "c/10.png")
    ]
    assert len(kept.files) == 30
    with pytest.raises(TrainingError, match=r"4 of 34 images cannot be read, at most 10\.0%"):
        readable(images, 0.1)


def test_nothing_bad_is_nothing_lost(class_folders: Path, steps: Preprocessing) -> None:
    images = read_images(class_folders)
    kept, bad = readable(images, 0.0)
    assert bad == ()
    assert replace(kept, scalings=()) == images
    decode(kept, steps, lambda *_: None)


def test_a_class_that_loses_all_its_images_is_an_error(class_folders: Path) -> None:
    for path in (class_folders / "b").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(TrainingError, match="no image of b can be read"):
        readable(read_images(class_folders), 0.9)


def test_a_class_of_which_too_little_is_left_is_an_error(class_folders: Path) -> None:
    for path in sorted((class_folders / "b").iterdir())[2:]:
        path.write_bytes(b"x")
    with pytest.raises(TrainingError, match=r"found a \(10\), b \(2\), c \(10\); 8 image"):
        readable(read_images(class_folders), 0.9)


def test_a_file_that_may_not_be_opened_is_listed(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def guarded(path: Path, *words: object, **named: object) -> object:
        if path.name == "0.png":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *words, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    images = read_images(class_folders)
    _kept, bad = readable(images, 0.5)
    assert [(each.file, each.reason) for each in bad] == [
        (f"{label}/0.png", "may not be opened") for label in "abc"
    ]
    assert len(set(images.digests)) == 30


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_stop_everything(class_folders: Path, steps: Preprocessing) -> None:
    os.mkfifo(class_folders / "a" / "pipe.png")
    assert len(read_images(class_folders).files) == 30
    with pytest.raises(TrainingError, match=r"pipe\.png: missing"):
        load(class_folders / "a" / "pipe.png", steps)


def test_pixels_of_one_decoding_can_be_kept(class_folders: Path, steps: Preprocessing) -> None:
    spoiled(class_folders)
    kept: dict[Path, np.ndarray] = {}

    def keep(item: Path) -> Loaded:
        found = load(item, steps)
        kept[item] = found.pixels
        return found

    images, _bad = readable(read_images(class_folders), 0.5, load=keep)
    again = decode(images, steps, lambda *_: None)
    assert all(
        np.array_equal(kept[images.path(number)], pixels) for number, pixels in enumerate(again)
    )


def test_progress_reaches_the_end(class_folders: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    readable(read_images(class_folders), 0.0, lambda *state: seen.append(state))
    assert seen[-1] == ("files", 30, 30)


def test_scalings_are_counted_and_picked(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(4):
            saved(tmp_path / label / f"{number}.png", RAMP + np.uint16(number))
    for number in range(3):
        write_dicom(
            tmp_path / "a" / f"{number}.dcm", RAMP + np.uint16(number), WindowCenter=2000,
            WindowWidth=500,
        )  # fmt: skip
    images: ImageSet
    images, _bad = readable(read_images(tmp_path), 0.0)
    assert images.scaling_counts == {"DICOM window": 3, "percentiles 0.5 to 99.5 of the image": 8}
    assert images.pick([0]).scaling_counts == {"DICOM window": 1}


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EVTL_TEST_DATA names no folder of image sets")
@pytest.mark.parametrize("name", ["brain_mri_tumour_leaky", "busi_breast_us",
                                  "odir_cataract_fundus", "pneumonia_xray_28px"])  # fmt: skip
def test_every_image_of_the_real_sets_is_readable(name: str) -> None:
    images = read_images(Path(DATA) / name)
    kept, bad = readable(images, 0.0)
    assert bad == ()
    assert kept.scaling_counts == {"8 bits as stored": len(images.files)}
