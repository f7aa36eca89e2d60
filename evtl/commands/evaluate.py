"""How good the advice is."""

from pathlib import Path
from typing import Annotated

import typer

from evtl import evaluation_services as services
from evtl import render_evaluation as render
from evtl import render_tables, table_services
from evtl.commands.asking import GoalOption, JsonOption
from evtl.page import show

evaluate = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    help="Measure how good the advice is, beside what knows almost nothing.\n\n"
    "Example: evtl evaluate --ablate",
)
app = typer.Typer(rich_markup_mode=None)
app.add_typer(evaluate, name="evaluate")
AblateOption = Annotated[
    bool, typer.Option("--ablate", help="What each part adds on the controlled tables.")
]


@evaluate.callback()
def _group(
    context: typer.Context,
    ablate: AblateOption = False,
    as_json: JsonOption = False,
) -> None:
    if context.invoked_subcommand is not None:
        _refuse(context.invoked_subcommand, ablate=ablate, as_json=as_json)
    elif ablate:
        _show_ablations(as_json)
    else:
        show(context.get_help())


def _refuse(command: str, *, ablate: bool, as_json: bool) -> None:
    """Options that stand before a command: say where they belong."""
    if ablate:
        msg = "it is about the controlled tables: evtl evaluate benchmarks --ablate"
        raise typer.BadParameter(msg, param_hint="--ablate")
    if as_json:
        msg = f"give it after the command: evtl evaluate {command} --json"
        raise typer.BadParameter(msg, param_hint="--json")


def _show_ablations(as_json: bool) -> None:
    found = table_services.ablate()
    show(found.model_dump_json(indent=2) if as_json else render_tables.ablations(found))


@evaluate.command()
def corpus(
    permutations: Annotated[
        int,
        typer.Option(
            min=0,
            help="Repeat it so often with permuted labels; who predicts these has seen them.",
        ),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Leave each published study out and predict what its authors used.

    Beside the recommender: always the commonest, the mode within the anatomy, and a kNN tuned
    on the other studies. And how often the expected interval covers.

    Example: evtl evaluate corpus --json
    """
    found = services.evaluate_corpus(permutations)
    show(found.model_dump_json(indent=2) if as_json else render.corpus(found))


@evaluate.command()
def benchmarks(ablate: AblateOption = False, as_json: JsonOption = False) -> None:
    """Follow the advice on data sets of controlled tables that it has not seen.

    Example: evtl evaluate benchmarks --json
    """
    if ablate:
        _show_ablations(as_json)
        return
    found = table_services.evaluate_benchmarks()
    show(found.model_dump_json(indent=2) if as_json else render_tables.tables(found))


@evaluate.command()
def results(
    results: Annotated[
        Path,
        typer.Option(
            help="CSV: dataset,backbone,approach,metric,value[,head][,initialisation]; the last "
            "is pretrained (where it is empty) or random."
        ),
    ],
    tasks: Annotated[
        Path, typer.Option(help="CSV: dataset,modality,anatomy,n_images,n_classes,task.")
    ],
    metric: Annotated[
        str | None, typer.Option(help="Which metric; default: the one with most values.")
    ] = None,
    goal: GoalOption = "accuracy",
    as_json: JsonOption = False,
) -> None:
    """Follow the advice on anyone's table of results.

    What the store holds on a data set of the same name is left out.

    Example: evtl evaluate results --results R.csv --tasks T.csv
    """
    found = table_services.evaluate_results(results, tasks, metric, goal)
    show(found.model_dump_json(indent=2) if as_json else render_tables.results(found))
