"""Calculations of a few milliseconds: one after the other, so that none takes time from another.

Threads of one process take turns at its interpreter. Twenty answers at once take a third more time
than the same twenty in turn, and all of them end late.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request

T = TypeVar("T")
Given = TypeVarTuple("Given")


def turns() -> CapacityLimiter:
    """What an application lets its calculations in by, one at a time, first come first served."""
    return CapacityLimiter(1)


async def in_turn(request: Request, calculate: Callable[[*Given], T], *given: *Given) -> T:
    """Calculate in a thread, when those who asked before are served.

    Raises
    ------
    HTTPException
        Who asked has gone meanwhile; nobody reads it.
    """
    async with request.app.state.turns:
        if await request.is_disconnected():
            raise HTTPException(503, "nobody waits for the answer any more")
        return await run_sync(calculate, *given)
