"""Reported results one by one, with their intervals where they can be had, and what they pool to.

A lower bound is an arrow, a range a bar without a point, and a value without a standard error a
hollow point without an interval. A pooled diamond is drawn only where `synthesis.pool` gives one.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from evidence.figures import INK, MUTED, SMALL, TEXT, canvas, needed, wrapped
from evidence.reported import Bounds, Reported, interval
from evidence.synthesis import Pooled
from evidence.vocabulary import RATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Rows of texts as wide as `_HEADER`.
Table = list[tuple[str, ...]]
_HEADER = ("study", "value [95% interval]", "test n", "images", "source")
#: Inches: height of a row, width of the plotted part, width of a character of the table, gap.
ROW_IN, PLOT_IN, CHAR_IN, GAP_IN = 0.24, 4.0, 0.066, 0.25
#: Length of the arrow of a lower bound, as a share of the axis.
ARROW = 0.06
_BLUE, _RED = "#0072B2", "#D55E00"
#: How each kind of mark is drawn, by its name in the legend.
_MARKS: dict[str, dict[str, Any]] = {
    "value with derived 95% interval": {"marker": "s", "ms": 5, "markevery": [1], "color": _BLUE},
    "value, no interval to be had": {
        "marker": "o",
        "ms": 6,
        "mfc": "white",
        "ls": "",
        "color": _BLUE,
    },
    "lower bound (>)": {"marker": ">", "ms": 6, "markevery": [-1], "color": INK},
    "range": {"lw": 6, "solid_capstyle": "butt", "color": "#56B4E9"},
    "pooled, 95% interval": {"marker": "D", "ms": 7, "ls": "", "color": _RED},
    "prediction interval": {"marker": "|", "ms": 8, "color": _RED},
}
_POINT, _BARE, _BOUND, _RANGE, _DIAMOND, _PREDICTION = _MARKS
#: Shape of each metric that `sizes` looks at.
_SHAPES: dict[str, dict[str, Any]] = {
    "accuracy": {"marker": "o", "ls": "", "color": _BLUE},
    "auc": {"marker": "s", "ls": "", "color": _RED},
}
#: How `sizes` draws what is no point, in the legend.
_UPWARDS: dict[str, dict[str, Any]] = {
    "lower bound (>)": {"marker": "^", "mfc": "white", "color": MUTED},
    "range": {"lw": 5, "color": MUTED, "alpha": 0.5},
}


def forest(results: Sequence[Reported], pooled: Pooled) -> "Figure":
    """Forest plot of results of one metric, in the order given, with what `pool` said of them.

    Each row names the study and backbone, the value with its derived interval, the sizes of the
    test set and of the original data, and where the value stands. The notes below say what was
    left out of the pooled value, and what to beware of.
    """
    needed(results)
    _, *rows = table(results, pooled)
    figure, axes = _frame(f"Reported {_name(results[0].metric)}", rows, notes(pooled))
    low, high = _limits(results, pooled)
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    drawn = {_mark(axes, at, result, ARROW * (high - low)) for at, result in enumerate(results)}
    drawn |= _mark_pooled(axes, len(results), pooled)
    axes.axhline(len(results) - 0.5, color=INK, lw=0.8)
    below = -0.3 / (ROW_IN * len(rows))
    style = {"loc": "upper center", "bbox_to_anchor": (0.5, below), "ncols": 2}
    _legend(axes, {name: mark for name, mark in _MARKS.items() if name in drawn}, style)
    return figure


def sizes(results: Sequence[Reported]) -> "Figure":
    """Reported accuracy and AUC against the original number of images, on a log axis.

    Results of other metrics, and without a number of images, are counted in the notes.
    """
    from matplotlib.ticker import LogFormatter  # noqa: PLC0415  (slow to import)

    shown = sized(results)
    needed(shown)
    note = (
        f"{len(shown)} of {len(results)} results; the others are of another metric or without a "
        "number of images. Small samples report higher accuracy (Vabalas 2019, "
        "doi:10.1371/journal.pone.0224365): a high value of a small sample is no better network."
    )
    figure, axes = canvas(7.5, 4.6, "Reported performance by number of images", [note])
    axes.set(xscale="log", xlabel="original images", ylabel="reported value")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter(LogFormatter())
    low = min(result.value for result in shown)
    for result in shown:
        _mark_by_size(axes, result, ARROW * (1 - low))
    shapes = {_name(metric): shape for metric, shape in _SHAPES.items()}
    _legend(axes, shapes | _UPWARDS, {"loc": "lower right"})
    return figure


def sized(results: Sequence[Reported]) -> list[Reported]:
    """Results that `sizes` draws."""
    return [result for result in results if result.metric in _SHAPES and result.n_images]


def value(result: Reported) -> str:
    """A value as reported: ``> `` before a lower bound, both ends of a range."""
    said = f"{'> ' if result.operator == '>' else ''}{result.value:g}"
    return said if result.value_high is None else f"{said} to {result.value_high:g}"


def table(results: Sequence[Reported], pooled: Pooled) -> Table:
    """What `forest` draws as text: a header, a row for each result, and what they pool to."""
    return [_HEADER, *(_row(result) for result in results), *_summary(pooled)]


def _name(metric: str) -> str:
    return "AUC" if metric == "auc" else metric.replace("_", " ")


def _mark_by_size(axes: "Axes", result: Reported, arrow: float) -> None:
    n, shape = result.n_images or 1, _SHAPES[result.metric]
    color = shape["color"]
    if result.value_high is not None:
        ends = [result.value, result.value_high]
        axes.plot([n, n], ends, lw=5, alpha=0.5, color=color, solid_capstyle="butt")
    elif result.operator == ">":
        ends = [result.value, result.value + arrow]
        axes.plot([n, n], ends, marker="^", markevery=[-1], mfc="white", color=color, clip_on=False)
    else:
        axes.plot([n], [result.value], alpha=0.75, **shape)


def _row(result: Reported) -> tuple[str, ...]:
    """Cells of the table: study, value, test n, images, source."""
    found = interval(result)
    said = value(result)
    if found is not None:
        said = f"{said} [{found.low:.3f}, {found.high:.3f}]"
    n_test, n_images = (f"{n:,}" if n else "" for n in (result.n_test, result.n_images))
    study = f"{result.label} ({result.backbone})" if result.backbone else result.label
    return study, said, n_test, n_images, result.locator


def _summary(pooled: Pooled) -> Table:
    """Last rows of the table."""
    value, observed = pooled.value or 0, pooled.observed or Bounds(low=0, high=0)
    around = pooled.interval or observed
    estimate = f"{value:.3f} [{around.low:.3f}, {around.high:.3f}]"
    said, shown = {
        "none": ("Not pooled: no value is a point", ""),
        "single": ("One study, as reported", f"{value:g}"),
        "range": ("Two studies, not pooled", f"{observed.low:g} to {observed.high:g}"),
        "not_pooled": (f"Not pooled: {pooled.k} with a standard error", ""),
        "unstable": (f"Pooled, k = {pooled.k}, unstable", estimate),
        "pooled": (f"Pooled, k = {pooled.k}", estimate),
    }[pooled.kind]
    rows: Table = [(said, shown, "", "", "")]
    if pooled.prediction is not None:
        bounds = f"[{pooled.prediction.low:.3f}, {pooled.prediction.high:.3f}]"
        rows.append(("Prediction for a further study", bounds, "", "", ""))
    return rows


def notes(pooled: Pooled) -> list[str]:
    """How the results were pooled, what was left out, and what to beware of."""
    said = []
    if pooled.tau2 is not None:
        said.append(
            "Pooled on the logit scale: random effects (Paule-Mandel), Hartung-Knapp interval; "
            f"tau2 = {pooled.tau2:.3g}, Q = {pooled.q:.3g}, I2 = {pooled.i2:.0%}."
        )
    if pooled.left_out:
        reasons = "; ".join(f"{left.n} ({left.reason})" for left in pooled.left_out)
        said.append(f"Shown but not pooled: {reasons}.")
    return said + [f"Beware: {warning}." for warning in pooled.warnings]


def _frame(title: str, table: Table, notes: list[str]) -> "tuple[Figure, Axes]":
    """The texts of the table in place around empty axes, everything measured in inches."""
    from evidence.plain_figure import PlainFigure  # noqa: PLC0415  (slow to import)

    columns = list(zip(_HEADER, *table, strict=True))
    widths = [max(map(len, column)) * CHAR_IN + GAP_IN for column in columns]
    plot = GAP_IN + widths[0]
    starts = [GAP_IN, *accumulate(widths[1:], initial=plot + PLOT_IN + GAP_IN)]
    width = starts.pop()
    lines = [line for note in notes for line in wrapped(note, width - 2 * GAP_IN)]
    rows, bottom = ROW_IN * len(table), 1.05 + 0.15 * len(lines)
    height = bottom + rows + 0.8
    figure = PlainFigure(figsize=(width, height))
    axes = figure.add_axes((plot / width, bottom / height, PLOT_IN / width, rows / height))
    edge = GAP_IN / width
    figure.text(edge, 1 - 0.4 / height, title, size=TEXT + 2, weight="bold", color=INK)
    figure.text(edge, 0.1 / height, "\n".join(lines), size=SMALL, color=MUTED, va="bottom")
    _dress(axes, len(table), (-plot / PLOT_IN, (width - plot) / PLOT_IN))
    for start, wide, column in zip(starts, widths, columns, strict=True):
        _write(axes, (start - plot) / PLOT_IN, (wide - GAP_IN) / PLOT_IN, column)
    return figure, axes


def _dress(axes: "Axes", n_rows: int, edges: tuple[float, float]) -> None:
    """Only the value axis, and bands from edge to edge of the figure to lead the eye."""
    axes.set_yticks([])
    axes.tick_params(labelsize=TEXT, colors=INK)
    axes.patch.set_visible(False)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    for row in range(0, n_rows, 2):
        axes.axhspan(row - 0.5, row + 0.5, *edges, color="#f2f2f2", lw=0, zorder=0, clip_on=False)


def _write(axes: "Axes", x: float, width: float, column: tuple[str, ...]) -> None:
    """One column of the table, its header above the first row; numbers stand to the right."""
    right = column[0] in {"test n", "images"}
    style: dict[str, Any] = {"ha": "right" if right else "left", "va": "center", "size": SMALL}
    for row, text in enumerate(column, -1):
        weight = "bold" if row < 0 else "normal"
        across = axes.get_yaxis_transform()
        axes.text(x + width * right, row, text, weight=weight, transform=across, **style)


def _limits(results: Sequence[Reported], pooled: Pooled) -> tuple[float, float]:
    """Ends of the value axis; that of a rate ends at 1."""
    found = [pooled.interval, pooled.prediction, *(interval(result) for result in results)]
    values = [value for r in results for value in (r.value, r.value_high) if value is not None]
    values += [bound for i in found if i is not None for bound in (i.low, i.high)]
    high = 1.0 if results[0].metric in RATES else max(values)
    pad = 0.05 * (high - min(values)) or 0.05
    return min(values) - pad, high + pad


def _mark(axes: "Axes", row: int, result: Reported, arrow: float) -> str:
    """Draw one result; the name of its kind of mark comes back."""
    found = interval(result)
    if result.value_high is not None:
        name, ends = _RANGE, [result.value, result.value_high]
    elif result.operator == ">":
        name, ends = _BOUND, [result.value, result.value + arrow]
    elif found is None:
        name, ends = _BARE, [result.value]
    else:
        name, ends = _POINT, [found.low, result.value, found.high]
    axes.plot(ends, [row] * len(ends), clip_on=False, **_MARKS[name])
    return name


def _mark_pooled(axes: "Axes", row: int, pooled: Pooled) -> set[str]:
    """Draw what may be drawn of the pooled value; the names of the marks come back."""
    if pooled.kind == "range" and pooled.observed is not None:
        axes.plot([pooled.observed.low, pooled.observed.high], [row, row], **_MARKS[_RANGE])
        return {_RANGE}
    if pooled.interval is None or pooled.value is None:
        return set()
    low, high = pooled.interval.low, pooled.interval.high
    corners = [low, pooled.value, high, pooled.value], [row, row - 0.32, row, row + 0.32]
    axes.fill(*corners, color=_RED, clip_on=False)
    if pooled.prediction is None:
        return {_DIAMOND}
    ends = [pooled.prediction.low, pooled.prediction.high]
    axes.plot(ends, [row + 1, row + 1], **_MARKS[_PREDICTION])
    return {_DIAMOND, _PREDICTION}


def _legend(axes: "Axes", marks: dict[str, dict[str, Any]], style: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415  (slow to import)

    handles = [
        Line2D([0], [0], label=name, **{key: v for key, v in mark.items() if key != "markevery"})
        for name, mark in marks.items()
    ]
    axes.legend(handles=handles, fontsize=SMALL, frameon=False, **style)
