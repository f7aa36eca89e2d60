"""Predictions are read as they were written, without the names of groups."""

from pathlib import Path

import numpy as np
import pytest

from trainer.errors import TrainingError
from trainer.measures.predictions_file import (
    Predicted,
    read_predictions,
    write_predictions,
)

IMAGES = Predicted(
    files=("a/1.png", "a/2, old.png", "b/3.png"),
    parts=("train", "validation", "test"),
    labels=("a", 'a "odd"', ""),
    groups=("Doe, Jane", "p2", "p2"),
    names=("a", "b, c"),
    predictions=np.array([[0.1, 0.9], [1e-300, 1.0], [1 / 3, 2 / 3]]),
)


def test_what_is_written_is_read_with_every_digit_and_numbers_for_groups(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, IMAGES)
    found = read_predictions(path)
    assert (found.files, found.parts, found.labels) == (IMAGES.files, IMAGES.parts, IMAGES.labels)
    assert found.names == IMAGES.names
    assert np.array_equal(found.predictions, IMAGES.predictions)
    assert found.groups == ("1", "2", "2")
    assert "Jane" not in path.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["predictions.csv"]


def test_numbers_have_a_column_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    values = np.array([1.5, -2e6, 0.0])
    write_predictions(
        path,
        Predicted(("a", "b", "c"), ("test",) * 3, ("1", "2", "3"), ("p",) * 3, ("value",), values),
    )
    found = read_predictions(path)
    assert found.predictions.tolist() == values.tolist()
    assert found.names == ("value",)


def test_picking_keeps_the_order_that_was_asked_for() -> None:
    found = IMAGES.pick([2, 0])
    assert found.files == ("b/3.png", "a/1.png")
    assert np.array_equal(found.predictions, IMAGES.predictions[[2, 0]])
    assert IMAGES.pick([]).predictions.shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has the columns none; allowed are file, part, label, group"),
        ("file,label\n", "has the columns file, label; allowed"),
        ("file,part,label,group\n", "allowed are file, part, label, group and then p_NAME"),
        ("file,part,label,group,p_a\nx,test,a,g\n", "row 2: found x, test, a, g; 5 cells"),
        ("file,part,label,group,p_a\nx,test,a,g,0.5\nx,test,a,g,1.5\n", "row 3: .*between 0 and 1"),
        ("file,part,label,group,p_a\nx,test,a,g,-0.5\n", "row 2: .*between 0 and 1"),
        ("file,part,label,group,p_a\nx,test,a,g,nan\n", "row 2: .*between 0 and 1"),
        ("file,part,label,group,value\nx,test,a,g,high\n", "row 2: could not convert"),
    ],
)
def test_a_file_that_holds_no_predictions_is_refused_where_it_is_wrong(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError, match=message):
        read_predictions(path)


def test_a_missing_file_and_a_folder_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="No such file or directory; a run writes it"):
        read_predictions(tmp_path / "predictions.csv")
    (tmp_path / "a file").touch()
    with pytest.raises(TrainingError, match=r"cannot write .*predictions.csv: (File|Not a d)"):
        write_predictions(tmp_path / "a file" / "predictions.csv", IMAGES)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TrainingError, match=r"is no CSV in UTF-8"):
        read_predictions(path)
