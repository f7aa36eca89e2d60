"""The networks that can be trained: model, weights, licence, size."""

import json
from typing import Annotated

import typer

from evtl import backbone_services as services
from evtl import render_backbones as render
from evtl.commands.asking import JsonOption
from evtl.page import show

app = typer.Typer(rich_markup_mode=None)


@app.command()
def backbones(
    name: Annotated[str | None, typer.Argument(help="One backbone, or any timm model.")] = None,
    family: Annotated[str | None, typer.Option(help="Only those of this family.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every backbone: what is trained under its name, weights, licence, size, cost.

    Example: evtl backbones densenet121
    """
    if name is None:
        found = services.backbones(family)
        if as_json:
            listed = [each.model_dump(mode="json") for each in found]
            typer.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        else:
            show(render.backbones(found))
        return
    if family is not None:
        msg = "--family is for the list; leave it out where one backbone is named"
        raise typer.BadParameter(msg, param_hint="--family")
    card = services.backbone(name)
    if as_json:
        typer.echo(card.model_dump_json(indent=2))
    else:
        show(render.backbone(card))
