"""Carry out a plan on images: choose weights, split, train, measure, keep everything."""

import contextlib
import hashlib
import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from evidence.errors import EvtlError
from recommender.plan import TrainingPlan
from trainer import heads
from trainer.backbones import (
    Chosen,
    Preprocessing,
    build_backbone,
    choose_backbone,
    preprocessing,
)
from trainer.bootstrap import Interval
from trainer.errors import TrainingError
from trainer.features import choose_device, describe_device, extract
from trainer.finetune import Classifier, Part, count_features, fine_tune, logits_of
from trainer.images import ImageSet, Progress, decode
from trainer.memory import PeakMemory, keep_freed_memory
from trainer.metrics import evaluate, positive_class
from trainer.runs import RunFolder, RunResult
from trainer.splits import SPLITS, crossing, split_images

VERSIONED = ("evtl", "numpy", "scikit-learn", "timm", "torch", "torchvision")
Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Job:
    """What every step of one training needs."""

    plan: TrainingPlan
    images: ImageSet
    parts: Sequence[str]
    folder: RunFolder
    device: torch.device
    progress: Progress
    chosen: Chosen


def new_run_id(now: datetime, plan: TrainingPlan, images: ImageSet) -> str:
    """Time in UTC, then a short digest of plan and data."""
    content = plan.model_dump_json() + images.digest
    return f"{now:%Y%m%dT%H%M%S%fZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def train(
    plan: TrainingPlan,
    images: ImageSet,
    out: Path | None = None,
    *,
    device: str = "auto",
    progress: Progress = lambda _stage, _done, _total: None,
    record: Callable[[RunResult, RunFolder], None] = lambda _result, _folder: None,
) -> tuple[RunResult, RunFolder]:
    """Train what the plan says and measure it on images that training never saw.

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
    now, started = datetime.now(UTC), time.perf_counter()
    run_id = new_run_id(now, plan, images)
    folder = RunFolder.create(out or Path("runs") / run_id)
    base: dict[str, Any] = {
        "run_id": run_id,
        "started_at": now.isoformat(timespec="microseconds"),
        "backbone_recommended": plan.backbone.name,
        "approach": plan.approach,
        "head": plan.head,
        "seed": plan.seed,
        "n_images": len(images.files),
        "classes": images.classes,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in VERSIONED}},
    }
    try:
        folder.write_plan(plan)
        found = _carry_out(plan, images, folder, device, progress)
    except BaseException as error:
        reason = str(error) if isinstance(error, EvtlError) else f"{type(error).__name__}: {error}"
        seconds = round(time.perf_counter() - started, 2)
        result = RunResult(**base, status="failed", seconds=seconds, error=reason)
        # On a full disk the reason cannot be kept either; what went wrong first is raised.
        with contextlib.suppress(EvtlError):
            folder.write_result(result)
            record(result, folder)
        raise
    seconds = round(time.perf_counter() - started, 2)
    result = RunResult(**base, **found, status="finished", seconds=seconds)
    folder.write_result(result)
    record(result, folder)
    return result, folder


def _carry_out(
    plan: TrainingPlan, images: ImageSet, folder: RunFolder, device: str, progress: Progress
) -> dict[str, Any]:
    if plan.profile.task == "regression":
        msg = "training a number is not carried out yet; train classes"
        raise TrainingError(msg)
    chosen_device = choose_device(device)
    keep_freed_memory()
    memory = PeakMemory(chosen_device)
    parts = split_images(images, plan)
    folder.write_split(images, parts)
    chosen = choose_backbone(plan)
    job = _Job(plan, images, parts, folder, chosen_device, progress, chosen)
    torch.manual_seed(plan.seed)
    network = build_backbone(chosen.backbone, chosen.weights)
    steps = preprocessing(chosen.backbone, network)
    pixels = decode(images, steps, progress)
    frozen = plan.approach.startswith("feature_extractor")
    carry_out = _train_head if frozen else _train_everything
    probabilities, setting = carry_out(job, network, pixels, steps)
    return {
        **_provenance(job),
        "device": describe_device(chosen_device),
        "head_setting": setting,
        "metrics": _measure(job, probabilities),
        "peak_memory_mb": memory.taken_mb(),
    }


def _train_head(
    job: _Job, network: nn.Module, pixels: Pixels, steps: Preprocessing
) -> tuple[Probabilities, str]:
    """Features once, then a head; the network is kept as it came."""
    features = extract(network, pixels, steps, job.device, job.progress)
    selection = heads.fit_head(
        job.plan.head, features, job.images.targets, job.parts, job.plan.seed
    )
    for line in selection.tried:
        job.folder.append_history(line)
    state = {f"backbone.{name}": tensor for name, tensor in network.state_dict().items()}
    if job.plan.head == "linear":
        weight, bias = heads.as_linear_layer(selection.head)
        state |= {"head.weight": weight, "head.bias": bias}
    else:
        heads.save_head(selection.head, job.folder.head_file)
    job.folder.write_model(state)
    return selection.head.predict_proba(features).astype(np.float64), selection.chosen


def _train_everything(
    job: _Job, network: nn.Module, pixels: Pixels, steps: Preprocessing
) -> tuple[Probabilities, str]:
    n_features = count_features(network, steps.input_px)
    classifier = Classifier(network, n_features, len(job.images.classes))
    parts, targets = np.asarray(job.parts), job.images.targets

    def part(name: str) -> Part:
        index = np.flatnonzero(parts == name)
        return Part(pixels[index], targets[index])

    fine_tune(
        classifier, part("train"), part("validation"), job.plan, steps, job.device,
        job.folder.append_history, job.progress,
    )  # fmt: skip
    job.folder.write_model(classifier.state_dict())
    logits = logits_of(classifier, pixels, steps, job.device)
    return _softmax(logits), f"epochs={job.plan.epochs}"


def _softmax(logits: Tensor) -> Probabilities:
    return logits.double().softmax(1).numpy()


def _measure(job: _Job, probabilities: Probabilities) -> dict[str, dict[str, Interval]]:
    """Metrics of the parts that were not fitted: a frozen head is refitted with validation."""
    parts, units = np.asarray(job.parts), np.asarray(job.images.units())
    names = ("test",) if job.plan.approach.startswith("feature_extractor") else SPLITS[1:]
    found = {}
    for name in names:
        index = np.flatnonzero(parts == name)
        found[name] = evaluate(
            job.images.targets[index],
            probabilities[index],
            job.images.classes,
            [str(unit) for unit in units[index]],
            job.plan.seed,
        )
    return found


def _provenance(job: _Job) -> dict[str, Any]:
    return {
        "backbone": job.chosen.backbone.name,
        "planned_backbone": job.chosen.backbone,
        "fallback_reason": job.chosen.fallback_reason,
        "weights": job.chosen.describe_weights(),
        "positive_class": positive_class(job.images.classes),
        "n_per_part": dict(Counter(job.parts)),
        "warnings": _warnings(job),
        "digests": {
            "plan": hashlib.sha256(job.plan.model_dump_json().encode()).hexdigest(),
            "data": job.images.digest,
            "model": job.folder.model_digest(),
        },
    }


def _warnings(job: _Job) -> tuple[str, ...]:
    images, shared = job.images, crossing(job.images, job.parts)
    found = [*images.notes]
    if shared["identical"]:
        found.append(f"{shared['identical']} test images are identical to images trained on")
    if shared["group"]:
        found.append(f"{shared['group']} test images share a group with images trained on")
    if count := images.contradictions():
        found.append(f"{count} images have an identical file under another label")
    if images.groups is None:
        found.append("no patient groups were given: images of one patient may be on both sides")
    return tuple(found)
