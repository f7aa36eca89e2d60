"""A finished run as ONNX, made when it is first asked for and kept beside the run."""

import os
import subprocess
import sys
from pathlib import Path

from evtl.jobs.locks import take
from evtl.jobs.queue import BusyError, Queue
from evtl.run_services import ONNX_FILE, RunFileError, file_of, found, result_of, state_of

#: Seconds that making it may take.
LIMIT_S = 300
#: Characters of a reason.
MOST_SAID = 300


def onnx_of(runs: Path, run: str) -> Path:
    """The ONNX file of a run; made, and checked against the run's own model, where there is none.

    Raises
    ------
    RunNotFoundError
        There is no such run.
    BusyError
        Another is being made.
    RunFileError
        The run is not finished or lacks a file, its head has no such form, or it took too long.
    """
    job, folder = found(runs, run), found(runs, run).run
    path = folder / ONNX_FILE
    if path.is_file() and not path.is_symlink():
        return path
    if state_of(job) != "finished":
        msg = f"{run} is {state_of(job)}; only a finished run can be exported"
        raise RunFileError(msg)
    if result_of(job) is None:
        msg = f"{run}: its result.json is broken, or of another version; it cannot be exported"
        raise RunFileError(msg)
    file_of(runs, run, "model.safetensors")
    if (held := take(Queue(runs).path / ".exporting")) is None:
        msg = "another run is being exported; try again in a minute"
        raise BusyError(msg)
    try:
        _make(folder, path, held)
    finally:
        os.close(held)
    return path


def _make(folder: Path, path: Path, held: int) -> None:
    words = ["export", str(folder), str(path), "--to", "onnx"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "evtl", *words], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False, pass_fds=(held,),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        msg = f"{folder.name} was not exported within {LIMIT_S} s: evtl export RUN FILE --to onnx"
        raise RunFileError(msg) from error
    if done.returncode:
        said = done.stderr.rpartition("evtl: ")[2].strip().partition("\n")[0]
        raise RunFileError(said.replace(str(folder), folder.name)[:MOST_SAID])
