"""How good the advice is."""

from typing import Annotated

import typer

from evtl import evaluation_services as services
from evtl import render_evaluation as render
from evtl.commands.options import JsonOption
from evtl.page import show

evaluate = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Measure how good the advice is, beside what knows almost nothing.\n\n"
    "Example: evtl evaluate corpus",
)
app = typer.Typer(rich_markup_mode=None)
app.add_typer(evaluate, name="evaluate")


# A group stays a group, however few commands it has.
@evaluate.callback()
def _group() -> None: ...


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
