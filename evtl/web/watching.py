"""A run watched from a browser: server-sent events.

References
----------
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from evidence.errors import EvtlError
from evtl import run_services as services
from evtl.web.problems import problem

#: Seconds between two looks at a run, and looks after which a word is sent that says nothing: a
#: browser that has gone is noticed by it.
LOOK_S, QUIET_LOOKS = 0.5, 20
#: Runs that may be watched at a time; each costs a look into its folder now and then.
MOST_STREAMS = 64


class Watching(StreamingResponse):
    """What happens to a run from now on; a browser that comes back is told what it missed."""

    #: Those that are open in this process.
    open: ClassVar[set[object]] = set()

    def __init__(self, request: Request, runs: Path, run: str) -> None:
        self._request = request
        seen = request.headers.get("last-event-id", "")
        known = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 9 else 0
        super().__init__(
            _watched(Watch(runs, run, known)),
            media_type="text/event-stream",
            headers={"x-accel-buffering": "no"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless too many are answered already."""
        if len(self.open) >= MOST_STREAMS:
            said = f"{MOST_STREAMS} pages watch trainings already; reload to see how far this is"
            refusal = problem(self._request, 503, "Busy", said, {"retry-after": "5"})
            await refusal(scope, receive, send)
            return
        self.open.add(self)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.open.discard(self)


async def _watched(watch: "Watch") -> AsyncIterator[str]:
    n_quiet = 0
    while not watch.is_over:
        said = await run_in_threadpool(watch.look)
        n_quiet = 0 if said else n_quiet + 1
        if said or n_quiet % QUIET_LOOKS == 0:
            yield said or ": still here\n\n"
        if not watch.is_over:
            await asyncio.sleep(LOOK_S)


class Watch:
    """What one browser has been told of a run.

    Attributes
    ----------
    is_over : bool
        Nothing more will happen.
    """

    def __init__(self, runs: Path, run: str, n_seen: int) -> None:
        self._runs, self._run, self._n_seen = runs, run, n_seen
        self._told: dict[str, Any] = {}
        self.is_over = False

    def look(self) -> str:
        """Events since the last look; empty where nothing happened."""
        try:
            now, said = services.snapshot(self._runs, self._run), "".join(self._lines())
        except EvtlError:  # removed while it was watched, or cannot be told any more
            self.is_over = True
            return ""
        told = now.model_dump(exclude={"spent_s", "left_s"})  # browsers count by themselves
        if told != self._told:
            said += _event("state", now.model_dump())
        self._told, self.is_over = told, now.is_over
        return said

    def _lines(self) -> Iterator[str]:
        lines = services.lines(self._runs, self._run)
        if len(lines) < self._n_seen:
            self._n_seen = 0
            yield _event("anew", {})
        for line in lines[self._n_seen :]:
            self._n_seen += 1
            yield _event("line", line, self._n_seen)


def _event(kind: str, content: dict[str, Any], number: int | None = None) -> str:
    known = "" if number is None else f"id: {number}\n"
    return f"event: {kind}\n{known}data: {json.dumps(content)}\n\n"
