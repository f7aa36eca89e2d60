"""What makes a network quicker on a GPU changes nothing on a CPU, nor the names of its weights."""

from collections.abc import Iterator

import pytest
import torch

from tests.unit.trainer.toys import Toy, toy
from trainer.features import quicken


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.nn.Module]]:
    """Networks that were compiled."""
    found: list[torch.nn.Module] = []
    before = torch.backends.cudnn.benchmark
    monkeypatch.setattr(Toy, "compile", lambda self: found.append(self))
    yield found
    torch.backends.cudnn.benchmark = before


@pytest.mark.parametrize("asked", ["0", "1"])
def test_a_network_on_the_cpu_stays_as_it_is(
    compiled: list[torch.nn.Module], monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("EVTL_COMPILE", asked)
    quicken(toy(), torch.device("cpu"))
    assert not torch.backends.cudnn.benchmark
    assert compiled == []


def test_a_network_on_a_gpu_is_compiled_where_that_is_asked_for(
    compiled: list[torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = toy()
    quicken(network, torch.device("cuda"))
    assert torch.backends.cudnn.benchmark
    assert compiled == []
    monkeypatch.setenv("EVTL_COMPILE", "1")
    quicken(network, torch.device("cuda"))
    assert compiled == [network]


def test_compiling_in_place_keeps_the_names_of_the_weights() -> None:
    network = toy()
    names = list(network.state_dict())
    network.compile(backend="eager")
    assert list(network.state_dict()) == names
