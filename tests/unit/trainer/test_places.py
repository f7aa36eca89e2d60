"""Files and folders appear whole or not at all."""

import errno
from pathlib import Path

import pytest

from trainer.errors import TrainingError
from trainer.places import DRAFTS, new_file, new_folder, remove


def test_a_file_takes_its_name_once_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "below" / "a.csv"
    with new_file(path) as draft:
        draft.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def _half(path: Path) -> None:
    with new_file(path) as draft:
        draft.write_text("half")
        msg = "stopped"
        raise ZeroDivisionError(msg)


def _full(path: Path) -> None:
    with new_folder(path) as draft:
        (draft / "half").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_older_file_stays_where_the_new_one_is_not_completed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("older")
    with pytest.raises(ZeroDivisionError, match="stopped"):
        _half(path)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot write .*out: No space left"):
        _full(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over_by_a_folder_nor_a_folder_by_a_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.txt").write_text("x")
    for taken in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(TrainingError, match="name a new one"), new_folder(taken):
            pass
    with pytest.raises(TrainingError, match="it is a folder; name a file"), new_file(tmp_path):
        pass
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as draft:
        (draft / "a").write_text("a")
    assert (tmp_path / "empty" / "a").read_text() == "a"


def test_what_a_killed_process_left_is_known_by_its_name_and_can_be_removed(tmp_path: Path) -> None:
    for place in (new_file(tmp_path / "a.csv"), new_folder(tmp_path / "b")):
        with place as draft:
            if not draft.is_dir():
                draft.touch()
            assert list(tmp_path.glob(DRAFTS)) == [draft]
            remove(draft)
            assert list(tmp_path.glob(DRAFTS)) == []
            draft.touch()
