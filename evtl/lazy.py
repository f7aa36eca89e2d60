"""Commands that are imported when they are called, so that `evtl recommend` starts fast."""

from importlib import import_module
from typing import Any

import typer.main
from typer.core import TyperGroup

#: Command -> module whose `app` has it, in the order of the help.
MODULES = {
    "train": "evtl.commands.training",
    "report": "evtl.commands.training",
    "predict": "evtl.commands.models",
    "runs": "evtl.commands.training",
    "sample-data": "evtl.commands.training",
    "backbones": "evtl.commands.backbones",
    "studies": "evtl.commands.evidence",
    "schema": "evtl.commands.evidence",
    "reproduce": "evtl.commands.evidence",
    "disagreements": "evtl.commands.evidence",
    "compare": "evtl.commands.compare",
    "evaluate": "evtl.commands.evaluate",
    "plot": "evtl.commands.plot",
    "prisma": "evtl.commands.prisma",
    "import": "evtl.commands.corpus",
    "screen": "evtl.commands.screening",
    "extract": "evtl.commands.extraction",
    "export": "evtl.commands.models",
    "changes": "evtl.commands.corpus",
    "undo": "evtl.commands.corpus",
    "release": "evtl.commands.corpus",
    "diff": "evtl.commands.corpus",
    "serve": "evtl.commands.serving",
}


class LazyGroup(TyperGroup):
    """The command line, which knows where its commands are before they are imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands."""
        return [*super().list_commands(ctx), *MODULES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, imported now if it was not yet."""
        if cmd_name not in MODULES:
            return super().get_command(ctx, cmd_name)
        group = typer.main.get_group(import_module(MODULES[cmd_name]).app)
        return group.commands[cmd_name]
