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


@evaluate.callback()
def _group(
    context: typer.Context,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="What each part adds on the controlled tables.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    if context.invoked_subcommand is not None:
        if ablate or as_json:
            msg = f"give it after the command: evtl evaluate {context.invoked_subcommand} ..."
            raise typer.BadParameter(msg, param_hint="--ablate" if ablate else "--json")
    elif ablate:
        found = table_services.ablate()
        show(found.model_dump_json(indent=2) if as_json else render_tables.ablations(found))
    else:
        show(context.get_help())


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
def benchmarks(as_json: JsonOption = False) -> None:
    """Follow the advice on data sets of controlled tables that it has not seen.

    Example: evtl evaluate benchmarks --json
    """
    found = table_services.evaluate_benchmarks()
    show(found.model_dump_json(indent=2) if as_json else render_tables.tables(found))


@evaluate.command()
def results(
    results: Annotated[
        Path, typer.Option(help="CSV: dataset,backbone,approach,metric,value[,head].")
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
