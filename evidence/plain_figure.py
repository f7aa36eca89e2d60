"""Figures whose texts are data."""

from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text


class PlainFigure(Figure):
    """A figure in which a dollar is a dollar.

    Labels come from imported files; matplotlib would read what stands between two dollars as
    mathematics, and break on what is none.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw; the texts of ticks are made no earlier, so that none is missed here."""
        for text in self.findobj(Text):
            text.set_parse_math(False)
        super().draw(renderer)
