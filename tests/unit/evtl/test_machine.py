"""The memory that trainings are judged by is that of the device that they are predicted for."""

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evidence.records import RunRecord
from evtl import machine
from tests.unit.recommender.test_trials import a_run

GIB = 2**30


def run(device: str, day: int, status: str = "finished") -> RunRecord:
    changes = {"device": device, "started_at": f"2026-01-{day:02}", "status": status}
    return a_run(f"{device} {day}", "VGG-16", 0.8).model_copy(update=changes)


def driver(failure: int = 0) -> SimpleNamespace:
    """Of a GPU of 80 GiB, or one that finds none."""

    def fill(_device: Any, memory: Any) -> int:
        memory._obj.total = 80 * GIB
        return 0

    return SimpleNamespace(
        nvmlInit_v2=lambda: failure,
        nvmlDeviceGetHandleByIndex_v2=lambda _n, _device: 0,
        nvmlDeviceGetMemoryInfo=fill,
    )


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which a container's limit stands."""
    monkeypatch.setattr(machine, "CGROUP", tmp_path / "memory.max")
    return tmp_path / "memory.max"


def test_a_container_has_no_more_than_it_may_take(limit: Path) -> None:
    limit.write_text("max\n", encoding="ascii")
    whole = machine.memory_mb(())
    assert whole is not None
    limit.write_text(f"{GIB // 4}\n", encoding="ascii")
    assert machine.memory_mb(()) == GIB // 4 / 1e6 < whole


@pytest.mark.usefixtures("limit")
def test_the_device_of_the_last_finished_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: driver())
    ram = machine.memory_mb([run("cpu", 1)])
    gpu = machine.memory_mb([run("NVIDIA H100", 2), run("cpu", 1)])
    assert gpu == pytest.approx(80 * GIB / 1e6)
    assert machine.memory_mb([run("NVIDIA H100", 1), run("cpu", 2)]) == ram != gpu
    assert machine.memory_mb([run("cpu", 1), run("NVIDIA H100", 2, "failed")]) == ram


def test_of_a_gpu_that_is_not_here_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> SimpleNamespace:
        raise OSError

    for library in (missing, lambda _name: driver(failure=9)):
        monkeypatch.setattr(ctypes, "CDLL", library)
        assert machine.memory_mb([run("NVIDIA H100", 1)]) is None
