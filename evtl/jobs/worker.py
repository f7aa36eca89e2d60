"""The process of one job: trains, says how far it is, and ends when it is asked to.

Its locks are open files that it was born with (`evtl.jobs.dispatcher`).
"""

import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from evtl.jobs.queue import JobFolder
from evtl.jobs.reasons import reason_of
from evtl.jobs.records import Outcome, Progress
from trainer.errors import TrainingError
from trainer.places import remove

if TYPE_CHECKING:  # what is said first must not wait for the services
    from evtl.training_services import Request

#: Seconds between two looks whether somebody wants the job to end.
LOOK_S = 0.2
#: Seconds that are given to say in the run folder why; some calculations cannot be interrupted.
GRACE_S = 60.0
#: Seconds between two notes of a stage that goes on.
NOTE_S = 0.5


class Cancelled(BaseException):
    """Somebody wants the job to end."""


def work(job: JobFolder) -> int:
    """Carry out a job; returns the exit status of the process.

    Killed, or asked to end by the system, it leaves no word: another worker then goes on.
    """
    outcome, reason = _outcome(job)
    job.end(outcome, reason)
    return int(outcome != "finished")


def _outcome(job: JobFolder) -> tuple[Outcome, str]:
    try:
        with Heeding(job):
            _train(job)
    except Cancelled:
        return "cancelled", ""
    except Exception as error:
        traceback.print_exc()
        return "failed", reason_of(job, error)
    return "finished", ""


def _train(job: JobFolder) -> None:
    noting = Noting(job)
    noting("start", 0, 1)
    from evtl import training_services as services  # noqa: PLC0415  (the start is told before)

    if job.job.wanted is None or job.is_begun:
        services.resume(job.run, noting)
        return
    remove(job.run)  # of a worker that was killed before it had begun
    services.train(_request(job), noting)


def _request(job: JobFolder) -> "Request":
    from evtl.training_services import Request  # noqa: PLC0415

    asked = job.job
    if (wanted := asked.wanted) is None:
        msg = f"{job.path} names no images"
        raise TrainingError(msg)
    return Request(
        data=wanted.data,
        options=wanted.options,
        wishes=wanted.wishes,
        plan_file=job.plan_file if asked.has_plan else None,
        target=wanted.target,
        order=wanted.order,
        device=wanted.device,
        out=job.run,
    )


class Noting:
    """Progress that is kept beside the job, now and then."""

    def __init__(self, job: JobFolder) -> None:
        self._job, self._last, self._kept = job, Progress.begun("", 0, 0), 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Keep it, unless the last note is of the same stage and recent."""
        same = stage == self._last.stage and done >= self._last.done
        self._last = self._last.at_now(done, total) if same else Progress.begun(stage, done, total)
        if same and done < total and abs(time.time() - self._kept) < NOTE_S:
            return
        self._kept = time.time()
        with suppress(TrainingError):  # a full disk is told by what matters more
            self._job.keep("progress.json", self._last)


class Heeding:
    """Within it, a training is interrupted when somebody wants its job to end."""

    def __init__(self, job: JobFolder) -> None:
        self._job, self._over = job, threading.Event()

    def __enter__(self) -> None:
        """Begin to watch; only the main thread may."""
        signal.signal(signal.SIGTERM, self._interrupt)
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """No more: what is left to say must not be cut off."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._over.set()

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the run folder says why, once
        if self._job.cancel_asked:
            msg = "somebody asked for it"
            raise Cancelled(msg)
        sys.exit("ended by SIGTERM")

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            if self._job.cancel_asked:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                break
        if not self._over.wait(GRACE_S):
            with suppress(TrainingError):
                self._job.end("cancelled", "it could not be interrupted, so its process was ended")
            os._exit(1)
