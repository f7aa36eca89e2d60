"""Charts of what the evidence holds, as matplotlib figures of plain records.

Nothing here touches matplotlib's global state: no pyplot, so no window, no display and no figure
that outlives its use. What colour says, a number, a shape or a hatch says too.
"""

import io
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from evidence.errors import EvidenceError, NothingToDrawError
from evidence.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import ColorType

#: Formats of `save` by file ending.
FORMATS = (".svg", ".png")
#: Colours that the colour-blind tell apart (Okabe & Ito 2008, jfly.uni-koeln.de/color), each with
#: a hatch for print in grey.
FILLS = (
    ("#56B4E9", ""),
    ("#E69F00", "///"),
    ("#009E73", "..."),
    ("#F0E442", "\\\\\\"),
    ("#CC79A7", "xxx"),
    ("#0072B2", "++"),
    ("#D55E00", "oo"),
    ("#BBBBBB", "--"),
)
INK, MUTED, PALE = "#222222", "#555555", "#d9d9d9"
#: Text sizes in points, and characters of the smaller one in an inch.
TEXT, SMALL = 9.0, 8.0
CHARS_PER_INCH = 15

#: matplotlib keeps its settings and fonts for the whole process.
_DRAWING = Lock()

Color = tuple[float, float, float]

Level = Literal["high", "moderate", "low", "insufficient evidence"]
#: Hatch of a cell without studies.
_GAP = "//"
#: What lies behind a number on a hatched ground.
_PATCH = {"fc": "white", "ec": "none", "pad": 0.3, "alpha": 0.85}
#: Shape of each certainty, most certain first.
_SHAPES: dict[Level, str] = {
    "high": "*",
    "moderate": "^",
    "low": "s",
    "insufficient evidence": "x",
}


class GapCell(Record):
    """Studies of one modality and anatomy; `n_compared` of them compare networks head to head.

    `certainty` is None where it is not known how sure advice would be.
    """

    modality: str
    anatomy: str
    n_studies: int = Field(ge=0)
    n_compared: int = Field(ge=0)
    certainty: Level | None


class Win(Record):
    """One family did better than another on the same data of one study."""

    winner: str
    loser: str
    study_key: str


class YearCount(Record):
    """Studies of one year; a caller counts a study under one review only, or it shows twice."""

    year: int
    review: str
    n: int = Field(ge=0)


class SearchEnd(Record):
    """When the search of a review ended, as an ISO date."""

    review: str
    date: str = Field(pattern=r"^\d{4}(-\d{2}){0,2}$")


class ApproachCount(Record):
    """Studies with one approach in one bin of the original number of images."""

    approach: str
    size: str
    n: int = Field(ge=0)


def save(figure: "Figure", path: Path) -> None:
    """Write a figure; the file is whole or not there, and the same figure gives the same file.

    Raises
    ------
    EvidenceError
        The ending is none of `FORMATS`, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        msg = f"{path.name}: a figure is written as {' or '.join(FORMATS)}; name the file so"
        raise EvidenceError(msg)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".evtl-") as folder:
            draft = Path(folder) / path.name
            draft.write_bytes(drawn(lambda: figure, ending))
            draft.replace(path)
    except OSError as error:
        msg = f"cannot write the figure {path}: {error.strerror or error}"
        raise EvidenceError(msg) from error


def drawn(make: "Callable[[], Figure]", ending: str = ".svg") -> bytes:
    """A figure as the content of a file; one at a time in this process.

    Parameters
    ----------
    make : callable
        Makes the figure.
    ending : str
        One of `FORMATS`.
    """
    from matplotlib import rc_context  # noqa: PLC0415  (slow to import)

    content = io.BytesIO()
    metadata = {"Date": None} if ending == ".svg" else None
    with _DRAWING, rc_context({"svg.fonttype": "none", "svg.hashsalt": "evtl"}):
        make().savefig(content, format=ending[1:], dpi=150, metadata=metadata)
    return content.getvalue()


def wrapped(text: str, width_in: float) -> list[str]:
    """Lines of small text that fit into a width in inches."""
    return textwrap.wrap(text, max(20, int(width_in * CHARS_PER_INCH)))


def canvas(
    width_in: float, height_in: float, title: str, notes: Iterable[str]
) -> "tuple[Figure, Axes]":
    """A figure with a title above its axes and notes below, whose height comes on top.

    Parameters
    ----------
    width_in, height_in : float
        Width of the figure and height of what lies between title and notes, in inches.
    """
    from evidence.plain_figure import PlainFigure  # noqa: PLC0415  (slow to import)

    lines = [line for note in notes for line in wrapped(note, width_in - 0.2)]
    figure = PlainFigure(
        figsize=(width_in, height_in + 0.4 + 0.16 * len(lines)), layout="constrained"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=TEXT + 2, fontweight="bold", color=INK)
    if lines:
        small = {"ha": "left", "fontsize": SMALL, "color": MUTED}
        figure.supxlabel("\n".join(lines), x=0.01, **small)
    axes = figure.add_subplot()
    axes.tick_params(labelsize=TEXT, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def gap_map(cells: Sequence[GapCell]) -> "Figure":
    """Matrix of modality x anatomy: how many studies, how sure, and where there is nothing.

    Rows and columns stand in the order in which they first occur. A cell holds the number of
    studies and, in brackets, of those with a head-to-head comparison; its shade follows the
    number, the shape in its corner the certainty. Hatched cells are gaps.
    """
    needed(cells)
    rows, columns = _labels(c.modality for c in cells), _labels(c.anatomy for c in cells)
    note = (
        "Number of studies; in brackets those that compare networks on the same data. Broader "
        "words count the studies of their narrower ones."
    )
    size = max(6.5, 3.6 + 0.54 * len(columns)), 1.4 + 0.42 * max(3, len(rows))
    figure, axes = canvas(*size, "Studies by modality and anatomy", [note])
    _grid(axes, rows, columns)
    filled = {(cell.modality, cell.anatomy): cell for cell in cells if cell.n_studies}
    most = max((cell.n_studies for cell in filled.values()), default=1)
    for modality, row in rows.items():
        for anatomy, column in columns.items():
            cell = filled.get((modality, anatomy))
            if cell is None:
                _tile(axes, row, column, "white", hatch=_GAP)
            else:
                _fill(axes, row, column, cell, _shade(cell.n_studies / most))
    _certainty_legend(figure)
    return figure


def _fill(axes: "Axes", row: int, column: int, cell: GapCell, shade: Color) -> None:
    _tile(axes, row, column, shade)
    ink = _contrast(shade)
    text = f"{cell.n_studies}" + (f" ({cell.n_compared})" if cell.n_compared else "")
    axes.text(column, row + 0.12, text, ha="center", va="center", size=TEXT, color=ink)
    if cell.certainty is not None:
        axes.plot(column, row - 0.28, _SHAPES[cell.certainty], ms=5, color=ink)


def _certainty_legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415  (slow to import)
    from matplotlib.patches import Patch  # noqa: PLC0415

    handles: list[Line2D | Patch] = [
        Line2D([], [], marker=shape, color=INK, ls="", label=level)
        for level, shape in _SHAPES.items()
    ]
    handles.append(Patch(fc="white", ec=PALE, hatch=_GAP, label="no study"))
    figure.legend(
        handles=handles, title="Certainty", loc="outside right upper", fontsize=SMALL, frameon=False
    )


def benchmarks(wins: Sequence[Win]) -> "Figure":
    """Who did better than whom on the same data, family by family.

    A cell reads ``wins:losses`` of its row against its column, with the number of studies below.
    Families stand in alphabetical order: pairs differ in data, so rows are no ranking.
    """
    needed(wins)
    families = _labels(sorted({family for win in wins for family in (win.winner, win.loser)}))
    n_studies = len({win.study_key for win in wins})
    notes = [
        f"{len(wins)} pairs from {n_studies} studies. A cell reads wins:losses of its row against "
        "its column, with the number of studies below; pairs within a family stand on the "
        "diagonal. Purple: mostly won; orange: mostly lost; few pairs stay pale.",
        "No ranking: pairs differ in data, one study gives several, and authors name their winner "
        "first.",
    ]
    size = 0.62 * max(3, len(families))
    figure, axes = canvas(max(6.5, 2.2 + size), 1.4 + size, "Head to head on the same data", notes)
    _grid(axes, families, families)
    for one, row in families.items():
        for other, column in families.items():
            color, text = _record(one, other, wins)
            _tile(axes, row, column, color)
            axes.text(column, row, text, ha="center", va="center", size=SMALL, color=INK)
    return figure


def _record(one: str, other: str, wins: Sequence[Win]) -> "tuple[ColorType, str]":
    """Colour and text of one family's cell against another."""
    pairs = [win for win in wins if {win.winner, win.loser} == {one, other}]
    if not pairs:
        return (PALE if one == other else "white"), ""
    studies = len({win.study_key for win in pairs})
    if one == other:
        return PALE, f"{len(pairs)}\n({studies})"
    won = sum(win.winner == one for win in pairs)
    lost = len(pairs) - won
    return _balance(won, lost), f"{won}:{lost}\n({studies})"


def years(counts: Sequence[YearCount], ends: Sequence[SearchEnd] = ()) -> "Figure":
    """Studies a year, stacked by review, with the ends of the reviews' searches."""
    needed(counts)
    listed = "; ".join(f"{end.review} {end.date}" for end in ends)
    note = f"The searches ended: {listed}. A fall near and after an end is no fall in publications."
    figure, axes = canvas(8, 5, "Studies by year of publication", [note] if ends else [])
    first, last = min(c.year for c in counts), max(c.year for c in counts)
    labels = [str(year) for year in range(first, last + 1)]
    _stacked(axes, labels, [(str(count.year), count.review, count.n) for count in counts])
    axes.margins(y=0.1 + 0.07 * len(ends))
    for row, end in enumerate(ends):
        month = int(end.date[5:7] or 12)
        at = int(end.date[:4]) - first - 0.5 + month / 12
        if at <= len(labels):
            axes.axvline(at, ls="--", lw=1, color=MUTED)
            across = axes.get_xaxis_transform()
            text = f"{end.review} ends"
            place = (at - 0.05, 0.97 - 0.06 * row, text)
            axes.text(*place, ha="right", size=SMALL, color=MUTED, transform=across, bbox=_PATCH)
    return figure


def approaches(rows: Sequence[ApproachCount]) -> "Figure":
    """Studies by size of the original data set, stacked by approach.

    Sizes and approaches stand in the order in which they first occur.
    """
    needed(rows)
    note = "Sizes are original images, before augmentation. What was chosen is not what works best."
    figure, axes = canvas(8, 4.2, "Approach by number of images", [note])
    _stacked(axes, list(_labels(r.size for r in rows)), [(r.size, r.approach, r.n) for r in rows])
    axes.set_xlabel("original images", size=TEXT)
    return figure


def needed(rows: Sequence[object]) -> None:
    """Refuse to draw nothing.

    Raises
    ------
    NothingToDrawError
        There are no rows.
    """
    if not rows:
        msg = "nothing to draw: no row fits; widen the filter"
        raise NothingToDrawError(msg)


def _labels(names: Iterable[str]) -> dict[str, int]:
    return {name: at for at, name in enumerate(dict.fromkeys(names))}


def _grid(axes: "Axes", rows: dict[str, int], columns: dict[str, int]) -> None:
    axes.set_xticks(
        list(columns.values()), list(columns), rotation=60, ha="left", rotation_mode="anchor"
    )
    axes.set_yticks(list(rows.values()), list(rows))
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    for spine in axes.spines.values():
        spine.set_visible(False)


def _tile(axes: "Axes", row: int, column: int, color: "ColorType", hatch: str = "") -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415  (slow to import)

    corner = (column - 0.47, row - 0.47)
    axes.add_patch(Rectangle(corner, 0.94, 0.94, fc=color, ec=PALE, hatch=hatch, lw=0.8))


def _shade(share: float) -> Color:
    """Light to dark blue, even in grey; small shares are told apart too."""
    from matplotlib import colormaps  # noqa: PLC0415  (slow to import)

    red, green, blue, _ = colormaps["Blues"](0.12 + 0.8 * share**0.5)
    return red, green, blue


def _balance(won: int, lost: int) -> Color:
    """Orange where mostly lost, white where even, purple where mostly won; few pairs stay pale."""
    from matplotlib import colormaps  # noqa: PLC0415  (slow to import)

    red, green, blue, _ = colormaps["PuOr"](0.5 + 0.35 * (won - lost) / (won + lost + 3))
    return red, green, blue


def _contrast(color: Color) -> str:
    """Ink that can be read on a colour (relative luminance as in WCAG 2, without its gamma)."""
    red, green, blue = color
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5 else "white"


def _stacked(axes: "Axes", labels: list[str], counts: Iterable[tuple[str, str, int]]) -> None:
    """Bars of (label, series, n), one series on the other, each piece with its number."""
    table: Counter[tuple[str, str]] = Counter()
    for label, series, n in counts:
        table[label, series] += n
    series_names = list(dict.fromkeys(series for _, series in table))
    for at, label in enumerate(labels):
        _pile(axes, at, [table[label, series] for series in series_names])
    for name, patch in zip(series_names, axes.patches, strict=False):
        patch.set_label(name)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_ylabel("studies", size=TEXT)
    axes.figure.legend(loc="outside right upper", reverse=True, fontsize=SMALL, frameon=False)


def _pile(axes: "Axes", at: int, heights: list[int]) -> None:
    """One bar of pieces with the number of each, and the total in bold on top."""
    below, total = 0, sum(heights)
    for number, height in enumerate(heights):
        color, hatch = FILLS[number % len(FILLS)]
        axes.bar(at, height, 0.8, below, color=color, hatch=hatch, ec=INK, lw=0.6)
        if 0 < height < total:
            place = (at, below + height / 2, f"{height}")
            axes.text(*place, ha="center", va="center", size=SMALL, bbox=_PATCH)
        below += height
    if total:
        axes.text(at, total, f"{total}", ha="center", va="bottom", weight="bold", size=TEXT)
