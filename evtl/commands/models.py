"""What is done with a trained model, and with what it rests on: apply it, hand it on."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from evtl import corpus_services
from evtl import model_services as services
from evtl.commands.asking import DeviceOption
from evtl.model_services import ModelFormat, PredictionFormat
from evtl.page import unsteered, whole

app = typer.Typer(rich_markup_mode=None)

RunArgument = Annotated[Path, typer.Argument(help="Run folder.")]


@app.command()
def predict(
    run: RunArgument,
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    form: Annotated[PredictionFormat, typer.Option("--format", help="How to write it.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    explain: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder: a picture of what it saw in each image."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit status 1 if any image cannot be read.")
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Apply a trained model to images: the probability of each class.

    DICOM, NIfTI and folders too; cine.dcm#12 is a frame of a file. The column at_operating_point
    has the class at the run's threshold, where it chose one for a sensitivity.

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
        asked = services.Asked(run, images, form, out, explain, device)
        applied = services.predict(asked, lambda line: write(whole(line)), tell, progress)
    if applied.threshold:
        typer.echo(f"Operating point: {applied.threshold}", err=True)
    if unreadable:
        typer.echo(f"{len(unreadable)} of {applied.n_images} images cannot be read", err=True)
    if len(unreadable) == applied.n_images or (unreadable and strict):
        raise typer.Exit(1)


def _silent(_stage: str, _done: int, _total: int) -> None:
    """No bar where the rows themselves are on the terminal."""


@app.command()
def export(
    run: Annotated[Path | None, typer.Argument(help="Run folder; without it, the corpus.")] = None,
    place: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Of a run: file (onnx), folder (hub).")
    ] = None,
    to: Annotated[
        ModelFormat | None, typer.Option("--to", help="Of a run: ONNX, or the Hugging Face hub.")
    ] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option("--check", help="Images or folders to check an ONNX file with, too."),
    ] = None,
    form: Annotated[
        Literal["csv", "json", "ris"] | None,
        typer.Option("--format", help="Of the corpus; default csv."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Corpus: new folder (csv), or file.")] = None,
) -> None:
    """Write a trained model for other software; without a run, the whole corpus.

    ONNX takes bytes of images and gives probabilities: normalisation, temperature and softmax are
    inside. The folder for the hub is loaded by timm, with the same logits. Both are checked against
    the run's own model, and written only if they agree. The heads linear and lda can be exported.

    The corpus is written as CSV (a folder), JSON, or its publications as RIS.

    Example: evtl export runs/20260101T120000000000Z-1a2b3c4d model.onnx --to onnx

    Example: evtl export --format csv --out corpus
    """
    if run is not None:
        _export_model(run, place, to, check or (), corpus=form is not None or out is not None)
    elif to is not None or check:
        msg = "which run? evtl export RUN OUT --to onnx or hub"
        raise typer.BadParameter(msg, param_hint="RUN")
    else:
        _export_corpus(form or "csv", out)


def _export_model(
    run: Path, out: Path | None, to: ModelFormat | None, check: Sequence[Path], *, corpus: bool
) -> None:
    if corpus:
        msg = "--format and --out are for the corpus: evtl export RUN OUT --to onnx or hub"
        raise typer.BadParameter(msg, param_hint="RUN")
    if out is None or to is None:
        msg = "name what is written, and as what: evtl export RUN OUT --to onnx or hub"
        raise typer.BadParameter(msg, param_hint="OUT" if out is None else "--to")
    if check and to == "hub":
        msg = "images are for the check of an ONNX file; a folder is checked without"
        raise typer.BadParameter(msg, param_hint="--check")
    difference = services.export_model(run, to, out, check)
    typer.echo(f"Written to {out}; differs from the run's own model by {difference:.1g} at most")


def _export_corpus(form: str, out: Path | None) -> None:
    found = corpus_services.export_corpus(form, out)
    if found.text is not None:
        typer.echo(found.text, nl=False)
    elif out is not None:
        typer.echo(f"Written to {out}")
    if found.left_out:
        typer.echo(
            f"RIS cannot hold {len(found.left_out)} studies without title, DOI and PubMed number: "
            f"{', '.join(found.left_out)}; csv and json hold them",
            err=True,
        )
