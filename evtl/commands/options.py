"""Options that the commands of a living review share."""

from typing import Annotated

import typer

from evidence.screening import N_REVIEWERS
from evidence.vocabulary import Stage
from evtl.render import Format

By = Annotated[
    str | None, typer.Option("--by", help="Who does it; default EVTL_ACTOR, else the login name.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write the rows.")]
ReviewOption = Annotated[
    str | None, typer.Option("--review", help="Needed where the store holds several.")
]
StageOption = Annotated[Stage, typer.Option("--stage", help="Titles and abstracts, or full texts.")]
ReviewersOption = Annotated[
    int,
    typer.Option(
        "--reviewers",
        min=1,
        envvar="EVTL_REVIEWERS",
        help=f"People who decide on each study; {N_REVIEWERS} unless the protocol says otherwise.",
    ),
]
