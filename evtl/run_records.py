"""What is shown of a run, whoever started it: read from its folder, without torch."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from evidence.records import Record
from evidence.vocabulary import Approach, Head, Initialisation
from evtl.jobs.records import State
from recommender.plan import TrainingPlan


class _Part(BaseModel):
    """Part of a ``result.json``: of what a later version adds, nothing is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Estimate(_Part):
    """A value with the ends of its 95% interval; None where it is not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class OperatingPoint(_Part):
    """The threshold that was chosen, in words."""

    statement: str = ""


class Result(_Part):
    """What a training was and what it measured: `trainer.runs.RunResult` says what each is."""

    run_id: str
    status: str
    started_at: str
    seconds: float
    classes: tuple[str, ...] = ()
    positive_class: str | None = None
    n_images: int = 0
    n_per_part: dict[str, int] = {}
    backbone_recommended: str = ""
    backbone: str = ""
    fallback_reason: str = ""
    weights: str = ""
    approach: Approach
    head: Head
    head_setting: str = ""
    seed: int
    device: str = ""
    metrics: dict[str, dict[str, Estimate]] = {}
    warnings: tuple[str, ...] = ()
    error: str = ""
    operating_point: OperatingPoint | None = None
    n_resumed: int = 0
    peak_memory_mb: float | None = None


class Summary(Record):
    """A run in a list.

    Attributes
    ----------
    run : str or None
        Name of its folder below the runs; None where it is elsewhere.
    at : str
        When it was asked for, or began.
    auc : float or None
        Of the test part.
    """

    run: str | None
    state: State
    at: str
    modality: str | None = None
    anatomy: str | None = None
    task: str | None = None
    n_images: int | None = None
    backbone: str = ""
    approach: Approach | None = None
    initialisation: Initialisation | None = None
    head: Head | None = None
    auc: float | None = None
    seconds: float | None = None
    reason: str = ""


class Snapshot(Record):
    """Where a run stands now.

    Attributes
    ----------
    place : int or None
        Among those that wait, from 1.
    left_s : float or None
        Seconds until the training ends.
    left_is_least : bool
        It takes at least these: how long what follows the stage takes is not known.
    spent_s : float or None
        Since the worker that is at it was started.
    predicted_s : float or None
        Of the whole, as it was said before it began.
    can_resume : bool
        It was stopped, and may be gone on with; of one that is finished, its report is missing.
    """

    run: str
    state: State
    place: int | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    left_s: float | None = None
    left_is_least: bool = False
    spent_s: float | None = None
    predicted_s: float | None = None
    reason: str = ""
    can_resume: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state not in {"waiting", "running", "cancelling"} and self.place is None


class Shown(Record):
    """Everything that is shown of one run.

    Attributes
    ----------
    files : tuple of str
        Names that may be downloaded.
    history : tuple of dict
        A line per epoch, or per setting of a head.
    """

    snapshot: Snapshot
    plan: TrainingPlan | None
    result: Result | None
    history: tuple[dict[str, Any], ...]
    files: tuple[str, ...]
    has_report: bool
