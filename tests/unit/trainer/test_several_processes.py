"""Two processes train what one trains, go on where they were stopped, and end together."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from recommender.plan import TransformKind
from tests.unit.trainer.crewed import PLANS, RUNS
from tests.unit.trainer.tuning import same
from trainer.processes import Crew, never_started
from trainer.runs import RunFolder
from trainer.tuning.augmentation import Place, augment

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are forked")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program leaves, with a cache of its own."""
    folder = tmp_path_factory.mktemp("crewed")
    command = [sys.executable, "-m", "tests.unit.trainer.crewed", str(folder)]
    own = {"EVTL_CACHE_DIR": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    subprocess.run(
        command, cwd=ROOT, env=os.environ | own, check=True, timeout=600, capture_output=True
    )
    return folder


def said(folder: Path, rank: int = 0) -> str:
    return (folder / f"said-{rank}.txt").read_text(encoding="utf-8")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "weights.safetensors"))


def notes(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", [*PLANS, "memory"])
def test_two_processes_end_with_the_weights_of_one(left: Path, name: str) -> None:
    """Batches of eight in shares, weighed by class as a whole, changed as a whole."""
    one, two = (weights(left / name / str(n)) for n in (1, 2))
    assert [said(left / name / "2", rank) for rank in (0, 1)] == ["done", "done"]
    for key, value in one.items():
        # Sums in another order, which AdamW's division by small numbers makes larger.
        assert torch.allclose(two[key], value, atol=1e-4), key


def test_memory_of_one_process_makes_all_of_them_take_smaller_parts(left: Path) -> None:
    assert notes(left / "memory" / "1") == []
    assert notes(left / "memory" / "2")[0].endswith("went through the network 2 at a time")


def history(folder: RunFolder) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in line.items() if k != "seconds"} for line in folder.lines("history.jsonl")
    ]


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_leave_one_run_with_the_metrics_of_one(left: Path, name: str) -> None:
    one, two = (RunFolder(left / name / str(n) / "run") for n in (1, 2))
    first, second = one.read_result(), two.read_result()
    assert (first.device, second.device) == ("cpu", "2 x cpu")
    assert second.status == "finished"
    assert {path.name for path in one.path.iterdir()} == {path.name for path in two.path.iterdir()}
    for part, metrics in first.metrics.items():
        for metric, interval in metrics.items():
            # Six images: no rounding of a loss moves one of them across a threshold by chance.
            assert second.metrics[part][metric].value == pytest.approx(interval.value, abs=1e-4)
    assert second.resampled.keys() == first.resampled.keys()
    for mine, other in zip(history(one), history(two), strict=True):
        assert other == pytest.approx(mine, abs=1e-4)


ENDS = {
    "failed": "TrainingError: process 2 of 2: ValueError: no room on the moon",
    "main failed": "ValueError: no room on the moon",
    "killed": "TrainingError: another of the 2 processes was killed, or did not answer",
    "hung": "TrainingError: another of the 2 processes was killed, or did not answer",
    "interrupted": "KeyboardInterrupt: ",
    "not a number": "the loss is not a number; lower the learning rates",
    "too many": "TrainingError: a batch of 1 images divided among 2 processes; each needs",
}


@pytest.mark.parametrize("name", ENDS)
def test_whatever_ends_one_process_ends_both_with_one_message(left: Path, name: str) -> None:
    assert ENDS[name] in said(left / name)
    if name not in {"killed", "hung"}:  # these could not say a thing
        assert said(left / name, 1) == "SystemExit: 1"
    assert not (left / name / "weights.safetensors").exists()


def test_two_processes_that_were_killed_go_on_to_the_same_weights(left: Path) -> None:
    """Bit for bit, with dropout, with changed images and statistics that are learned."""
    assert said(left / "gone on") == "done"
    assert (left / "gone on" / "said-before.txt").read_text(encoding="utf-8") == "SystemExit: 1"
    assert same(weights(left / "gone on"), weights(left / "whole"))
    assert "one of 2 shares of a batch" in notes(left / "whole")[0]


def test_shares_are_all_of_it_in_order_and_differ_by_one_at_most() -> None:
    crew = Crew()
    for crew.n in (1, 2, 3, 7):
        for n in (0, 1, 6, 7, 8, 32):
            shares = []
            for rank in range(crew.n):
                crew.rank = rank
                shares.append([*range(n)][crew.share(n)])
            assert [number for share in shares for number in share] == [*range(n)]
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_an_image_is_changed_alike_in_whichever_share_it_is() -> None:
    images = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    kinds: tuple[TransformKind, ...] = ("small_rotation", "horizontal_flip", "contrast", "colour")
    whole = augment(images, kinds, torch.Generator().manual_seed(0))
    for first, last in ((0, 4), (4, 6)):
        generator = torch.Generator().manual_seed(0)
        part = augment(images[first:last], kinds, generator, Place(first, 6))
        assert torch.allclose(part, whole[first:last], atol=1e-6)
    assert not np.allclose(whole[0] - images[0], whole[4] - images[4], atol=1e-2)


def test_a_launcher_that_started_one_process_of_several_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert never_started() == ()
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert never_started() == ()
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    assert "started one process only" in never_started()[0]
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert never_started() == ()
