"""Screening a living review."""

import json
from typing import Annotated

import typer

from evidence.screening import N_REVIEWERS, Protocol
from evidence.vocabulary import Decision
from evtl import render_screening as render
from evtl import review_services as services
from evtl.commands.asking import JsonOption
from evtl.commands.options import By, FormatOption, ReviewersOption, ReviewOption, StageOption
from evtl.page import show
from evtl.render import Format
from evtl.review_services import Judgement

screen = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Decide which studies a living review includes.\n\n"
    "Example: evtl screen decide include doe-2024 --by anna",
)
app = typer.Typer(rich_markup_mode=None)
app.add_typer(screen, name="screen")


@screen.command()
def queue(
    stage: StageOption = "title_abstract",
    limit: Annotated[int, typer.Option(min=1, help="Studies to show, oldest first.")] = 10,
    review: ReviewOption = None,
    reviewers: ReviewersOption = N_REVIEWERS,
    by: By = None,
    form: FormatOption = Format.table,
    as_json: JsonOption = False,
) -> None:
    """List what a reviewer has still to decide; what others decided is not shown.

    Example: evtl screen queue --by anna --limit 5
    """
    found = services.queue(Protocol(review, reviewers), stage, by, limit)
    show(found.model_dump_json(indent=2) if as_json else render.queue(found, form))


@screen.command()
def decide(
    decision: Annotated[Decision, typer.Argument(help="include or exclude.")],
    studies: Annotated[list[str], typer.Argument(help="Keys of studies.")],
    reason: Annotated[
        str, typer.Option(help="Needed to exclude; 'not retrieved' counts apart.")
    ] = "",
    stage: StageOption = "title_abstract",
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="Settle a conflict of others.")
    ] = False,
    review: ReviewOption = None,
    reviewers: ReviewersOption = N_REVIEWERS,
    by: By = None,
) -> None:
    """Include or exclude studies; a person may change their own decision later.

    Example: evtl screen decide exclude doe-2020 --reason "not on images" --by anna
    """
    judgement = Judgement(studies, stage, decision, reason, adjudicate)
    typer.echo(render.done(services.decide(judgement, Protocol(review, reviewers), by)))


@screen.command()
def status(
    review: ReviewOption = None,
    reviewers: ReviewersOption = N_REVIEWERS,
    form: FormatOption = Format.table,
    as_json: JsonOption = False,
) -> None:
    """Count where studies stand at each stage, and what each person decided.

    Example: evtl screen status --json
    """
    found = services.status(Protocol(review, reviewers))
    show(found.model_dump_json(indent=2) if as_json else render.status(found, form))


@screen.command()
def conflicts(
    review: ReviewOption = None,
    reviewers: ReviewersOption = N_REVIEWERS,
    form: FormatOption = Format.table,
    as_json: JsonOption = False,
) -> None:
    """List studies on which people differ, who said what and why.

    Example: evtl screen conflicts
    """
    found = services.conflicts(Protocol(review, reviewers))
    if as_json:
        show(json.dumps([one.model_dump() for one in found], indent=2, ensure_ascii=False))
    elif found or form is not Format.table:
        show(render.conflicts(found, form))
    else:
        typer.echo("no conflict is open")


@screen.command()
def agreement(
    review: ReviewOption = None,
    form: FormatOption = Format.table,
    as_json: JsonOption = False,
) -> None:
    """Give Cohen's kappa of each pair of reviewers, on the studies that both decided.

    Decisions count as they stand; "revised" says for how many studies one was changed.

    Example: evtl screen agreement --format csv
    """
    found = services.agreement(Protocol(review))
    if as_json:
        show(json.dumps([one.model_dump() for one in found], indent=2, ensure_ascii=False))
    elif found or form is not Format.table:
        show(render.agreement(found, form))
    else:
        typer.echo("no study was decided by two people yet")
