"""A server as a person starts it: `evtl serve` in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-browsers-only"
#: Seconds in which a server has to begin, and to end.
BEGIN_S, END_S = 120, 30
SERVED_AT = re.compile(r"evtl is served at (http://127\.0\.0\.1:(\d+))")


class Server:
    """`evtl serve` on loopback, with a store, images and runs of its own below `place`.

    Parameters
    ----------
    place : pathlib.Path
        Folder that may hold ``evtl.sqlite``; a second server there finds what the first left.
    port : int
        0 lets the system choose.
    env : mapping
        Of its environment, beside what keeps it away from the user's own.
    processes : int
        That answer.
    """

    def __init__(
        self,
        place: Path,
        port: int = 0,
        env: Mapping[str, str] | None = None,
        processes: int = 1,
    ) -> None:
        self.place = place
        self.images, self.runs = place / "images", place / "runs"
        for folder in (self.images, self.runs):
            folder.mkdir(exist_ok=True)
        self.log = place / "server.log"
        with self.log.open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*self._command(port), "--processes", str(processes)],
                cwd=place, env=environment(place) | dict(env or {}), text=True,
                stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.address, self.port = self._begun()

    def _command(self, port: int) -> list[str]:
        # Tests that run in the background may be deaf to Ctrl-C, and their children with them.
        return [
            "env", "--default-signal=INT,HUP", sys.executable, "-m", "evtl", "serve",
            "--port", str(port), "--token", TOKEN,
            "--data-root", str(self.images), "--runs", str(self.runs),
        ]  # fmt: skip

    def _begun(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        found = SERVED_AT.search(self.process.stdout.readline())
        if found is None:
            self.process.wait(BEGIN_S)
            raise AssertionError(self.log.read_text(encoding="utf-8"))
        return found[1], int(found[2])

    @property
    def lives(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End the server as a loss of power does."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Have the server end, and wait until it has."""
        self.process.send_signal(how)
        self.process.wait(END_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def faults(self) -> str:
        """What the server logged of faults of its own; empty where there were none."""
        said = self.log.read_text(encoding="utf-8")
        return said if "Traceback" in said else ""


def environment(place: Path) -> dict[str, str]:
    """The tester's environment, without the tester's store, cache and weights."""
    own = {
        "EVTL_DATABASE_URL": f"sqlite:///{place / 'evtl.sqlite'}",
        "EVTL_CACHE_DIR": str(place / "cache"),
        "HF_HUB_CACHE": str(place / "hub"),
        "TORCH_HOME": str(place / "torch"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    unset = {"EVTL_CACHE_GB", "EVTL_COMPILE", "EVTL_WEIGHTS_DIR", "EVTL_READER_URL", "EVTL_TOKEN"}
    return {name: value for name, value in os.environ.items() if name not in unset} | own
