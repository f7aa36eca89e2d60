"""One function per use case, shared by every face of evtl. Nothing here prints."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from evidence import queries, questions
from evidence.errors import EvidenceError
from evidence.questions import Answer
from evidence.records import RunRecord
from evidence.store import Store
from evtl.asking import TaskOptions, explain_invalid, question
from recommender.errors import RecommendationError
from recommender.plan import TrainingPlan, read_plan
from recommender.records import Recommendation

if TYPE_CHECKING:  # torch must not be imported to recommend
    from trainer.images import ImageSet, Progress
    from trainer.runs import RunFolder, RunResult


def recommend(
    options: TaskOptions,
    data: Path | None = None,
    probe_s: float | None = None,
    progress: "Progress | None" = None,
) -> Recommendation:
    """Answer a question from the store, and from the user's images where they are given.

    Parameters
    ----------
    data : pathlib.Path or None
        Folder of images: what it holds replaces what would be guessed.
    probe_s : float or None
        Seconds in which the first candidates are tried on the images.

    Raises
    ------
    EvtlError
        The options contradict each other or the images, or the images cannot be used.
    """
    from recommender.answering import recommend as answer  # noqa: PLC0415  (numpy only here)

    corpus = queries.corpus(Store())
    if data is None:
        if probe_s is not None:
            msg = "--probe tries candidates on images: name their folder with --data"
            raise RecommendationError(msg)
        return answer(question(options, corpus), corpus)
    from evtl.probing import on_images  # noqa: PLC0415  (torch only with images)

    return on_images(options, corpus, data, probe_s, progress)


def save_plan(plan: TrainingPlan, path: Path) -> None:
    """Write a plan that `evtl train --plan` reads.

    Raises
    ------
    RecommendationError
        The file cannot be written.
    """
    if path.is_dir() or not path.name:
        msg = f"cannot write the plan to {str(path)!r}: it is a folder; name a file"
        raise RecommendationError(msg)
    try:
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_text(plan.model_dump_json(indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise RecommendationError(msg) from error


def sql(query: str) -> Answer:
    """Answer one SELECT over the store."""
    return questions.question(Store(), query)


def runs() -> tuple[RunRecord, ...]:
    """Our own trainings, oldest first."""
    return queries.runs(Store())


def training_plan(
    images: "ImageSet",
    options: TaskOptions,
    plan_file: Path | None,
    *,
    seed: int | None,
    epochs: int | None,
) -> TrainingPlan:
    """Plan for a folder of images: recommended for it, or read from a file.

    Raises
    ------
    RecommendationError
        The options contradict the data, or a plan file comes with task options.
    """
    if plan_file is None:
        plan = _recommended(images, options)
    elif options != TaskOptions():
        msg = "--plan already holds the task: leave out --modality, --anatomy, --classes, ..."
        raise RecommendationError(msg)
    else:
        plan = _for_these(images, read_plan(plan_file))
    asked = {"seed": seed, "epochs": epochs}
    changes = {name: value for name, value in asked.items() if value is not None}
    try:
        return TrainingPlan.model_validate(plan.model_dump() | changes)
    except ValidationError as error:
        raise RecommendationError(explain_invalid(error)) from error


def _recommended(images: "ImageSet", options: TaskOptions) -> TrainingPlan:
    from recommender.answering import recommend as answer  # noqa: PLC0415  (numpy only here)

    corpus = queries.corpus(Store())
    return answer(question(options, corpus, images), corpus).plan


def _for_these(images: "ImageSet", plan: TrainingPlan) -> TrainingPlan:
    stated, found = plan.profile.n_classes, len(images.classes)
    if stated is not None and stated != found:
        msg = f"the plan is for {stated} classes, the data hold {found}"
        raise RecommendationError(msg)
    return plan


def train(
    data: Path,
    options: TaskOptions,
    plan_file: Path | None,
    *,
    seed: int | None,
    epochs: int | None,
    device: str,
    out: Path | None,
    progress: "Progress",
) -> "tuple[RunResult, RunFolder]":
    """Recommend, train at once, and record the run in the store.

    Raises
    ------
    EvtlError
        Options, data, weights or device do not allow it; a failed training is recorded too.
    """
    from trainer.images import read_images  # noqa: PLC0415  (torch only when training)
    from trainer.training import train as carry_out  # noqa: PLC0415

    store = Store()
    images = read_images(data)
    plan = training_plan(images, options, plan_file, seed=seed, epochs=epochs)

    def record(result: "RunResult", folder: "RunFolder") -> None:
        try:
            queries.record_run(store, run_record(result, plan, folder.path))
        except EvidenceError as error:
            msg = f"the run folder {folder.path} is complete, but was not recorded: {error}"
            raise EvidenceError(msg) from error

    return carry_out(plan, images, out, device=device, progress=progress, record=record)


def run_record(result: "RunResult", plan: TrainingPlan, folder: Path) -> RunRecord:
    """What the store keeps of a run."""
    profile = plan.profile
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
    )


def sample_data(folder: Path, *, n_images: int, seed: int) -> int:
    """Write the synthetic sample set; returns the number of images."""
    from trainer.synthetic import write_sample  # noqa: PLC0415  (Pillow is in the train extra)

    return write_sample(folder, n_images=n_images, seed=seed)
