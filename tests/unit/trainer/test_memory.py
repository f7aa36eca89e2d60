"""Advice to the C library does no harm; what a training took is what the process grew by."""

import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from trainer.tuning import memory
from trainer.tuning.memory import PeakMemory, keep_freed_memory

CPU = torch.device("cpu")
#: A process of its own: its largest size is not that of the tests before.
ALLOCATE = """
import torch
from trainer.tuning.memory import PeakMemory
for number in (50_000_000, 1_000, 75_000_000):
    peak = PeakMemory(torch.device("cpu"))
    held = torch.ones(number)
    del held
    print(peak.taken_mb())
"""


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Largest sizes that the process will say it had, in turn."""
    found: list[float] = []
    monkeypatch.setattr(memory, "_largest_mb", lambda: found.pop(0))
    memory._before_any_training.cache_clear()
    yield found
    memory._before_any_training.cache_clear()


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_glibc_takes_the_advice() -> None:
    assert keep_freed_memory()


def test_the_first_training_took_what_the_process_grew_by(sizes: list[float]) -> None:
    sizes += [300, 300, 812.5]
    assert PeakMemory(CPU).taken_mb() == 512.5


def test_a_later_training_reuses_what_an_earlier_one_had(sizes: list[float]) -> None:
    sizes += [300, 300, 800, 800, 900]
    first = PeakMemory(CPU)
    assert first.taken_mb() == 500
    assert PeakMemory(CPU).taken_mb() == 600


def test_nothing_is_known_of_a_training_smaller_than_an_earlier_one(sizes: list[float]) -> None:
    sizes += [300, 300, 800, 800, 800]
    first = PeakMemory(CPU)
    assert first.taken_mb() == 500
    assert PeakMemory(CPU).taken_mb() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say")
def test_tensors_of_a_known_size_are_seen() -> None:
    found = subprocess.run(
        [sys.executable, "-c", ALLOCATE], capture_output=True, text=True, check=True
    ).stdout.split()
    assert 200 <= float(found[0]) < 260
    assert found[1] == "None"
    assert 300 <= float(found[2]) < 360


def test_on_a_gpu_its_own_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    reset: list[torch.device] = []
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _device: 1_234_560_000)
    assert PeakMemory(gpu).taken_mb() == 1234.6
    assert reset == [gpu]
