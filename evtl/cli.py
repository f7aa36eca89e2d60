"""The command line: parse, call one service, render."""

import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evidence.errors import EvtlError
from evtl import render, services
from evtl.asking import TaskOptions
from evtl.commands.asking import (
    AnatomyOption,
    ApproachesOption,
    AugmentedOption,
    AvailableOption,
    CandidatesOption,
    ClassesOption,
    DataOption,
    GoalOption,
    JsonOption,
    ModalityOption,
    NumberOption,
    OptionalSeconds,
    ProbeOption,
    TaskOption,
)
from evtl.lazy import LazyGroup
from evtl.page import show, unsteered
from evtl.render import Format

if TYPE_CHECKING:
    from recommender.records import Recommendation

app = typer.Typer(
    name="evtl",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"evtl {version('evtl')}")
        raise typer.Exit


@app.callback()
def evtl(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which pretrained network, transferred how? Published evidence, advice, training."""


@app.command(cls=OptionalSeconds)
def recommend(
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
    data: DataOption = None,
    probe: ProbeOption = None,
    top: Annotated[int, typer.Option(min=1, help="Choices to show.")] = 5,
    as_json: JsonOption = False,
    save: Annotated[Path | None, typer.Option(help="Write the training plan here.")] = None,
) -> None:
    """Say which network, transferred how, on whose evidence, and how sure that is.

    Example: evtl recommend --modality ultrasound --n 800 --anatomy breast --save plan.json
    """
    options = TaskOptions(
        modality, n, anatomy, classes, task, augmented_n, goal, candidates, approaches, available
    )
    found = _answered(options, data, probe, top)
    from evtl.render_recommendation import recommendation  # noqa: PLC0415

    if save is not None:
        services.save_plan(found.plan, save)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        typer.echo(recommendation(found, top))
        if save is not None:
            typer.echo(f"\nPlan written to {save}; carry it out: evtl train DATA --plan {save}")


@app.command(cls=OptionalSeconds)
def explain(
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
    data: DataOption = None,
    probe: ProbeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show in full how an answer comes about: every weight, data set, study, rule and claim.

    Example: evtl explain --modality ultrasound --n 800 --anatomy breast
    """
    from evtl import render_explanation  # noqa: PLC0415  (only where it is asked for)

    options = TaskOptions(
        modality, n, anatomy, classes, task, augmented_n, goal, candidates, approaches, available
    )
    found = _answered(options, data, probe)
    show(found.model_dump_json(indent=2) if as_json else render_explanation.explanation(found))


def _answered(
    options: TaskOptions, data: Path | None, probe: float | None, top: int | None = None
) -> "Recommendation":
    """The answer, with a progress bar where images are tried."""
    if data is None:
        if options.n_images is None:
            msg = "missing: how many images are there? Or name their folder with --data"
            raise typer.BadParameter(msg, param_hint="--n")
        return services.recommend(options, None, probe, top=top)
    from evtl.progress import progress_bar  # noqa: PLC0415  (rich only where a bar is drawn)

    with progress_bar() as progress:
        return services.recommend(options, data, probe, progress, top)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT.")],
    form: Annotated[Format, typer.Option("--format", help="How to write the rows.")] = Format.table,
) -> None:
    """Ask the evidence store in SQL, read-only.

    The view study_features has a row for each extraction of a study.

    Example: evtl sql "SELECT family, count(*) FROM study_features GROUP BY 1 ORDER BY 2 DESC"
    """
    result = services.sql(query)
    typer.echo(render.answer(result, form))
    if result.truncated:
        typer.echo(f"only the first {len(result.rows)} rows are shown; add a LIMIT", err=True)


#: Module -> extra that brings it; every other one is for training.
EXTRAS = {
    **dict.fromkeys(("bibtexparser", "matplotlib", "rispy", "statsmodels"), "review"),
    **dict.fromkeys(("psycopg", "sqlglot"), "postgres"),
    **dict.fromkeys(("fastapi", "itsdangerous", "multipart", "starlette", "uvicorn"), "web"),
    **dict.fromkeys(("onnx", "onnx_ir", "onnxruntime", "onnxscript"), "export"),
}


def _missing(module: str) -> str:
    extra = EXTRAS.get(module.partition(".")[0], "train")
    return (
        f"{module} is not installed: this needs the extra [{extra}]; run "
        f"pip install '.[{extra}]' in the checkout, or make install"
    )


def main() -> None:
    """Run the command line; an expected error is one message on stderr and exit status 1."""
    # A polite request to end is an error like any other: a training then says why it stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("evtl: ended by SIGTERM"))
    try:
        app()
    except EvtlError as error:
        sys.exit(f"evtl: {unsteered(str(error))}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(("evidence", "recommender", "trainer", "evtl")):
            raise
        sys.exit(f"evtl: {_missing(error.name or '')}")
    except BrokenPipeError:
        # The reader has seen enough; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
