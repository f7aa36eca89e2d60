"""Advice to the C library is given once and does no harm."""

import sys

import pytest

from trainer.memory import keep_freed_memory


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


def test_asking_twice_gives_the_same_answer() -> None:
    assert keep_freed_memory() == keep_freed_memory()
