"""Extracting studies twice, and settling where the readers differ."""

import json
from pathlib import Path
from typing import Annotated

import typer

from evtl import render_screening as render
from evtl import review_services as services
from evtl.commands.asking import JsonOption
from evtl.commands.options import By, FormatOption, ReviewOption
from evtl.page import show
from evtl.render import Format
from evtl.review_services import Ruling

extract = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Extract studies by two people, field by field.\n\n"
    "Example: evtl extract add rows.csv --by anna",
)
app = typer.Typer(rich_markup_mode=None)
app.add_typer(extract, name="extract")

Study = Annotated[str, typer.Argument(help="Key of the study.")]


@extract.command()
def add(
    file: Annotated[Path, typer.Argument(help="CSV with the header of studies.csv.")],
    by: By = None,
) -> None:
    """Keep what one person read of one or more studies, in place of what they read before.

    Example: evtl extract add doe-2020.csv --by anna
    """
    typer.echo(render.done(services.read_study(file, by)))


@extract.command()
def conflicts(
    study: Annotated[str | None, typer.Argument(help="Key of a study; default all.")] = None,
    review: ReviewOption = None,
    form: FormatOption = Format.table,
    as_json: JsonOption = False,
) -> None:
    """List fields that readers filled in differently, and who said what.

    Example: evtl extract conflicts doe-2020
    """
    found = services.extraction_conflicts(review, study)
    if as_json:
        show(json.dumps([one.model_dump() for one in found], indent=2, ensure_ascii=False))
    elif found or form is not Format.table:
        show(render.field_conflicts(found, form))
    else:
        typer.echo("no conflict is open")


@extract.command()
def adjudicate(
    study: Study,
    field: Annotated[str, typer.Argument(help="Column of studies.csv.")],
    value: Annotated[str, typer.Argument(help="As studies.csv writes it; '' for not reported.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the change set.")],
    review: ReviewOption = None,
    by: By = None,
) -> None:
    """Settle one field on which readers differ.

    Example: evtl extract adjudicate doe-2020 n_images 780 --reason "table 1" --by carl
    """
    typer.echo(render.done(services.adjudicate(Ruling(study, field, value, reason), review, by)))


@extract.command()
def adopt(study: Study, review: ReviewOption = None, by: By = None) -> None:
    """Make what two readers agree on the extraction of the study.

    Example: evtl extract adopt doe-2020 --by carl
    """
    typer.echo(render.done(services.adopt(study, review, by)))


@extract.command()
def agreement(
    review: ReviewOption = None,
    form: FormatOption = Format.table,
    as_json: JsonOption = False,
) -> None:
    """Say how far readers agree on each field; Cohen's kappa where it holds one word of a few.

    Example: evtl extract agreement
    """
    found = services.extraction_agreement(review)
    if as_json:
        show(json.dumps([one.model_dump() for one in found], indent=2, ensure_ascii=False))
    elif found or form is not Format.table:
        show(render.field_agreement(found, form))
    else:
        typer.echo("no study was read by two people yet")
