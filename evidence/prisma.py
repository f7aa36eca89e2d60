"""The flow of a review as a PRISMA 2020 diagram, drawn as printed even where it does not add up.

References
----------
Page 2021, doi:10.1136/bmj.n71, figure 1.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

from evidence.figures import INK, MUTED, SMALL, TEXT, needed, wrapped
from evidence.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

StepKind = Literal[
    "identified", "duplicates", "screened", "excluded", "awaiting", "full_text", "included"
]
#: Kinds that leave the flow or wait beside it; the others make it, each in its phase.
ASIDE = frozenset({"duplicates", "excluded", "awaiting"})
_PHASES: dict[str, str] = {
    "identified": "Identification",
    "screened": "Screening",
    "full_text": "Screening",
    "included": "Included",
}
#: Inches: width of a box, gap between boxes, width of a phase's band, line of text, padding.
BOX_IN, GAP_IN, BAND_IN, LINE_IN, PADDING_IN = 3.3, 0.4, 0.3, 0.155, 0.1
#: A level is high enough for the longest name of a phase beside it.
MIN_LEVEL_IN = 0.95


class FlowStep(Record):
    """One step of a flow, in order; the numbers need not add up.

    Attributes
    ----------
    n_printed, n_derived : int or None
        As the review prints it, and as its other steps give it; None where there is none.
    note : str
        What has to be said of the step, e.g. ``236 - 114 = 122``.
    reasons, sources : tuple of (str, int)
        Why studies were left out, and where records came from, with numbers.
    """

    label: str
    kind: StepKind
    n_printed: int | None = None
    n_derived: int | None = None
    note: str = ""
    reasons: tuple[tuple[str, int], ...] = ()
    sources: tuple[tuple[str, int], ...] = ()

    @property
    def disagrees(self) -> bool:
        """Whether the printed number is another than its other steps give."""
        return None not in {self.n_printed, self.n_derived} and self.n_printed != self.n_derived

    @property
    def number(self) -> str:
        """The number in words: printed, derived or both."""
        if self.disagrees:
            return f"printed n = {self.n_printed:,}, derived n = {self.n_derived:,}"
        if self.n_printed is not None:
            return f"n = {self.n_printed:,}"
        return "n not stated" if self.n_derived is None else f"n = {self.n_derived:,}, not printed"


class _Box(NamedTuple):
    """A step where it is drawn; all in inches from the lower left corner of the figure."""

    step: FlowStep
    left: float
    bottom: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Height of the middle of the box."""
        return self.bottom + self.height / 2


class _Level(NamedTuple):
    """Steps of one kind side by side, and what leaves the flow below them."""

    main: list[FlowStep]
    aside: list[FlowStep]


def prisma(flow: Sequence[FlowStep], title: str = "") -> "Figure":
    """Flow diagram of ordered steps: boxes with arrows down, exclusions with reasons aside.

    Steps of one kind that follow each other stand side by side: several searches, or two
    statements of one number. Where the printed number is not the derived one both are shown, and
    the box is dashed.
    """
    from evidence.plain_figure import PlainFigure  # noqa: PLC0415  (slow to import)

    needed(flow)
    levels = _levels(flow)
    n_wide = max(1, *(len(level.main) for level in levels))
    trunk = n_wide * (BOX_IN + GAP_IN) - GAP_IN
    n_columns = n_wide + any(level.aside for level in levels)
    width = 2 * GAP_IN + BAND_IN + n_columns * (BOX_IN + GAP_IN)
    heights = [_level_height(level, trunk) for level in levels]
    height = sum(heights) + GAP_IN * (len(levels) + 1) + 0.2
    figure = PlainFigure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    axes.text(GAP_IN, height - 0.3, title, size=TEXT + 2, weight="bold", color=INK, va="center")
    rows = _place(levels, heights, trunk, height - GAP_IN - 0.2)
    for main, aside in rows:
        _draw_level(axes, main, aside)
    for (above, _), (below, _) in pairwise([row for row in rows if row[0]]):
        _draw_down(axes, above, below)
    _draw_phases(axes, [main for main, _ in rows if main])
    return figure


def _levels(flow: Sequence[FlowStep]) -> list[_Level]:
    levels: list[_Level] = []
    for step in flow:
        if not levels:
            levels.append(_Level([], []))
        main, aside = levels[-1]
        if step.kind in ASIDE:
            aside.append(step)
        elif aside or (main and main[-1].kind != step.kind):
            levels.append(_Level([step], []))
        else:
            main.append(step)
    return levels


def _lines(step: FlowStep, width: float) -> list[str]:
    inner = width - 2 * PADDING_IN
    lines = [*wrapped(step.label, inner), *wrapped(f"({step.number})", inner)]
    for name, n in (*step.sources, *step.reasons):
        lines += wrapped(f"\N{BULLET} {name}: n = {n:,}", inner)
    return lines


def _notes(step: FlowStep, width: float) -> list[str]:
    return wrapped(step.note, width - 2 * PADDING_IN)


def _box_height(step: FlowStep, width: float) -> float:
    n_lines = len(_lines(step, width)) + len(_notes(step, width))
    return LINE_IN * n_lines + 2 * PADDING_IN


def _share(trunk: float, level: _Level) -> float:
    """Width of each box of a level: together they are as wide as the trunk."""
    n = max(1, len(level.main))
    return (trunk - GAP_IN * (n - 1)) / n


def _level_height(level: _Level, trunk: float) -> float:
    """Height of the highest box, or of all boxes aside with half gaps between."""
    beside = sum(_box_height(step, BOX_IN) + GAP_IN / 2 for step in level.aside) - GAP_IN / 2
    return max(
        [MIN_LEVEL_IN, beside, *(_box_height(step, _share(trunk, level)) for step in level.main)]
    )


def _stack_height(level: _Level) -> float:
    """Height of all boxes aside with half gaps between them."""
    return sum(_box_height(step, BOX_IN) + GAP_IN / 2 for step in level.aside) - GAP_IN / 2


def _place(
    levels: list[_Level], heights: list[float], trunk: float, top: float
) -> list[tuple[list[_Box], list[_Box]]]:
    """Boxes of each level, in the flow and aside; those in the flow are as high as the level."""
    rows = []
    start = 2 * GAP_IN + BAND_IN
    for level, height in zip(levels, heights, strict=True):
        width = _share(trunk, level)
        main = [
            _Box(step, start + at * (width + GAP_IN), top - height, width, height)
            for at, step in enumerate(level.main)
        ]
        aside, edge = [], top - (height - _stack_height(level)) / 2
        for step in level.aside:
            own = _box_height(step, BOX_IN)
            aside.append(_Box(step, start + trunk + GAP_IN, edge - own, BOX_IN, own))
            edge -= own + GAP_IN / 2
        rows.append((main, aside))
        top -= height + GAP_IN
    return rows


def _draw_level(axes: "Axes", main: list[_Box], aside: list[_Box]) -> None:
    for box in (*main, *aside):
        _draw(axes, box)
    for box in aside if main else ():
        _arrow(axes, (main[-1].left + main[-1].width, box.middle), (box.left, box.middle))


def _draw(axes: "Axes", box: _Box) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415  (slow to import)

    edge = "--" if box.step.disagrees else "-"
    corner = box.left, box.bottom
    axes.add_patch(Rectangle(corner, box.width, box.height, fc="white", ec=INK, lw=1, ls=edge))
    lines, notes = _lines(box.step, box.width), _notes(box.step, box.width)
    line = box.middle + LINE_IN * (len(lines) + len(notes) - 1) / 2
    for number, text in enumerate(lines + notes):
        color, style = (INK, "normal") if number < len(lines) else (MUTED, "italic")
        place = box.left + PADDING_IN, line - LINE_IN * number, text
        axes.text(*place, va="center", size=SMALL, color=color, style=style)


def _draw_down(axes: "Axes", above: list[_Box], below: list[_Box]) -> None:
    """Arrows between two levels, straight down from or to each box of the wider one."""
    top, bottom = above[0].bottom, below[0].bottom + below[0].height
    for box in max(above, below, key=len):
        x = box.left + box.width / 2
        _arrow(axes, (x, top), (x, bottom))


def _draw_phases(axes: "Axes", levels: list[list[_Box]]) -> None:
    """A band to the left of the levels of each phase."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415  (slow to import)

    for phase, group in groupby(levels, key=lambda boxes: _PHASES[boxes[0].step.kind]):
        boxes = [box for level in group for box in level]
        low, high = boxes[-1].bottom, boxes[0].bottom + boxes[0].height
        axes.add_patch(Rectangle((GAP_IN, low), BAND_IN, high - low, fc="#cfe2f3", ec="none"))
        place = GAP_IN + BAND_IN / 2, (low + high) / 2, phase
        axes.text(*place, rotation=90, ha="center", va="center", size=SMALL, weight="bold")


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=arrow)
