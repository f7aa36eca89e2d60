"""Carry out a plan on images: choose weights, prepare, fit, measure, keep everything."""

import contextlib
import hashlib
import platform
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from evidence.errors import EvtlError
from recommender.plan import TrainingPlan
from trainer import heads
from trainer.backbones import choose_backbone, stated_preprocessing
from trainer.errors import TrainingError
from trainer.features import choose_device, describe_device
from trainer.fitting import CHECKPOINT_FILE, LADDER_FOLDER, Fitted, Work, fit
from trainer.images import ImageSet, Progress
from trainer.measures.measuring import measured, summed_up, values
from trainer.measures.predictions_file import PREDICTIONS_FILE, Predicted, write_predictions
from trainer.metrics import positive_class
from trainer.preparing.fingerprint import fingerprint
from trainer.preparing.preparation import prepare, with_parts
from trainer.preparing.splits import resamples
from trainer.reading.private import without_folders
from trainer.runs import Begun, RunFolder, RunResult
from trainer.tuning.budget import Deadline
from trainer.tuning.checkpoint import Checkpoint
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
    started: float


def new_run_id(now: datetime, plan: TrainingPlan, images: ImageSet) -> str:
    """Time in UTC, then a short digest of plan and data."""
    content = plan.model_dump_json() + images.digest
    return f"{now:%Y%m%dT%H%M%S%fZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _nothing(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def begin(
    plan: TrainingPlan,
    images: ImageSet,
    out: Path | None = None,
    *,
    device: str = "auto",
    progress: Progress = _nothing,
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

    Raises
    ------
    TrainingError
        The folder is not empty or cannot be written.
    """
    now, started = datetime.now(UTC), time.perf_counter()
    images = replace(images, root=images.root.resolve())
    run_id = new_run_id(now, plan, images)
    folder = RunFolder.create(out or Path("runs") / run_id)
    begun = Begun(
        run_id=run_id,
        started_at=now.isoformat(timespec="microseconds"),
        data=str(images.root),
        data_digest=images.digest,
        order=images.order,
        device=device,
    )
    folder.write_plan(plan)
    folder.write_begun(begun)
    return Training(plan, images, folder, begun, 0, progress, started)


def train(
    plan: TrainingPlan,
    images: ImageSet,
    out: Path | None = None,
    *,
    device: str = "auto",
    progress: Progress = _nothing,
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
    path: Path, read: Callable[[Begun, TrainingPlan], ImageSet], progress: Progress = _nothing
) -> Training:
    """A training that was stopped, to be gone on with.

    Parameters
    ----------
    path : pathlib.Path
        Its run folder.
    read : callable
        Gives the images.

    Raises
    ------
    TrainingError
        No training was begun there, or the images are not those that it was begun with.
    """
    folder = RunFolder.stopped(path)
    begun, plan = folder.read_begun(), folder.read_plan()
    images = read(begun, plan)
    if images.digest != begun.data_digest:
        msg = (
            f"{begun.data} does not hold what {path} was begun with: files, labels or groups have "
            "changed; put them back, or train anew"
        )
        raise TrainingError(msg)
    n = len(folder.lines("resumed.jsonl")) + 1
    folder.append("resumed.jsonl", {"at": datetime.now(UTC).isoformat(timespec="seconds")})
    return Training(plan, images, folder, begun, n, progress, time.perf_counter())


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
        Data, weights or device do not allow it; ``result.json`` of the run says why.
    """
    folder = training.folder
    try:
        found = _carried_out(training, notes)
    except BaseException as error:
        reason = str(error) if isinstance(error, EvtlError) else f"{type(error).__name__}: {error}"
        told = without_folders(reason, training.images)
        result = _result(training, {}, status="failed", error=told)
        # On a full disk the reason cannot be kept either; what went wrong first is raised.
        with contextlib.suppress(EvtlError):
            folder.write_result(result)
            record(result, folder)
        raise
    result = _result(training, found, status="finished")
    folder.write_result(result)
    Checkpoint(folder.path / CHECKPOINT_FILE).discard()
    shutil.rmtree(folder.path / LADDER_FOLDER, ignore_errors=True)
    record(result, folder)
    return result, folder


def _result(training: Training, found: dict[str, Any], **how: str) -> RunResult:
    plan, images = training.plan, training.images
    base: dict[str, Any] = {
        "run_id": training.begun.run_id,
        "started_at": training.begun.started_at,
        "seconds": round(time.perf_counter() - training.started, 2),
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
    plan, folder, progress = training.plan, training.folder, training.progress
    deadline = Deadline.in_minutes(plan.budget_min, REPORT_S)
    device = choose_device(training.begun.device)
    keep_freed_memory()
    memory = PeakMemory(device)
    chosen = choose_backbone(plan)
    steps = stated_preprocessing(chosen.backbone)
    data = prepare(training.images, plan, steps, progress)
    folder.write("fingerprint.json", fingerprint(data.images).model_dump_json(indent=2))
    folder.write_split(data.images, data.parts)
    checkpoint = Checkpoint(folder.path / CHECKPOINT_FILE)
    folder.rewrite("history.jsonl", checkpoint.lines())
    work = Work(
        plan, data, chosen, steps, folder.path, device, progress,
        lambda line: folder.append("history.jsonl", line), deadline,
    )  # fmt: skip
    fitted = fit(work)
    if fitted.ladder:
        folder.rewrite("ladder.jsonl", [step.model_dump() for step in fitted.ladder])
    _keep_model(folder, fitted)
    found = _measured(training, work, fitted, device)
    warnings = tuple(
        without_folders(each, training.images) for each in (*notes, *found["warnings"])
    )
    return found | {"warnings": warnings, "peak_memory_mb": memory.taken_mb()}


def _keep_model(folder: RunFolder, fitted: Fitted) -> None:
    folder.write_model(fitted.state)
    if fitted.head is not None:
        heads.save_head(fitted.head, folder.head_file)


def _measured(
    training: Training, work: Work, fitted: Fitted, device: torch.device
) -> dict[str, Any]:
    found, plan, images = measured(fitted, work.data, work.plan), work.plan, work.data.images
    write_predictions(
        training.folder.path / PREDICTIONS_FILE,
        Predicted(
            images.files, work.data.parts, images.labels, work.data.units, fitted.labels.names,
            fitted.predictions,
        ),
    )  # fmt: skip
    return {
        "n_images": len(images.files),
        "classes": images.classes,
        "labels": fitted.labels,
        "backbone": work.chosen.backbone.name,
        "planned_backbone": work.chosen.backbone,
        "fallback_reason": work.chosen.fallback_reason,
        "weights": work.chosen.describe_weights(),
        "positive_class": positive_class(images.classes),
        "n_per_part": dict(Counter(work.data.parts)),
        "device": describe_device(device),
        "head_setting": fitted.setting,
        "metrics": found.metrics,
        "by_class": found.by_class,
        "operating_point": found.operating_point,
        "temperature": fitted.temperature,
        "resampled": summed_up(_further_splits(training, work)),
        "data": work.data.summary,
        "warnings": (*work.data.summary.notes, *work.data.summary.shortcuts, *fitted.notes),
        "digests": {
            "plan": hashlib.sha256(plan.model_dump_json().encode()).hexdigest(),
            "data": training.images.digest,
            "model": training.folder.model_digest(),
        },
    }


def _further_splits(training: Training, work: Work) -> list[dict[str, Any]]:
    """Metrics of the test part of each further split that the plan asks for.

    Those that were measured before the training was stopped are read back.
    """
    if not work.plan.n_folds and work.plan.n_repeats == 1:
        return []
    folder, splits = training.folder, tuple(resamples(work.data.images, work.plan))
    done = folder.lines("folds.jsonl")[: len(splits)]
    folder.rewrite("folds.jsonl", done)
    for number, parts in enumerate(splits[len(done) :], len(done) + 1):
        training.progress("splits", number, len(splits))
        data = with_parts(work.data, parts)
        with tempfile.TemporaryDirectory(dir=folder.path) as place:
            one = replace(work, data=data, folder=Path(place), on_line=lambda _line: None)
            found = values(fit(one), data)
        folder.append("folds.jsonl", found)
        done.append(found)
    return done
