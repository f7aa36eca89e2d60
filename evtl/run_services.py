"""Use cases of those who look at trainings: what runs, what ran, what came of it."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from evidence.errors import EvtlError, UnknownTermError
from evidence.records import RunRecord
from evidence.vocabulary import ANATOMY, MODALITY, Vocabulary
from evtl.asking import TaskOptions
from evtl.jobs.locks import is_taken
from evtl.jobs.queue import NAME, JobFolder, Queue, not_found
from evtl.jobs.records import State, Wanted
from evtl.jobs.time_left import time_left
from evtl.run_records import Result, Shown, Snapshot, Summary
from evtl.training_services import runs as recorded
from recommender.errors import RecommendationError
from recommender.plan import TrainingPlan, read_plan

#: Files of a run that are handed out. ``predictions.csv`` and ``split.csv`` are not among them:
#: they name every image, and files may be called like patients.
FILES = (
    "model.safetensors", "head.skops", "MODEL_CARD.md", "report.html", "plan.json", "result.json",
    "history.jsonl",
)  # fmt: skip
#: Made when it is first asked for (`evtl.exporting`).
ONNX_FILE = "model.onnx"
#: Lines of a history that are read at most.
MOST_LINES = 20_000


def going(runs: Path) -> tuple[Summary, ...]:
    """Jobs that run or wait, in the order in which they were asked for."""
    found = ((job, state_of(job)) for job in Queue(runs).open())
    return tuple(_asked(job, state) for job, state in found if state != "cancelled")


def ended(runs: Path) -> tuple[Summary, ...]:
    """All other runs, newest first: those below the folder and those that the store has."""
    queue, at_work = Queue(runs), {each.run for each in going(runs)}
    stored = [_stored(record, queue) for record in recorded()]
    kept = [each for each in stored if each.run is None or each.run not in at_work]
    known = at_work | {each.run for each in kept}
    others = (_unstored(queue.job(name)) for name in _names(queue) if name not in known)
    return tuple(sorted((*kept, *filter(None, others)), key=lambda each: each.at, reverse=True))


def snapshot(runs: Path, run: str) -> Snapshot:
    """Where a run stands now.

    Raises
    ------
    RunNotFoundError
        There is none of this name.
    """
    return _snapshot(Queue(runs), found(runs, run))


def lines(runs: Path, run: str) -> tuple[dict[str, Any], ...]:
    """History of a run so far; the last line may not be whole yet and is then left out.

    Raises
    ------
    RunNotFoundError
        There is none of this name.
    """
    return tuple(_lines(found(runs, run).run / "history.jsonl"))


def shown(runs: Path, run: str) -> Shown:
    """Everything that is shown of one run.

    Raises
    ------
    RunNotFoundError
        There is none of this name.
    """
    job = found(runs, run)
    result = result_of(job)
    names = [name for name in FILES if _is_plain(job.run / name)]
    return Shown(
        snapshot=_snapshot(Queue(runs), job),
        plan=_plan(job),
        result=result,
        history=tuple(_lines(job.run / "history.jsonl")),
        files=(*names, ONNX_FILE) if result and result.status == "finished" else tuple(names),
        has_report=_is_plain(job.run / "report.html"),
    )


def file_of(runs: Path, run: str, name: str) -> Path:
    """A file of a run that may be handed out.

    Raises
    ------
    RunNotFoundError
        There is no such run.
    RunFileError
        The run has no such file, or it is not handed out.
    """
    path = found(runs, run).run / name
    if name not in FILES or not _is_plain(path):
        msg = f"{run} hands out no {name[:80]!r}; allowed: {', '.join((*FILES, ONNX_FILE))}"
        raise RunFileError(msg)
    return path


class RunFileError(EvtlError):
    """A run has no such file, or does not hand it out."""


def found(runs: Path, run: str) -> JobFolder:
    """A run below the folder, asked for here or begun elsewhere.

    Raises
    ------
    RunNotFoundError
        There is none of this name.
    """
    job = Queue(runs).job(run)
    begun = job.run.is_dir() and not job.run.is_symlink() and _is_run(job)
    if not begun and not (job.path / "job.json").is_file():
        raise not_found(run)
    return job


def state_of(job: JobFolder) -> State:
    """What a run is doing, whoever began it."""
    state = job.state if job.path.is_dir() else None
    if state in {None, "failed", "cancelled"}:  # it may have been gone on with by hand
        status = job.result().get("status")
        if status == "finished":
            return "finished"
        if state is None and status is None and is_taken(job.run / ".lock"):
            return "running"
        return state or ("failed" if status == "failed" else "interrupted")
    return state or "interrupted"


def _snapshot(queue: Queue, job: JobFolder) -> Snapshot:
    state, progress, name = state_of(job), job.progress, job.run.name
    at_work = state in {"running", "cancelling"}
    names = [each.run.name for each in queue.waiting()] if not at_work else []
    stopped = state in {"failed", "cancelled", "interrupted"}
    wanted = asked.wanted if (asked := job.asked) else None
    told, spent_s = (progress, _spent(job)) if at_work else (None, None)
    predicted_s = wanted.predicted_s if wanted else None
    # Of one that was gone on with, only the rest is to be done.
    whole_s = None if (job.run / "resumed.jsonl").is_file() else predicted_s
    left = time_left(told, _plan(job), whole_s, spent_s, time.time()) if told else None
    return Snapshot(
        run=name,
        state=state,
        place=names.index(name) + 1 if name in names else None,
        stage=told.stage if told else "",
        done=told.done if told else 0,
        total=told.total if told else 0,
        left_s=left.seconds if left else None,
        left_is_least=left is not None and left.is_least,
        spent_s=spent_s,
        predicted_s=predicted_s,
        reason=_reason(job, state),
        can_resume=(name not in names and stopped and _has_way(job, wanted))
        or (state == "finished" and _lacks_report(job)),
    )


def _has_way(job: JobFolder, wanted: Wanted | None) -> bool:
    """Whether it is known how to go on."""
    return wanted is not None or (job.is_begun and (bool(job.asked) or not job.path.is_dir()))


def _lacks_report(job: JobFolder) -> bool:
    """Whether a training ended while its report was drawn, which can be gone on with."""
    was_stopped = job.path.is_dir() and job.state in {"failed", "cancelled"} and job.is_begun
    drawn = (job.run / name for name in ("report.html", "MODEL_CARD.md"))
    return was_stopped and bool(job.asked) and not all(map(_is_plain, drawn))


def _spent(job: JobFolder) -> float | None:
    if (started := job.started) is None:
        return None
    with suppress(ValueError, TypeError):  # no instant, or one of no known zone
        return (datetime.now(UTC) - datetime.fromisoformat(started.at)).total_seconds()
    return None


def _reason(job: JobFolder, state: State) -> str:
    if state not in {"failed", "cancelled"}:
        return ""
    if (ended := job.ended) is not None:
        return ended.reason
    return str(job.result().get("error", ""))


def _asked(job: JobFolder, state: State) -> Summary:
    """A job of which there may be no run yet."""
    asked, plan = job.asked, _plan(job)
    wanted = asked.wanted if asked else None
    profile, options = plan.profile if plan else None, wanted.options if wanted else TaskOptions()
    return Summary(
        run=job.run.name,
        state=state,
        at=asked.created_at if asked else "",
        modality=profile.modality if profile else _key(MODALITY, options.modality),
        anatomy=profile.anatomy if profile else _key(ANATOMY, options.anatomy),
        task=profile.task if profile else None,
        n_images=profile.n_images if profile else None,
        backbone=plan.backbone.name if plan else "",
        approach=plan.approach if plan else None,
        initialisation=plan.initialisation if plan else None,
        head=plan.head if plan else None,
        reason=_reason(job, state),
    )


def _key(terms: Vocabulary, typed: str | None) -> str | None:
    with suppress(UnknownTermError):
        return terms.resolve(typed) if typed else None
    return None


def _unstored(job: JobFolder) -> Summary | None:
    """A run that the store does not have: it could not be kept, or failed before it began."""
    result, plan = result_of(job), _plan(job)
    if result is None and not (job.path / "job.json").is_file():
        if not job.is_begun:
            return None
        at = str(job.of_run("begun.json").get("started_at", ""))
        told = Summary(run=job.run.name, state=state_of(job), at=at)
    elif result is None:
        return _asked(job, state_of(job))
    else:
        told = Summary(
            run=job.run.name, state=state_of(job), at=result.started_at,
            n_images=result.n_images, backbone=result.backbone or result.backbone_recommended,
            approach=result.approach, head=result.head, seconds=result.seconds,
            auc=_auc(result), reason=result.error,
        )  # fmt: skip
    if plan is None:
        return told
    profile = plan.profile
    return told.model_copy(
        update={
            "modality": profile.modality, "anatomy": profile.anatomy, "task": profile.task,
            "initialisation": plan.initialisation,
        }
    )  # fmt: skip


def _stored(record: RunRecord, queue: Queue) -> Summary:
    folder = Path(record.folder)
    here = folder.parent == queue.runs and NAME.fullmatch(folder.name) and folder.is_dir()
    state: State = record.status
    if here and state == "failed":
        state = state_of(queue.job(folder.name))
    return Summary(
        run=folder.name if here else None,
        state=state,
        at=record.started_at,
        modality=record.modality,
        anatomy=record.anatomy,
        task=record.task,
        n_images=record.n_images,
        backbone=record.backbone or record.backbone_recommended,
        approach=record.approach,
        initialisation=record.initialisation,
        head=record.head,
        auc=record.metrics.get("test", {}).get("auc", {}).get("value"),
        seconds=record.seconds,
        reason=record.error,
    )


def _auc(result: Result) -> float | None:
    estimate = result.metrics.get("test", {}).get("auc")
    return estimate.value if estimate else None


def _names(queue: Queue) -> Iterator[str]:
    """Of run folders, and of jobs that never came to have one."""
    with suppress(OSError):
        here = {each.name for each in queue.runs.iterdir() if _is_folder(each)}
        yield from sorted(here | {each.path.name for each in queue.jobs()})


def _is_folder(path: Path) -> bool:
    return bool(NAME.fullmatch(path.name)) and path.is_dir() and not path.is_symlink()


def _is_run(job: JobFolder) -> bool:
    return job.is_begun or (job.run / "result.json").is_file()


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _plan(job: JobFolder) -> TrainingPlan | None:
    for path in (job.run / "plan.json", job.plan_file):
        with suppress(RecommendationError):
            return read_plan(path)
    return None


def result_of(job: JobFolder) -> Result | None:
    """What came of a run; None where it says nothing yet, or nothing that can be read."""
    with suppress(ValidationError):
        return Result.model_validate(job.result())
    return None


def _no_number(_name: str) -> None:
    """What is no number in JSON either is told as not known."""


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[:MOST_LINES]:
            with suppress(ValueError):
                from_json(line)  # refuses half characters, and more levels than a stack has
                content = json.loads(line, parse_constant=_no_number)
                if isinstance(content, dict):
                    yield content
