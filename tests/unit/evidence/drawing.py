"""What the tests of figures share: rows to draw, and what stands in the drawing."""

from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from evidence.forest import forest
from evidence.prisma import FlowStep
from evidence.reported import Reported
from evidence.synthesis import pool

FLOW = (
    FlowStep(label="retrieved", kind="identified", n_printed=467, sources=(("PubMed", 300),)),
    FlowStep(label="duplicates merged", kind="duplicates", n_printed=42),
    FlowStep(label="screened", kind="screened", n_printed=425, n_derived=425),
    FlowStep(label="excluded in screening", kind="excluded", n_derived=189),
    FlowStep(label="full texts", kind="full_text", n_printed=236),
    FlowStep(
        label="disqualified", kind="excluded", n_printed=114,
        reasons=(("no medical image, or an image of nothing that a physician would look at", 60),),
    ),
    FlowStep(
        label="included", kind="included", n_printed=121, n_derived=122, note="236 - 114 = 122"
    ),
)  # fmt: skip


def result(number: int, **fields: Any) -> Reported:
    base: dict[str, Any] = {
        "study_key": f"doe-{number}",
        "label": f"Doe {number}",
        "review": "morid2022",
        "locator": f"morid2022, Table S5, [{number}]",
        "metric": "accuracy",
        "operator": "=",
        "value": 0.8 + 0.002 * number,
        "n_test": 200,
        "n_images": 900,
        "backbone": "VGG-16",
    }
    return Reported.model_validate(base | fields)


def drawn(results: list[Reported]) -> Figure:
    return forest(results, pool(results))


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def marks(figure: Figure, marker: str) -> list[Line2D]:
    """Lines of the axes, without the legend's."""
    return [line for line in figure.axes[0].lines if line.get_marker() == marker]


def xs(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_xdata())]


def ys(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata())]


def boxes_of(figure: Figure) -> list[Rectangle]:
    """Boxes of a flow, without the bands of its phases."""
    found = (patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle))
    return [box for box in found if to_hex(box.get_facecolor()) == "#ffffff"]


def cut_texts(figure: Figure) -> list[str]:
    """Texts that stand outside the figure."""
    figure.draw_without_rendering()
    ticks = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    frame = figure.bbox
    outside = []
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if id(text) in ticks or not text.get_visible() or not text.get_text().strip():
            continue
        box = text.get_window_extent()
        if box.x0 < frame.x0 - 1 or box.x1 > frame.x1 + 1 or box.y0 < -1 or box.y1 > frame.y1 + 1:
            outside.append(text.get_text())
    return outside
