"""Calculations in turn."""

from typing import Any, cast

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from evtl.web.in_turn import in_turn, turns


class Asker:
    """One who asked, and may have gone."""

    def __init__(self, limiter: anyio.CapacityLimiter, *, is_gone: bool) -> None:
        self.app: Any = type("App", (), {"state": type("State", (), {"turns": limiter})})
        self._is_gone = is_gone

    async def is_disconnected(self) -> bool:
        """Whether nobody waits."""
        return self._is_gone


def test_nothing_is_calculated_for_one_who_has_gone() -> None:
    found: list[str] = []

    async def asked() -> None:
        limiter = turns()
        with pytest.raises(HTTPException):
            await in_turn(cast(Request, Asker(limiter, is_gone=True)), found.append, "gone")
        await in_turn(cast(Request, Asker(limiter, is_gone=False)), found.append, "there")

    anyio.run(asked)
    assert found == ["there"]
