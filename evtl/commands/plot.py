"""Pictures of the evidence."""

from pathlib import Path
from typing import Annotated

import typer

from evidence.vocabulary import Metric
from evtl import plots
from evtl.plots import Kind, PlotOptions

app = typer.Typer(rich_markup_mode=None)


@app.command()
def plot(
    kind: Annotated[Kind, typer.Argument(help="What is drawn.")],
    modality: Annotated[str | None, typer.Option(help="And narrower modalities.")] = None,
    anatomy: Annotated[str | None, typer.Option(help="And narrower anatomy.")] = None,
    metric: Annotated[Metric, typer.Option(help="Of forest and sizes.")] = "auc",
    out: Annotated[Path | None, typer.Option(help="SVG or PNG; default KIND.svg.")] = None,
) -> None:
    """Draw the evidence: gap map, forest, who beat whom, years, sizes, approaches.

    Example: evtl plot forest --modality ultrasound --metric accuracy --out forest.svg
    """
    path = out or Path(f"{kind}.svg")
    plots.plot(kind, PlotOptions.typed(modality, anatomy, metric), path)
    typer.echo(f"Drawn to {path}")
