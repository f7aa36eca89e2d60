"""Training and what was trained."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evidence.records import Record
from evidence.vocabulary import Approach, Head
from evtl import render
from evtl import training_services as services
from evtl.asking import TaskOptions
from evtl.commands.asking import (
    AnatomyOption,
    ApproachesOption,
    AugmentedOption,
    AvailableOption,
    CandidatesOption,
    ClassesOption,
    DeviceOption,
    GoalOption,
    JsonOption,
    ModalityOption,
    NumberOption,
    TaskOption,
)
from evtl.planning import Wishes
from recommender.plan import FeatureDepth, Target

if TYPE_CHECKING:
    from trainer.runs import RunResult

app = typer.Typer(rich_markup_mode=None)


@app.command()
def train(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of class folders, or with a CSV.")
    ] = None,
    modality: ModalityOption = None,
    n: NumberOption = None,
    anatomy: AnatomyOption = None,
    classes: ClassesOption = None,
    task: TaskOption = "classification",
    augmented_n: AugmentedOption = None,
    goal: GoalOption = "balanced",
    candidates: CandidatesOption = None,
    approaches: ApproachesOption = None,
    available: AvailableOption = False,
    target: Annotated[
        Target | None,
        typer.Option(help="What is learned: classes unless a plan or a column labels says else."),
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="Grades of ordinal from the mildest: none,mild,severe.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="Carry out this plan instead.")] = None,
    backbone: Annotated[
        str | None, typer.Option(help="This network: see evtl backbones, or any model of timm.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE[:SHA256]", help="Its weights, from this file.")
    ] = None,
    random: Annotated[bool, typer.Option("--random", help="Begin with random weights.")] = False,
    approach: Annotated[Approach | None, typer.Option(help="This approach.")] = None,
    head: Annotated[Head | None, typer.Option(help="This head.")] = None,
    features: Annotated[
        FeatureDepth | None, typer.Option(help="Where a frozen backbone is read.")
    ] = None,
    blocks: Annotated[int | None, typer.Option(help="Fine-tune this many blocks.")] = None,
    gradual: Annotated[
        bool, typer.Option("--gradual", help="Unfreeze from top to bottom.")
    ] = False,
    layer_decay: Annotated[
        float | None, typer.Option(help="Learning rate of a block over that of the one above it.")
    ] = None,
    lora: Annotated[int | None, typer.Option(help="Rank of low-rank updates.")] = None,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="Unfreeze as far as cross-validation says it pays.")
    ] = False,
    augmentation: Annotated[
        Literal["none", "online", "offline"] | None, typer.Option(help="Of training images.")
    ] = None,
    copies: Annotated[int | None, typer.Option(help="Images made of one, offline.")] = None,
    class_weights: Annotated[
        bool | None, typer.Option(help="Weigh classes by how rare they are.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of fine-tuning.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images of a step.")] = None,
    folds: Annotated[int | None, typer.Option(help="Cross-validate beside the hold-out.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Times that a split is drawn.")] = None,
    sensitivity: Annotated[
        float | None, typer.Option(help="Choose the threshold that reaches this sensitivity.")
    ] = None,
    max_unreadable: Annotated[
        float | None, typer.Option(help="Share of images that may be unreadable.")
    ] = None,
    allow_leakage: Annotated[
        bool, typer.Option("--allow-leakage", help="Train on a split that images or groups cross.")
    ] = False,
    budget: Annotated[float | None, typer.Option(help="Minutes that it may take.")] = None,
    device: DeviceOption = "auto",
    seed: Annotated[int | None, typer.Option(help="Of split, training and bootstrap.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<id>.")] = None,
    resume: Annotated[Path | None, typer.Option(help="End this run, where it was stopped.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Recommend and train at once on a folder of images.

    DATA holds one folder per class, or a CSV with the columns file,label[,group][,split].

    Several GPUs: torchrun --nproc-per-node 4 -m evtl train ..., or accelerate launch -m evtl ...

    Example: evtl train my-images --modality ultrasound --anatomy breast
    """
    if services.assisted():
        return
    from evtl.progress import progress_bar  # noqa: PLC0415  (rich only where a bar is drawn)

    options = TaskOptions(
        modality, n, anatomy, classes, task, augmented_n, goal, candidates, approaches, available
    )
    wishes = Wishes(
        approach=approach, head=head, backbone=backbone, weights=weights,
        initialisation="random" if random else None, features=features, n_blocks=blocks,
        gradual=gradual or None,
        layer_decay=layer_decay, lora_rank=lora, ladder=ladder or None, augmentation=augmentation,
        n_copies=copies, class_weights=class_weights, epochs=epochs, batch_size=batch_size,
        n_folds=folds, n_repeats=repeats, sensitivity=sensitivity, max_unreadable=max_unreadable,
        allow_leakage=allow_leakage or None, budget_min=budget, seed=seed,
    )  # fmt: skip
    with progress_bar() as progress:
        if resume is None:
            request = services.Request(data, options, wishes, plan, target, order, device, out)
            result, folder = services.train(request, progress)
        else:
            _alone(resume, data, options, wishes, plan, target, order, out)
            result, folder = services.resume(resume, progress)
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        typer.echo("\n".join(trained(result)))
        typer.echo(f"{result.seconds:.0f} s on {result.device}. Run folder: {folder.path}")
        typer.echo(f"Report: {folder.path / 'report.html'}")


def _alone(resume: Path, *others: object) -> None:
    """A run that is gone on with has its plan; anything else would be left unheard."""
    unset = (None, TaskOptions(), Wishes())
    if any(each not in unset for each in others):
        msg = f"{resume} has its images, plan and folder: give no other option beside --json"
        raise typer.BadParameter(msg, param_hint="--resume")


def trained(result: "RunResult") -> Iterator[str]:
    """What a person wants to know of a training."""
    yield f"Backbone: {result.backbone} ({result.weights.partition(' sha256')[0]})"
    if result.fallback_reason:
        yield f"  instead of {result.backbone_recommended}: {result.fallback_reason}"
    yield f"Approach: {result.approach}, head {result.head} ({result.head_setting})"
    counts = ", ".join(f"{part} {count}" for part, count in sorted(result.n_per_part.items()))
    learned = f", classes {', '.join(result.classes)}" if result.classes else ""
    yield f"Images: {result.n_images} ({counts}){learned}"
    yield render.metrics(result.model_dump()["metrics"])
    if result.operating_point is not None:
        yield f"Operating point: {result.operating_point.statement}"
    for name, found in result.resampled.items():
        yield (
            f"{found.n} further splits: {name} {found.mean:.3f} "
            f"({found.smallest:.3f} to {found.largest:.3f})"
        )
    yield from (f"Mind: {warning}" for warning in result.warnings)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    maps: Annotated[
        bool, typer.Option(help="Show where the network looks; takes some seconds.")
    ] = True,
    device: DeviceOption = "auto",
) -> None:
    """Write the report and the model card of a run anew.

    Example: evtl report runs/20260101T120000000000Z-1a2b3c4d
    """
    typer.echo(f"Report: {services.report(run, device=device, maps=maps)}")


@app.command()
def runs(
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Those that ship with evtl instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the trainings recorded in the store, oldest first.

    Example: evtl runs
    """
    if shipped:
        found = services.shipped_runs()
        typer.echo(_json(found) if as_json else render.shipped_runs(found))
        return
    records = services.runs()
    if as_json or records:
        typer.echo(_json(records) if as_json else render.runs(records))
    else:
        typer.echo("no run is recorded yet; train one: evtl train DATA --modality ...")


def _json(records: Sequence[Record]) -> str:
    return json.dumps([record.model_dump() for record in records], indent=2)


@app.command("sample-data")
def sample_data(
    folder: Annotated[Path, typer.Argument(help="New folder.")],
    n: Annotated[int, typer.Option("--n", help="Number of images.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same images.")] = 0,
) -> None:
    """Write a synthetic breast-ultrasound set, to try the software with.

    Example: evtl sample-data sample --n 200 --seed 0
    """
    count = services.sample_data(folder, n_images=n, seed=seed)
    typer.echo(f"{count} SYNTHETIC images written to {folder}")
