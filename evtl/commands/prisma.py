"""The flow of a review."""

from pathlib import Path
from typing import Annotated

import typer

from evidence.screening import N_REVIEWERS, Protocol
from evtl import render_screening as render
from evtl import review_services as services
from evtl.commands.asking import JsonOption
from evtl.commands.options import FormatOption, ReviewersOption
from evtl.page import show
from evtl.render import Format

app = typer.Typer(rich_markup_mode=None)


@app.command()
def prisma(
    review: Annotated[
        str | None, typer.Argument(help="e.g. kim2022; default the living review.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Draw it to this SVG or PNG.")] = None,
    reviewers: ReviewersOption = N_REVIEWERS,
    form: FormatOption = Format.table,
    as_json: JsonOption = False,
) -> None:
    """Count or draw the PRISMA 2020 flow: of a living review from its rows, else as printed.

    Example: evtl prisma kim2022 --out flow.svg
    """
    found = services.review_flow(Protocol(review, reviewers), out)
    show(found.model_dump_json(indent=2) if as_json else render.flow(found, form))
    if out is not None:
        typer.echo(f"Drawn to {out}", err=True)
