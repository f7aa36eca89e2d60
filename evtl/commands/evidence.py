"""Looking at the evidence: studies, tables, published figures, disagreements."""

import json
from typing import Annotated

import typer
from pydantic import ValidationError

from evidence.listing import StudyFilter
from evtl import corpus_services as services
from evtl import render_evidence as render
from evtl.commands.asking import JsonOption
from evtl.commands.options import FormatOption
from evtl.page import show
from evtl.render import Format

app = typer.Typer(rich_markup_mode=None)


@app.command()
def studies(
    key: Annotated[str | None, typer.Argument(help="One study, with everything of it.")] = None,
    modality: Annotated[str | None, typer.Option(help="And narrower modalities.")] = None,
    anatomy: Annotated[str | None, typer.Option(help="And narrower anatomy.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Backbone or family.")] = None,
    family: Annotated[str | None, typer.Option(help="Family of the backbone.")] = None,
    approach: Annotated[str | None, typer.Option(help="e.g. feature_extractor.")] = None,
    review: Annotated[str | None, typer.Option(help="Only studies of this review.")] = None,
    words: Annotated[str | None, typer.Option(help="All of them, in what is known of it.")] = None,
    n_min: Annotated[int | None, typer.Option(help="At least so many images.")] = None,
    n_max: Annotated[int | None, typer.Option(help="At most so many images.")] = None,
    year_min: Annotated[int | None, typer.Option(help="Of this year or later.")] = None,
    year_max: Annotated[int | None, typer.Option(help="Of this year or earlier.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Studies to show, newest first.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Show all of them.")] = False,
    form: FormatOption = Format.table,
) -> None:
    """Find studies, or show one with all extractions, locators and conflicts.

    Example: evtl studies --modality ultrasound --n-max 1000
    """
    if key is not None:
        shown = services.study(key)
        show(render.study(shown, form))
        return
    asked = {
        "modality": modality, "anatomy": anatomy, "backbone": backbone, "family": family,
        "approach": approach, "review": review, "words": words, "n_min": n_min, "n_max": n_max,
        "year_min": year_min, "year_max": year_max, "limit": None if everything else limit,
    }  # fmt: skip
    try:
        wanted = StudyFilter.model_validate(asked)
    except ValidationError as error:
        detail = error.errors()[0]
        msg = f"found {detail['input']!r}; {detail['msg']}"
        option = f"--{detail['loc'][0]}".replace("_", "-")
        raise typer.BadParameter(msg, param_hint=option) from error
    found = services.studies(wanted)
    show(render.listing(found, form))
    if len(found.studies) < found.n_found:
        typer.echo(
            f"{len(found.studies)} of {found.n_found} studies; --all or --limit show more", err=True
        )


@app.command()
def schema(form: FormatOption = Format.table) -> None:
    """List the tables and views that evtl sql reads, with a line on each.

    Example: evtl schema
    """
    show(render.schema(services.schema(), form))


@app.command()
def reproduce(
    review: Annotated[str | None, typer.Argument(help="e.g. morid2022; default all.")] = None,
    only: Annotated[
        bool, typer.Option("--disagreeing", help="Only figures that do not agree.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Recompute the figures that reviews print from their rows; show both, and why they differ.

    Example: evtl reproduce morid2022 --disagreeing
    """
    found = services.reproduce(review)
    shown = tuple(item for item in found if not only or item.verdict != "agrees")
    if as_json:
        typer.echo(json.dumps([item.model_dump() for item in shown], indent=2, ensure_ascii=False))
    else:
        show(render.reproduction(shown, found))


@app.command()
def disagreements(
    modality: Annotated[str | None, typer.Option(help="Only what bears on this modality.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show where reviews contradict each other or themselves, each side with its source.

    Example: evtl disagreements --modality ultrasound
    """
    found = services.disagreements(modality)
    if as_json:
        records = [item.model_dump() for item in (*found.found, *found.of_studies)]
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
    else:
        show(render.disagreements(found))
