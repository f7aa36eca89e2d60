"""Folders and manifests that nobody should write, but somebody does: one clear message each."""

import csv
import os
import sys
from pathlib import Path

import pytest

from trainer.applying.prediction import find_files
from trainer.errors import TrainingError
from trainer.images import read_images

ROWS = [f"{label}/{number}.png,{label}" for label in "abc" for number in range(10)]


def manifest(root: Path, head: str, rows: list[str] = ROWS, encoding: str = "utf-8") -> Path:
    (root / "m.csv").write_bytes("\n".join([head, *rows]).encode(encoding))
    return root


def test_images_beside_class_folders_are_mentioned(class_folders: Path) -> None:
    (class_folders / "loose.png").write_bytes((class_folders / "a" / "0.png").read_bytes())
    (class_folders / ".hidden.png").write_bytes(b"x")
    found = read_images(class_folders)
    assert len(found.files) == 30
    assert found.notes == ("1 images beside the class folders were left out: they have no class",)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux only")
def test_a_name_that_is_no_text_is_refused_with_what_to_do(class_folders: Path) -> None:
    named = os.fsencode(class_folders / "a") + b"/caf\xe9.png"
    Path(os.fsdecode(named)).write_bytes(b"x")
    for read in (read_images, lambda folder: find_files([folder])):
        with pytest.raises(TrainingError, match=r"caf.udce9\.png': the name is no UTF-8 text"):
            read(class_folders)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_a_manifest_in_another_encoding_is_not_passed_over(
    class_folders: Path, encoding: str
) -> None:
    rows = [f"{row}é" for row in ROWS]
    with pytest.raises(TrainingError, match=r"m\.csv is no UTF-8 text: save it as CSV in UTF-8"):
        read_images(manifest(class_folders, "file,label", rows, encoding))


def test_a_cell_without_end_is_told(class_folders: Path) -> None:
    before = csv.field_size_limit(131_072)  # whoever reads the corpus needs more
    try:
        with pytest.raises(TrainingError, match=r"m\.csv cannot be read as CSV: field larger"):
            read_images(manifest(class_folders, "file,label", [*ROWS, "x" * 200_000 + ",a"]))
    finally:
        csv.field_size_limit(before)


def test_a_column_that_is_there_twice_is_refused(class_folders: Path) -> None:
    rows = [f"{row},z" for row in ROWS]
    with pytest.raises(TrainingError, match="the column label is there 2 times"):
        read_images(manifest(class_folders, "file,label,Label", rows))


def test_blank_lines_are_passed_over_and_counted(class_folders: Path) -> None:
    rows = [ROWS[0], "", " , ", *ROWS[1:]]
    assert len(read_images(manifest(class_folders, "\n\nfile,label", rows)).files) == 30
    with pytest.raises(TrainingError, match="row 7: file and label must not be empty"):
        read_images(manifest(class_folders, "\n\nfile,label", [*rows[:3], "a/1.png,"]))


def test_an_unnamed_first_column_is_no_harm(class_folders: Path) -> None:
    rows = [f"{n}\t" + row.replace(",", "\t") for n, row in enumerate(ROWS)]
    assert read_images(manifest(class_folders, "\tfile\tlabel", rows)).classes == ("a", "b", "c")


@pytest.mark.parametrize("name", ["/tmp/x.png", "../x.png", "a/../../x.png", "..\\x.png"])
def test_a_name_that_leads_out_of_the_folder_is_refused(class_folders: Path, name: str) -> None:
    with pytest.raises(TrainingError, match="outside the folder: name it as seen from there"):
        read_images(manifest(class_folders, "file,label", [*ROWS, f"{name},a"]))
