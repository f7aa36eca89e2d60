"""Advice to the C library is given once and does no harm."""

import platform
import sys

import pytest

from trainer.memory import keep_freed_memory


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_glibc_takes_the_advice() -> None:
    assert keep_freed_memory()
