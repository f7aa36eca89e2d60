"""Two runs beside each other."""

from pathlib import Path
from typing import Annotated

import typer

from evtl import comparison_services as services
from evtl import render_comparison as render
from evtl.commands.asking import JsonOption
from evtl.page import show

app = typer.Typer(rich_markup_mode=None)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder to set beside it.")],
    as_json: JsonOption = False,
) -> None:
    """Say how far two runs are apart on the test images of both, and how sure that is.

    Two runs of the same images and seed have the same split. What one was trained on is refused
    as a test of the other.

    Example: evtl compare runs/frozen runs/fine-tuned
    """
    found = services.compare_runs(first, second)
    show(found.model_dump_json(indent=2) if as_json else render.comparison(found))
