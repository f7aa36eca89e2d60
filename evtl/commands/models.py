"""What is done with a trained model: apply it, hand it on."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from evtl import model_services as services
from evtl.commands.asking import DeviceOption
from evtl.model_services import PredictionFormat
from evtl.page import unsteered, whole

app = typer.Typer(rich_markup_mode=None)

RunArgument = Annotated[Path, typer.Argument(help="Run folder.")]


@app.command()
def predict(
    run: RunArgument,
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    form: Annotated[PredictionFormat, typer.Option("--format", help="How to write it.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit status 1 if any image cannot be read.")
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Apply a trained model to images: the probability of each class.

    An image that cannot be read keeps its row, empty but for the reason in the column problem,
    and is listed on stderr; if none can be read, the exit status is 1. File names are written as
    they are: a spreadsheet may take one that begins with = for a formula.

    Example: evtl predict runs/20260101T120000000000Z-1a2b3c4d new.png --out answers.csv
    """
    from evtl.progress import progress_bar  # noqa: PLC0415  (rich only where a bar is drawn)

    unreadable: list[str] = []
    # Taken before a bar is drawn, which leads what is printed past the standard output.
    write = sys.stdout.write

    def tell(file: str, problem: str) -> None:
        unreadable.append(file)
        typer.echo(unsteered(f"{file} cannot be read: {problem}"), err=True)

    rows_shown = out is None and sys.stdout.isatty()
    with nullcontext(_silent) if rows_shown else progress_bar() as progress:
        n_images = services.predict(
            run, images, form, out, device=device, write=lambda line: write(whole(line)),
            tell=tell, progress=progress,
        )  # fmt: skip
    if unreadable:
        typer.echo(f"{len(unreadable)} of {n_images} images cannot be read", err=True)
    if len(unreadable) == n_images or (unreadable and strict):
        raise typer.Exit(1)


def _silent(_stage: str, _done: int, _total: int) -> None:
    """No bar where the rows themselves are on the terminal."""
