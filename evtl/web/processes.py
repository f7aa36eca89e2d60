"""Several processes that answer at one address, and one that starts, watches and ends them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
from uvicorn.supervisors import Multiprocess

#: What ends a server: a polite request, Ctrl-C, a terminal that is closed.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve_with_several(config: uvicorn.Config, listening: socket) -> None:
    """Serve with as many processes as `config` says, until a signal, which then has its effect."""
    before = {each: signal.getsignal(each) for each in ENDING}
    several = _Several(config, [listening])
    several.run()
    for each, handler in before.items():
        signal.signal(each, handler)
    for number in several.heard:
        signal.raise_signal(number)


class _Several(Multiprocess):
    """Processes that hear of Ctrl-C from this one alone: those that only begin would complain.

    Attributes
    ----------
    heard : list of int
        Signals that ended it.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.heard: list[int] = []

    def init_processes(self) -> None:
        """Start them."""
        with _without_interrupts():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Start those anew that died."""
        with _without_interrupts():
            super().keep_subprocess_alive()

    def handle_term(self) -> None:
        """End."""
        self._end(signal.SIGTERM)

    def handle_int(self) -> None:
        """End."""
        self._end(signal.SIGINT)

    def handle_hup(self) -> None:
        """End, as a single process does whose terminal is closed."""
        self._end(signal.SIGHUP)

    def _end(self, number: int) -> None:
        self.heard.append(number)
        self.should_exit.set()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What is started meanwhile is born deaf to Ctrl-C; what comes meanwhile is heard after."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def end_with_parent() -> None:
    """Have this process end when the one that started it has, however it has."""
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_after, args=(parent.join,), daemon=True).start()


def _end_after(wait: Callable[[], object]) -> None:
    wait()
    os.kill(os.getpid(), signal.SIGTERM)
