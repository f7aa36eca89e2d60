"""One function per use case, shared by every face of evtl. Nothing here prints."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from evidence import queries, questions
from evidence.errors import EvidenceError
from evidence.questions import Answer
from evidence.records import RunRecord, TaskProfile
from evidence.store import Store
from evidence.vocabulary import ANATOMY, MODALITY
from recommender.errors import RecommendationError
from recommender.plan import TrainingPlan, read_plan
from recommender.records import Recommendation

if TYPE_CHECKING:  # torch must not be imported to recommend
    from trainer.images import ImageSet, Progress
    from trainer.prediction import Prediction
    from trainer.runs import RunFolder, RunResult


@dataclass(frozen=True)
class TaskOptions:
    """A task in the words of the user; `training_plan` and `task_profile` make it exact."""

    modality: str | None = None
    n_images: int | None = None
    anatomy: str | None = None
    n_classes: int | None = None
    task: str = "classification"
    n_augmented: int | None = None


def task_profile(options: TaskOptions) -> TaskProfile:
    """Exact question from what was typed.

    Raises
    ------
    UnknownTermError
        Modality or anatomy is in no vocabulary; the message names near terms.
    RecommendationError
        A number is out of range, or options contradict each other.
    """
    if options.modality is None:
        msg = "--modality is missing: name how the images were made, e.g. --modality ultrasound"
        raise RecommendationError(msg)
    fields: dict[str, Any] = {
        "modality": MODALITY.resolve(options.modality),
        "anatomy": ANATOMY.resolve(options.anatomy) if options.anatomy is not None else None,
        "n_images": options.n_images,
        "n_classes": options.n_classes,
        "task": options.task,
        "n_augmented": options.n_augmented,
    }
    try:
        return TaskProfile(**fields)
    except ValidationError as error:
        raise RecommendationError(_explain(error)) from error


_OPTION_NAMES = {
    "n_images": "--n", "n_classes": "--classes", "n_augmented": "--augmented-n", "task": "--task",
}  # fmt: skip


def _explain(error: ValidationError) -> str:
    lines = []
    for detail in error.errors():
        field = str(detail["loc"][0]) if detail["loc"] else ""
        where = f"{_OPTION_NAMES.get(field, field)}: found {detail['input']}; " if field else ""
        lines.append(where + detail["msg"].removeprefix("Value error, "))
    return "; ".join(lines)


def recommend(options: TaskOptions) -> Recommendation:
    """Answer a question from the store."""
    from recommender.answering import recommend as answer  # noqa: PLC0415  (numpy only to recommend)
    from recommender.ranking import Question  # noqa: PLC0415

    profile = task_profile(options)
    return answer(Question(profile), queries.corpus(Store()))


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
        plan = recommend(_seen(images, options)).plan
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
        raise RecommendationError(_explain(error)) from error


def _for_these(images: "ImageSet", plan: TrainingPlan) -> TrainingPlan:
    stated, found = plan.profile.n_classes, len(images.classes)
    if stated is not None and stated != found:
        msg = f"the plan is for {stated} classes, the data hold {found}"
        raise RecommendationError(msg)
    return plan


def _seen(images: "ImageSet", options: TaskOptions) -> TaskOptions:
    """The task with what the data themselves say: number of images and classes."""
    n_images, n_classes = len(images.files), len(images.classes)
    stated = (("--n", options.n_images, n_images), ("--classes", options.n_classes, n_classes))
    for option, said, found in stated:
        if said is not None and said != found:
            msg = f"{option} says {said}, the data hold {found}; leave the option out"
            raise RecommendationError(msg)
    return TaskOptions(
        modality=options.modality,
        n_images=n_images,
        anatomy=options.anatomy,
        n_classes=None if options.task == "regression" else n_classes,
        task=options.task,
        n_augmented=options.n_augmented,
    )


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


def predict(run: Path, images: Sequence[Path], *, device: str) -> "tuple[Prediction, ...]":
    """Apply a finished run to images."""
    from trainer.prediction import predict as apply  # noqa: PLC0415  (torch only when needed)

    return apply(run, images, device=device)


def sample_data(folder: Path, *, n_images: int, seed: int) -> int:
    """Write the synthetic sample set; returns the number of images."""
    from trainer.synthetic import write_sample  # noqa: PLC0415  (Pillow is in the train extra)

    return write_sample(folder, n_images=n_images, seed=seed)
