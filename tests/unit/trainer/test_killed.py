"""A training that is killed anywhere and resumed ends as one that was left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.trainer.killing import N_POINTS

ROOT = Path(__file__).parents[3]


def history(folder: Path) -> list[dict[str, float]]:
    """Lines of the history without what a clock says."""
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


@pytest.mark.skipif(os.name != "posix", reason="processes are killed by a signal")
def test_killed_at_twenty_random_points_it_ends_bit_for_bit_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.trainer.killing", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=900, capture_output=True)
    whole, *killed = sorted(tmp_path.iterdir(), key=lambda path: path.name != "whole")
    assert len(killed) == N_POINTS
    assert [line["epoch"] for line in history(whole)] == [1, 2, 3]
    for folder in killed:
        assert (folder / "weights.json").read_text() == (whole / "weights.json").read_text()
        assert history(folder) == history(whole)
