"""The sample set is synthetic, says so, and repeats with its seed."""

import csv
import hashlib
from pathlib import Path

import pytest

from trainer.errors import TrainingError
from trainer.synthetic import write_sample


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert write_sample(tmp_path / name, n_images=24, seed=seed) == 24
    assert content(tmp_path / "a") == content(tmp_path / "b") != content(tmp_path / "c")


def test_it_is_labelled_synthetic_and_has_several_images_of_a_patient(tmp_path: Path) -> None:
    write_sample(tmp_path, n_images=60, seed=0)
    assert "SYNTHETIC" in (tmp_path / "SYNTHETIC.txt").read_text(encoding="utf-8")
    with (tmp_path / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 60
    patients = [row["group"] for row in rows]
    assert len(set(patients)) < len(patients)
    assert all("synthetic" in row["file"] and "synthetic" in row["group"] for row in rows)
    labels = {row["group"]: row["label"] for row in rows}
    assert all(labels[row["group"]] == row["label"] for row in rows)


def test_too_few_images_or_a_full_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least 20"):
        write_sample(tmp_path / "new", n_images=3, seed=0)
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(TrainingError, match="not empty"):
        write_sample(tmp_path, n_images=20, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
