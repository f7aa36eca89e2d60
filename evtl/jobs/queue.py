"""Jobs below a folder of runs: asked for, looked at, cancelled, gone on with."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from evidence.errors import EvtlError
from evidence.records import Record
from evtl.jobs.locks import alone, is_taken
from evtl.jobs.records import Ended, Job, Outcome, Progress, Started, State, Wanted
from recommender.plan import TrainingPlan
from trainer.errors import TrainingError
from trainer.places import new_file, new_folder

#: Names that a run may have; no other is ever looked for.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: Why a job failed whose files are broken, or of a later version.
UNREADABLE = "its job cannot be read"
JOBS = ".jobs"
#: Jobs that may wait at a time.
MOST_WAITING = 100

R = TypeVar("R", bound=Record)


class RunNotFoundError(EvtlError):
    """There is no run of this name."""


class BusyError(EvtlError):
    """It cannot be done now, in the state in which the run or the queue is."""


def now() -> str:
    """The time as it is kept."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class JobFolder:
    """One job on disk.

    Parameters
    ----------
    path : pathlib.Path
        The folder of the job.
    run : pathlib.Path
        The folder of its run.
    """

    def __init__(self, path: Path, run: Path) -> None:
        self.path, self.run = path, run
        self.lock, self.log = path / ".lock", path / "worker.log"
        self.plan_file, self._cancel = path / "plan.json", path / "cancel"

    @property
    def job(self) -> Job:
        """What was asked for.

        Raises
        ------
        TrainingError
            It is missing or broken.
        """
        if (found := self.asked) is None:
            msg = f"{self.run.name}: {UNREADABLE}"
            raise TrainingError(msg)
        return found

    @property
    def asked(self) -> Job | None:
        """What was asked for; None where it cannot be read."""
        return self._read("job.json", Job)

    @property
    def started(self) -> Started | None:
        """How often a worker was started; None before the first."""
        return self._read("started.json", Started)

    @property
    def progress(self) -> Progress | None:
        """The last stage that was told of."""
        return self._read("progress.json", Progress)

    @property
    def ended(self) -> Ended | None:
        """How it ended; None while it did not. One that cannot be read has failed."""
        found = self._read("ended.json", Ended)
        if found is not None or not self.path.is_dir():
            return found
        is_broken = self.asked is None or (self.path / "ended.json").is_file()
        return Ended(outcome="failed", reason=UNREADABLE, at="") if is_broken else None

    @property
    def cancel_asked(self) -> bool:
        """Whether somebody wants it to end."""
        return self._cancel.is_file()

    @property
    def state(self) -> State:
        """What it is doing."""
        if (ended := self.ended) is not None:
            return ended.outcome
        if is_taken(self.lock):
            return "cancelling" if self.cancel_asked else "running"
        if self.cancel_asked:
            return "cancelled"
        return "interrupted" if self.started else "waiting"

    @property
    def is_begun(self) -> bool:
        """Whether there is a run that can be gone on with."""
        return (self.run / "begun.json").is_file()

    @property
    def data(self) -> Path | None:
        """Folder of the images, where the job or its run names one."""
        if (asked := self.asked) is not None and asked.wanted is not None:
            return asked.wanted.data
        found = self.of_run("begun.json").get("data")
        return Path(found) if isinstance(found, str) else None

    def result(self) -> dict[str, Any]:
        """What the run folder says came of it; empty where it says nothing yet."""
        return self.of_run("result.json")

    def of_run(self, name: str) -> dict[str, Any]:
        """What a JSON file of the run folder holds; empty where it is missing or broken."""
        with suppress(OSError, ValueError):
            found = from_json((self.run / name).read_bytes())
            return found if isinstance(found, dict) else {}
        return {}

    def keep(self, name: str, record: Record) -> None:
        """Keep a file, whole or not at all; nothing where somebody removed the job.

        Raises
        ------
        TrainingError
            The disk is full or does not allow it.
        """
        if not self.path.is_dir():
            return
        with new_file(self.path / name) as draft:
            draft.write_text(record.model_dump_json(), encoding="utf-8")

    def end(self, outcome: Outcome, reason: str = "") -> None:
        """Say how it ended."""
        self.keep("ended.json", Ended(outcome=outcome, reason=reason, at=now()))

    def cancel(self) -> None:
        """Have it end: its worker looks for this, one that waits ends at once.

        Raises
        ------
        BusyError
            It has ended already.
        TrainingError
            The disk does not allow it.
        """
        if self.ended is not None:
            msg = f"{self.run.name} has ended already; there is nothing to cancel"
            raise BusyError(msg)
        with new_file(self._cancel) as draft:
            draft.touch()
        if not is_taken(self.lock):
            self.end("cancelled")

    def again(self) -> None:
        """Put it back among those that wait."""
        for name in ("ended.json", "cancel", "started.json", "progress.json"):
            (self.path / name).unlink(missing_ok=True)

    def _read(self, name: str, kind: type[R]) -> R | None:
        with suppress(OSError, ValidationError):
            return kind.model_validate_json((self.path / name).read_bytes())
        return None


class Queue:
    """The jobs of a folder of runs."""

    def __init__(self, runs: Path) -> None:
        self.runs, self.path = runs, runs / JOBS
        self.device_lock, self.dispatcher_lock = self.path / ".device", self.path / ".dispatcher"
        self._adding = self.path / ".adding"

    def job(self, run: str) -> JobFolder:
        """The job of a run, whether or not there is one.

        Raises
        ------
        RunNotFoundError
            No run can have this name, or it is that of a link.
        """
        if not NAME.fullmatch(run) or (self.path / run).is_symlink():
            raise not_found(run)
        return JobFolder(self.path / run, self.runs / run)

    def jobs(self) -> Iterator[JobFolder]:
        """All jobs, whether or not they ended, in no order."""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.path) as entries:
            for entry in entries:
                if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    yield JobFolder(self.path / entry.name, self.runs / entry.name)

    def open(self) -> list[JobFolder]:
        """Jobs that have not ended, in the order in which they were asked for."""
        found = []
        for each in self.jobs():
            is_open = not (each.path / "ended.json").is_file()
            if is_open and (asked := each.asked) is not None:  # else it has failed
                found.append((asked.created_at, each.path.name, each))
        return [each for _, _, each in sorted(found, key=lambda entry: entry[:2])]

    def waiting(self) -> list[JobFolder]:
        """Jobs that wait for the device, the next first."""
        return [each for each in self.open() if each.state in {"waiting", "interrupted"}]

    def add(self, wanted: Wanted, plan: TrainingPlan | None = None) -> JobFolder:
        """A new job, of a run that does not exist yet.

        Parameters
        ----------
        plan : TrainingPlan or None
            Carried out instead of what is recommended.

        Raises
        ------
        BusyError
            Too many wait already.
        TrainingError
            The disk is full or does not allow it.
        """
        run = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
        return self._put(Job(run=run, created_at=now(), wanted=wanted, has_plan=bool(plan)), plan)

    def resume(self, run: str) -> JobFolder:
        """Have a run that was stopped gone on with.

        Raises
        ------
        BusyError
            It is not stopped, or too many wait already.
        TrainingError
            It cannot be read, or the disk is full or does not allow it.
        """
        folder = self.job(run)
        if not folder.path.is_dir():
            return self._put(Job(run=run, created_at=now()), None)
        if folder.asked is None:
            msg = f"{run}: {UNREADABLE}; ask for the training anew"
            raise TrainingError(msg)
        with alone(self._adding):
            self._must_have_place()
            if folder.state not in {"failed", "cancelled"} or is_taken(folder.lock):
                msg = f"{run} is {folder.state}; only a run that was stopped can be gone on with"
                raise BusyError(msg)
            folder.again()
        return folder

    def _put(self, job: Job, plan: TrainingPlan | None) -> JobFolder:
        folder = self.job(job.run)
        with alone(self._adding):
            self._must_have_place()
            with new_folder(folder.path) as draft:
                draft.chmod(0o700)
                (draft / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
                if plan is not None:
                    text = plan.model_dump_json(indent=2)
                    (draft / "plan.json").write_text(text, encoding="utf-8")
        return folder

    def _must_have_place(self) -> None:
        if len(self.waiting()) >= MOST_WAITING:
            msg = (
                f"{MOST_WAITING} trainings wait already; ask again when some have ended, or cancel "
                "one"
            )
            raise BusyError(msg)


def not_found(run: str) -> RunNotFoundError:
    """What is said of a name that no run has."""
    return RunNotFoundError(f"there is no run {run[:100]!r}; /runs lists those that there are")
