"""One process works on a run; what was cut off is passed over."""

import os
import signal
from pathlib import Path

import pytest

from trainer.errors import TrainingError
from trainer.runs import RunFolder


def test_a_run_that_another_process_works_on_is_refused_until_that_is_killed(
    tmp_path: Path,
) -> None:
    ours, (reading, writing) = RunFolder.create(tmp_path), os.pipe()
    child = os.fork()
    if not child:
        with RunFolder(tmp_path).alone():
            os.write(writing, b"x")
            signal.pause()
    os.read(reading, 1)
    with pytest.raises(TrainingError, match="another process works on this run"), ours.alone():
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with ours.alone(), ours.alone():
        assert (tmp_path / ".lock").is_file()


def test_a_line_is_kept_whole_behind_one_that_was_cut_off(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.append("history.jsonl", {"epoch": 1})
    with (tmp_path / "history.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"epoch": 2, "val')
    folder.append("history.jsonl", {"epoch": 2})
    folder.append("history.jsonl", {"epoch": 3})
    assert [line["epoch"] for line in folder.lines("history.jsonl")] == [1, 2, 3]


def test_a_folder_that_is_gone_is_one_message(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "file" / "run")
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"\.lock cannot be written"), folder.alone():
        pass
