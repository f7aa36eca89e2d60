"""What a job keeps: what was asked for, how far it is, how it ended."""

import time
from pathlib import Path
from typing import Literal

from evidence.records import Record
from evtl.asking import TaskOptions
from evtl.planning import Wishes
from recommender.plan import Target

#: Steps that tell a pace: the first ones of a stage take longer than others.
LEAST_STEPS = 3
#: ``interrupted`` was begun and is not worked on; of a job, a worker goes on with it.
State = Literal[
    "waiting", "running", "cancelling", "cancelled", "finished", "failed", "interrupted"
]
Outcome = Literal["finished", "failed", "cancelled"]
Device = Literal["auto", "cpu", "cuda"]


class Wanted(Record):
    """A training as `evtl.training_services.Request` describes it.

    Attributes
    ----------
    data : pathlib.Path
        Folder of the images, absolute. It may be called like a patient: nothing names it but this,
        the run's ``begun.json`` and the worker's log, none of which is handed out.
    predicted_s : float or None
        Seconds that it was said to take.
    """

    data: Path
    options: TaskOptions = TaskOptions()
    wishes: Wishes = Wishes()
    target: Target | None = None
    order: str | None = None
    device: Device = "auto"
    predicted_s: float | None = None


class Job(Record):
    """A training that was asked for.

    Attributes
    ----------
    run : str
        Name of its folder.
    wanted : Wanted or None
        None where a run that was begun elsewhere is gone on with.
    has_plan : bool
        The plan beside it is carried out instead of what is recommended.
    """

    schema_version: Literal[1] = 1
    run: str
    created_at: str
    wanted: Wanted | None = None
    has_plan: bool = False


class Started(Record):
    """How often a worker was started since the job was asked for, and when last."""

    n: int
    at: str


class Progress(Record):
    """A stage of a training; instants are seconds since 1970.

    Attributes
    ----------
    first : int
        What was done when it was first told of: that took another time, if any.
    """

    stage: str
    done: int
    total: int
    first: int
    began: float
    at: float

    @classmethod
    def begun(cls, stage: str, done: int, total: int) -> "Progress":
        """The first that is told of a stage."""
        now = time.time()
        return cls(stage=stage, done=done, total=total, first=done, began=now, at=now)

    def at_now(self, done: int, total: int) -> "Progress":
        """The same stage, further on."""
        return self.model_copy(update={"done": done, "total": total, "at": time.time()})

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest of the stage takes at its pace; None while that is not known."""
        n, took_s = self.done - self.first, self.at - self.began
        return took_s / n * (self.total - self.done) if n >= LEAST_STEPS and took_s > 0 else None


class Ended(Record):
    """How a job ended, and why where that has to be said."""

    outcome: Outcome
    reason: str = ""
    at: str
