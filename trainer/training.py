"""Carry out a plan on images: choose weights, prepare, fit, measure, keep everything."""

import contextlib
import hashlib
import platform
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evidence.errors import EvtlError
from recommender.plan import TrainingPlan
from trainer import heads
from trainer.assisting import dismiss, lead
from trainer.backbones import choose_backbone, stated_preprocessing
from trainer.errors import TrainingError
from trainer.features import choose_device, describe_device
from trainer.fitting import CHECKPOINT_FILE, LADDER_FOLDER, Fitted, Work
from trainer.further_splits import (
    SPLITS_FOLDER,
    first_deadline,
    further_splits,
)
from trainer.images import ImageSet, Progress, unwatched
from trainer.measures.measuring import measured, summed_up, without_width
from trainer.measures.predictions_file import (
    PREDICTIONS_FILE,
    Predicted,
    digest_of,
    write_predictions,
)
from trainer.metrics import positive_class
from trainer.places import DRAFTS, remove
from trainer.preparing.fingerprint import fingerprint
from trainer.preparing.preparation import prepare
from trainer.processes import crew, never_started
from trainer.reading.private import without_files, without_folders
from trainer.runs import Begun, RunFolder, RunResult
from trainer.tuning.budget import Deadline
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.guard import Guard
from trainer.tuning.memory import PeakMemory, keep_freed_memory

#: Seconds of a budget that are kept for metrics and the report.
REPORT_S = 10.0
VERSIONED = ("evtl", "numpy", "scikit-learn", "timm", "torch", "torchvision")


@dataclass(frozen=True)
class Training:
    """A training that was begun, now or before it was stopped."""

    plan: TrainingPlan
    images: ImageSet
    folder: RunFolder
    begun: Begun
    n_resumed: int
    progress: Progress
    deadline: Deadline


def new_run_id(now: datetime, plan: TrainingPlan, images: ImageSet) -> str:
    """Time in UTC, then a short digest of plan and data."""
    content = plan.model_dump_json() + images.digest
    return f"{now:%Y%m%dT%H%M%S%fZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def begin(
    plan: TrainingPlan,
    images: ImageSet,
    out: Path | None = None,
    *,
    device: str = "auto",
    progress: Progress = unwatched,
    since: float | None = None,
) -> Training:
    """A run folder with all that the training needs, should it be stopped.

    Parameters
    ----------
    plan : TrainingPlan
        What to train.
    images : ImageSet
        From `trainer.images.read_images`.
    out : pathlib.Path or None
        Run folder, new or empty; None for ``runs/<run id>``.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    progress : callable
        Told of each stage: name, done, total.
    since : float or None
        When it began by `time.perf_counter`: before the images were read; None for now.

    Raises
    ------
    TrainingError
        The folder is not empty or cannot be written.
    """
    now, deadline = datetime.now(UTC), Deadline.in_minutes(plan.budget_min, REPORT_S, since)
    images = replace(images, root=images.root.resolve())
    run_id = new_run_id(now, plan, images)
    folder = RunFolder.create(out or Path("runs") / run_id)
    folder.write_plan(plan)
    begun = Begun(
        run_id=run_id,
        started_at=now.isoformat(timespec="microseconds"),
        data=str(images.root),
        data_digest=images.digest,
        plan_digest=folder.read_plan().digest,
        order=images.order,
        device=device,
    )
    folder.write_begun(begun)
    return Training(plan, images, folder, begun, 0, progress, deadline)


def train(
    plan: TrainingPlan,
    images: ImageSet,
    out: Path | None = None,
    *,
    device: str = "auto",
    progress: Progress = unwatched,
    record: Callable[[RunResult, RunFolder], None] = lambda _result, _folder: None,
) -> tuple[RunResult, RunFolder]:
    """Train what the plan says and measure it on images that training never saw.

    Parameters are those of `begin`, and

    record : callable
        Given the result once it is in the run folder, of a failed run too.

    Returns
    -------
    tuple of RunResult and RunFolder

    Raises
    ------
    TrainingError
        Data, weights or device do not allow it; ``result.json`` of the run says why.
    """
    return carry_out(begin(plan, images, out, device=device, progress=progress), record)


def resume(
    folder: RunFolder,
    read: Callable[[Begun, TrainingPlan], ImageSet],
    progress: Progress = unwatched,
) -> Training:
    """A training that was stopped, to be gone on with; a budget begins anew.

    Parameters
    ----------
    folder : RunFolder
        From `RunFolder.stopped`.
    read : callable
        Gives the images.

    Raises
    ------
    TrainingError
        What is kept is broken, or the images are not those that it was begun with.
    """
    since = time.perf_counter()
    begun, plan = folder.read_begun(), folder.read_plan()
    if plan.digest != begun.plan_digest:
        msg = (
            f"{folder.path / 'plan.json'} is not the plan that the run was begun with; to train an "
            "edited plan: evtl train DATA --plan FILE"
        )
        raise TrainingError(msg)
    images = read(begun, plan)
    if images.digest != begun.data_digest:
        msg = (
            f"{begun.data} does not hold what {folder.path} was begun with: files, labels or "
            "groups have changed; put them back, or train anew"
        )
        raise TrainingError(msg)
    n = len(folder.lines("resumed.jsonl")) + 1
    folder.append("resumed.jsonl", {"at": datetime.now(UTC).isoformat(timespec="seconds")})
    deadline = Deadline.in_minutes(plan.budget_min, REPORT_S, since)
    return Training(plan, images, folder, begun, n, progress, deadline)


def carry_out(
    training: Training,
    record: Callable[[RunResult, RunFolder], None],
    notes: tuple[str, ...] = (),
) -> tuple[RunResult, RunFolder]:
    """Train, measure, keep.

    Parameters
    ----------
    record : callable
        Given the result once it is in the run folder, of a failed run too.
    notes : tuple of str
        What is to be said of the plan.

    Raises
    ------
    TrainingError
        Data, weights, device or budget do not allow it, and ``result.json`` of the run says why;
        or another process works on the run.
    """
    with training.folder.alone():
        return _ended(training, record, notes)


def _ended(
    training: Training, record: Callable[[RunResult, RunFolder], None], notes: tuple[str, ...]
) -> tuple[RunResult, RunFolder]:
    folder = training.folder
    try:
        with crew.together():
            found = _carried_out(training, notes)
    except BaseException as error:
        reason = str(error) if isinstance(error, EvtlError) else f"{type(error).__name__}: {error}"
        told = without_files(reason, training.images)
        result = _result(training, {}, status="failed", error=told)
        # On a full disk the reason cannot be kept either; what went wrong first is raised.
        with contextlib.suppress(EvtlError):
            folder.write_result(result)
            record(result, folder)
        if isinstance(error, OSError):
            msg = f"the training was stopped, {folder.path} can be resumed: {reason}"
            raise TrainingError(msg) from error
        raise
    result = _result(training, found, status="finished")
    folder.write_result(result)
    tidy(folder)
    record(result, folder)
    return result, folder


def tidy(folder: RunFolder) -> None:
    """Remove what a training needs only until its result is kept, and what a kill left behind."""
    for name in (CHECKPOINT_FILE, LADDER_FOLDER, SPLITS_FOLDER):
        remove(folder.path / name)
    for draft in folder.path.glob(DRAFTS):
        remove(draft)


def _result(training: Training, found: dict[str, Any], **how: str) -> RunResult:
    plan, images = training.plan, training.images
    base: dict[str, Any] = {
        "run_id": training.begun.run_id,
        "started_at": training.begun.started_at,
        "seconds": round(training.deadline.spent, 2),
        "backbone_recommended": plan.backbone.name,
        "approach": plan.approach,
        "head": plan.head,
        "seed": plan.seed,
        "n_images": len(images.files),
        "classes": images.classes,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in VERSIONED}},
        "n_resumed": training.n_resumed,
    }
    return RunResult.model_validate(base | found | how)


def _carried_out(training: Training, notes: tuple[str, ...]) -> dict[str, Any]:
    plan, folder = training.plan, training.folder
    guard = Guard(training.deadline, training.progress)
    device = crew.start(choose_device(training.begun.device))
    keep_freed_memory()
    memory = PeakMemory(device)
    chosen = choose_backbone(plan)
    steps = stated_preprocessing(chosen.backbone)
    data = prepare(training.images, plan, steps, guard)
    folder.write("fingerprint.json", fingerprint(data.images).model_dump_json(indent=2))
    folder.write_split(data.images, data.parts)
    checkpoint = Checkpoint(folder.path / CHECKPOINT_FILE)
    folder.rewrite("history.jsonl", checkpoint.lines())
    work = Work(
        plan, data, chosen, steps, folder.path, device, training.progress,
        lambda line: folder.append("history.jsonl", line),
        first_deadline(training.deadline, plan),
    )  # fmt: skip
    fitted, first_s = _first(work, guard)
    if fitted.ladder:
        folder.rewrite("ladder.jsonl", [step.model_dump() for step in fitted.ladder])
    _keep_model(folder, fitted)
    found = _measured(training, work, fitted, first_s)
    dismiss()
    warnings = tuple(
        without_folders(each, training.images)
        for each in (*notes, *never_started(), *found["warnings"])
    )
    return found | {"warnings": warnings, "peak_memory_mb": memory.taken_mb()}


def _first(work: Work, guard: Guard) -> tuple[Fitted, float]:
    """The training that is kept, and the seconds that it takes once there are features."""
    before = work.deadline.spent
    if not work.plan.frozen or work.plan.ladder:
        return lead(work), work.deadline.spent - before
    fitted, whole_s = lead(replace(work, progress=guard)), work.deadline.spent - before
    # Features are kept; those of changed copies are not.
    return fitted, whole_s if work.plan.augmentation == "offline" else guard.since_s


def _keep_model(folder: RunFolder, fitted: Fitted) -> None:
    folder.write_model(fitted.state)
    if fitted.head is not None:
        heads.save_head(fitted.head, folder.head_file)


def _circumstances(work: Work) -> dict[str, Any]:
    """With what was trained, and on what."""
    images, chosen = work.data.images, work.chosen
    return {
        "n_images": len(images.files),
        "classes": images.classes,
        "positive_class": positive_class(images.classes),
        "n_per_part": dict(Counter(work.data.parts)),
        "data": work.data.summary,
        "backbone": chosen.backbone.name,
        "planned_backbone": chosen.backbone,
        "fallback_reason": chosen.fallback_reason,
        "weights": chosen.describe_weights(),
        "device": describe_device(work.device),
    }


def _measured(training: Training, work: Work, fitted: Fitted, first_s: float) -> dict[str, Any]:
    found, images = measured(fitted, work.data, work.plan), work.data.images
    write_predictions(
        training.folder.path / PREDICTIONS_FILE,
        Predicted(
            images.files, work.data.parts, images.labels, work.data.units, fitted.labels.names,
            fitted.predictions,
        ),
    )  # fmt: skip
    further = further_splits(work, training.folder, training.deadline, first_s)
    return _circumstances(work) | {
        "labels": fitted.labels,
        "head_setting": fitted.setting,
        "metrics": found.metrics,
        "by_class": found.by_class,
        "operating_point": found.operating_point,
        "features": fitted.features,
        "temperature": fitted.temperature,
        "resampled": summed_up(further.rows),
        "warnings": (
            *work.data.summary.notes,
            *work.data.summary.shortcuts,
            *fitted.notes,
            *without_width(found),
            *filter(None, [further.note]),
        ),
        "digests": {
            "plan": training.begun.plan_digest,
            "data": training.images.digest,
            "model": training.folder.model_digest(),
            "predictions": digest_of(training.folder.path / PREDICTIONS_FILE),
        },
    }
