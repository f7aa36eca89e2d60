"""Keeping the corpus: import, export, history, releases."""

import json
from pathlib import Path
from typing import Annotated

import typer

from evidence.imports import OWN_REVIEW, Search
from evidence.releases import NOW
from evtl import corpus_services as services
from evtl import render_corpus as render
from evtl.commands.asking import JsonOption
from evtl.commands.options import By, FormatOption
from evtl.page import show
from evtl.render import Format

app = typer.Typer(rich_markup_mode=None)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV of ours, a folder of them, RIS, BibTeX, nbib.")],
    review: Annotated[str, typer.Option(help="Review whose search this is.")] = OWN_REVIEW,
    source: Annotated[str, typer.Option(help="Database searched; default the file's name.")] = "",
    reason: Annotated[str | None, typer.Option(help="Why; kept with the change set.")] = None,
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a file into the store, all of it or nothing, as one change set.

    CSV and JSON as evtl export writes them; RIS, BibTeX and PubMed (nbib) records become studies,
    recognised by DOI, PMID, or authors and title where they are known already.

    Example: evtl import pubmed.nbib --review thyroid2026 --source PubMed --dry-run
    """
    found = services.import_file(file, Search(review, source), by, reason, dry_run=dry_run)
    typer.echo(found.model_dump_json(indent=2) if as_json else render.imported(found))


@app.command()
def changes(form: FormatOption = Format.table) -> None:
    """List every change set: when, by whom, why, and how many rows.

    Example: evtl changes
    """
    found = services.change_sets()
    if found or form is not Format.table:
        show(render.change_sets(found, form))
    else:
        typer.echo("nothing was changed yet: the store holds the corpus as it was shipped")


@app.command()
def undo(
    number: Annotated[int, typer.Argument(help="Change set, as evtl changes lists it.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the change set.")],
    by: By = None,
) -> None:
    """Take a change set back, by a further change set that puts every row as it was.

    Example: evtl undo 3 --reason "wrong file"
    """
    typer.echo(render.change_set(services.undo(number, by, reason)))


@app.command()
def release(
    tag: Annotated[str | None, typer.Argument(help="Name of the state.")] = None,
    by: By = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the corpus as it is under a name, with a digest to cite; without a name, list them.

    Example: evtl release 2026-01
    """
    found = services.list_releases() if tag is None else (services.release(tag, by),)
    if as_json:
        typer.echo(json.dumps([each.model_dump() for each in found], indent=2))
    else:
        typer.echo(render.releases(found) if found else "no release yet: evtl release TAG")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Release.")],
    after: Annotated[str, typer.Argument(help=f"Release, or {NOW!r} for the store.")] = NOW,
    as_json: JsonOption = False,
) -> None:
    """Say what changed between two releases: rows, and which recommendations.

    Example: evtl diff 2026-01 now
    """
    found = services.diff(before, after)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        show(render.difference(found))
