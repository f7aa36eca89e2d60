"""Use cases of those who train: carry out a plan, go on with one, look at what was trained."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import controlled, queries
from evidence.errors import EvidenceError
from evidence.records import RunRecord, ShippedRun
from evidence.store import Store
from evtl.asking import TaskOptions
from evtl.planning import Wishes, training_plan
from recommender.errors import RecommendationError
from recommender.plan import Target, TrainingPlan, read_plan

if TYPE_CHECKING:  # torch must not be imported to show the help
    from trainer.images import ImageSet, Progress
    from trainer.reporting.report_data import Reference
    from trainer.runs import Begun, RunFolder, RunResult
    from trainer.training import Training
    from trainer.tuning.budget import Deadline


@dataclass(frozen=True)
class Request:
    """A training in the words of the user.

    Attributes
    ----------
    data : pathlib.Path or None
        Folder of images; None where a run is gone on with.
    plan_file : pathlib.Path or None
        Carried out instead of what is recommended.
    target : str or None
        What is learned; None for what the plan says, else classes.
    order : str or None
        Of ordinal grades, separated by commas; None for the order of the plan.
    out : pathlib.Path or None
        Run folder; None for one below ``runs``.
    """

    data: Path | None
    options: TaskOptions
    wishes: Wishes
    plan_file: Path | None = None
    target: Target | None = None
    order: str | None = None
    device: str = "auto"
    out: Path | None = None


def assisted() -> bool:
    """Take part in the training of the main process, where this is another of several.

    They are told apart by what their launcher, torchrun or accelerate, says in their environment.

    Raises
    ------
    SystemExit
        Some process failed; the main one tells why.
    """
    if os.environ.get("RANK", "0") == "0":
        return False
    from trainer.assisting import assist  # noqa: PLC0415  (torch only when training)

    assist()
    return True


def train(request: Request, progress: "Progress") -> "tuple[RunResult, RunFolder]":
    """Recommend, train at once, and record the run in the store.

    Raises
    ------
    EvtlError
        Options, data, weights or device do not allow it; a failed training is recorded too.
    """
    from trainer.images import read_images  # noqa: PLC0415  (torch only when training)
    from trainer.training import begin  # noqa: PLC0415

    if request.data is None:
        msg = "name the folder of the images, or go on with a run that was stopped: --resume RUN"
        raise RecommendationError(msg)
    since = time.perf_counter()
    Store()  # a store that cannot be used is told before anything is decoded
    planned = None if request.plan_file is None else read_plan(request.plan_file)
    target, order = _learned(request, planned)
    images = read_images(request.data, target=target, order=order)
    plan, notes = training_plan(images, request.options, planned, request.wishes)
    begun = begin(plan, images, request.out, device=request.device, progress=progress, since=since)
    return _carried_out(begun, notes)


def _learned(request: Request, planned: TrainingPlan | None) -> tuple[Target, tuple[str, ...]]:
    """Target, and order of its grades, as asked for, else as planned."""
    usual: Target = "number" if request.options.task == "regression" else "classes"
    target = request.target or (planned.target if planned else usual)
    if request.order is None:
        return target, planned.order if planned and planned.target == target else ()
    return target, tuple(filter(None, map(str.strip, request.order.split(","))))


def resume(run: Path, progress: "Progress") -> "tuple[RunResult, RunFolder]":
    """Go on with a training that was stopped; of one that is finished, do what is missing.

    Raises
    ------
    EvtlError
        No training was begun there, its images are not what they were, or another process works
        on it.
    """
    from trainer.runs import RunFolder  # noqa: PLC0415  (torch only when training)
    from trainer.training import resume as go_on  # noqa: PLC0415

    folder = RunFolder.stopped(run)
    with folder.alone():
        if (result := folder.finished()) is None:
            return _carried_out(go_on(folder, _images_of, progress), ())
        _complete(result, folder, progress)
        return result, folder


def _complete(result: "RunResult", folder: "RunFolder", progress: "Progress") -> None:
    """What follows the result: it may have been kept just before its process was killed."""
    from trainer.reporting.run_report import CARD_FILE, REPORT_FILE  # noqa: PLC0415
    from trainer.training import tidy  # noqa: PLC0415

    tidy(folder)
    _record(result, folder.read_plan(), folder)
    if not all((folder.path / name).is_file() for name in (REPORT_FILE, CARD_FILE)):
        device = folder.read_begun().device
        report(folder.path, device=device, maps=True, progress=progress)


def report(
    run: Path,
    *,
    device: str,
    maps: bool,
    deadline: "Deadline | None" = None,
    progress: "Progress | None" = None,
) -> Path:
    """Write the report and the model card of a run anew; returns the report.

    Parameters
    ----------
    deadline : Deadline or None
        Maps for which no time is left are not drawn.
    progress : callable or None
        Told how far it is.

    Raises
    ------
    EvtlError
        The folder is no run, or a file of it is broken.
    """
    from trainer.images import unwatched  # noqa: PLC0415
    from trainer.reporting.run_report import REPORT_FILE, write_run_report  # noqa: PLC0415
    from trainer.runs import RunFolder  # noqa: PLC0415

    folder = RunFolder(run)
    studies = _cited(folder.read_plan())
    write_run_report(
        folder,
        device=device,
        maps=maps,
        studies=studies,
        deadline=deadline,
        progress=progress or unwatched,
    )
    return run / REPORT_FILE


def _cited(plan: TrainingPlan) -> "tuple[Reference, ...]":
    """The studies that a plan names, as people cite them."""
    from trainer.reporting.report_data import Reference  # noqa: PLC0415

    arms = queries.corpus(Store()).arms
    rows = {arms.study.words[code]: row for row, code in enumerate(arms.study.codes.tolist())}
    found = arms.records([rows[key] for key in plan.evidence.studies if key in rows])
    return tuple(
        Reference(key=arm.study.key, text=arm.study.citation, source=arm.locator) for arm in found
    )


def _images_of(begun: "Begun", plan: TrainingPlan) -> "ImageSet":
    from trainer.images import read_images  # noqa: PLC0415

    return read_images(Path(begun.data), target=plan.target, order=begun.order)


def _carried_out(training: "Training", notes: tuple[str, ...]) -> "tuple[RunResult, RunFolder]":
    from trainer.training import carry_out  # noqa: PLC0415

    def record(result: "RunResult", folder: "RunFolder") -> None:
        _record(result, training.plan, folder)

    with training.folder.alone():
        result, folder = carry_out(training, record, notes)
        report(
            folder.path,
            device=training.begun.device,
            maps=True,
            deadline=training.deadline,
            progress=training.progress,
        )
    return result, folder


def _record(result: "RunResult", plan: TrainingPlan, folder: "RunFolder") -> None:
    store = Store()
    try:
        finished = {run.run_id for run in queries.runs(store) if run.status == "finished"}
        if result.run_id not in finished:
            queries.record_run(store, run_record(result, plan, folder.path))
    except EvidenceError as error:
        msg = f"the run folder {folder.path} is complete, but was not recorded: {error}"
        raise EvidenceError(msg) from error


def runs() -> tuple[RunRecord, ...]:
    """Our own trainings, oldest first."""
    return queries.runs(Store())


def shipped_runs() -> tuple[ShippedRun, ...]:
    """The trainings that ship with evtl, those of one configuration side by side."""
    with Store().connect() as connection:
        return controlled.shipped_runs(connection)


def run_record(result: "RunResult", plan: TrainingPlan, folder: Path) -> RunRecord:
    """What the store keeps of a run."""
    from trainer.runs import RunFolder  # noqa: PLC0415  (torch only when training)

    profile, history = plan.profile, RunFolder(folder).lines("history.jsonl")
    return RunRecord(
        run_id=result.run_id,
        started_at=result.started_at,
        status=result.status,
        folder=str(folder.resolve()),
        modality=profile.modality,
        anatomy=profile.anatomy,
        task=profile.task,
        n_images=result.n_images,
        n_classes=len(result.classes),
        backbone_recommended=result.backbone_recommended,
        backbone=result.backbone,
        weights=result.weights,
        approach=result.approach,
        head=result.head,
        seed=result.seed,
        device=result.device,
        seconds=result.seconds,
        metrics={
            split: {name: interval.model_dump() for name, interval in values.items()}
            for split, values in result.metrics.items()
        },
        digests=result.digests,
        versions=result.versions,
        error=result.error,
        peak_memory_mb=result.peak_memory_mb,
        # Those that were trained: a budget may leave time for fewer than planned.
        epochs=max((line["epoch"] for line in history if "epoch" in line), default=None),
        initialisation=plan.initialisation,
        n_blocks=plan.n_blocks,
    )


def sample_data(folder: Path, *, n_images: int, seed: int) -> int:
    """Write the synthetic sample set; returns the number of images."""
    from trainer.synthetic import write_sample  # noqa: PLC0415  (Pillow is in the train extra)

    return write_sample(folder, n_images=n_images, seed=seed)
