"""The web page."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to bind; any but this machine's own asks for the token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: the system chooses.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EVTL_TOKEN",
            help="Who shows it may change the corpus; made and printed where not given.",
        ),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Image sets below this folder may be asked about.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Trainings are kept below this folder.")] = Path(
        "runs"
    ),
    processes: Annotated[
        int,
        typer.Option(min=1, max=64, help="Answer with so many processes; for a team, one a core."),
    ] = 1,
    name: Annotated[
        list[str] | None, typer.Option(help="Another name by which the page is asked for.")
    ] = None,
) -> None:
    """Serve the web page: ask, read the evidence, train, watch.

    Example: evtl serve --data-root my-image-sets
    """
    from evtl.web.serving import serve as run  # noqa: PLC0415  (FastAPI only here)
    from evtl.web.settings import settings  # noqa: PLC0415

    asked = settings(host, port, token, data_root, runs, frozenset(name or ()))
    run(asked, typer.echo, processes)
