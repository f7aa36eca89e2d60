"""Text on a terminal: a pager where it is long, colour where it is wanted."""

import os
import pydoc
import shutil
import sys

import typer


def show(text: str) -> None:
    """Print a text; on a terminal that it does not fit, page by page (``PAGER``)."""
    height = shutil.get_terminal_size().lines
    if sys.stdout.isatty() and text.count("\n") + 2 > height:
        os.environ.setdefault("LESS", "-RFX")  # lets colours through, leaves the text on screen
        pydoc.pager(text)
    else:
        typer.echo(text)


def unsteered(text: str) -> str:
    """A text without what would steer a terminal or turn the order of its letters; lines stay."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def whole(text: str) -> str:
    """The text as it is for a file or another program; what a terminal may be shown of it."""
    return unsteered(text) if sys.stdout.isatty() else text


def coloured(word: str, colour: str) -> str:
    """The word in a colour; bare where no terminal shows it or ``NO_COLOR`` is set.

    References
    ----------
    https://no-color.org
    """
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return typer.style(word, fg=colour) if wanted else word
