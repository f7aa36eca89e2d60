"""Plots of what a model does on images that it never saw, as matplotlib figures of plain arrays.

Drawn in the manner of `evidence.figures`: no global state, and what colour says, a line style or
a marker says too.
"""

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    auc,
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_curve,
)

from evidence.figures import INK, MUTED, SMALL, TEXT, canvas
from trainer.measures.bootstrap import INTERVAL_PERCENTILES, resample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Curves in one plot; more cannot be told apart. Colours of `evidence.figures.FILLS` that are dark
#: enough for a line on white, each with a style for print in grey.
LINES = (
    ("#0072B2", "-"),
    ("#D55E00", "--"),
    ("#009E73", "-."),
    ("#CC79A7", ":"),
    ("#222222", (0, (5, 1))),
    ("#E69F00", (0, (3, 1, 1, 1))),
    ("#56B4E9", (0, (1, 1))),
    ("#555555", (0, (7, 3))),
)
#: Classes up to which each cell of a confusion matrix carries its numbers.
MAX_NUMBERED = 20
N_BINS = 10
#: 97.5th percentile of the normal distribution.
Z = 1.959964
DPI = 110
SIDE_IN = 4.6
#: Behind a number that lines cross.
HALO = {"facecolor": "white", "alpha": 0.8, "pad": 0.5, "linewidth": 0}

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """One class or label against the rest: whether it holds, and its probability; shapes (N,)."""

    name: str
    holds: Bools
    probability: Floats


class Rates(NamedTuple):
    """What a threshold gives."""

    sensitivity: float
    specificity: float


def to_png(figure: "Figure") -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # Names may be written in a script that the font does not have: tables show them.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def confusion(targets: Ints, called: Ints, names: Sequence[str]) -> "Figure":
    """Counts of each true class (rows) by what it was called (columns).

    Shades and the percentages are shares of the true class.
    """
    n = len(names)
    counts = confusion_matrix(targets, called, labels=range(n))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(SIDE_IN, min(1.6 + 0.75 * n, 9.0))
    note = "Images; in brackets and as shade: share of the true class."
    figure, axes = canvas(side, side, "Confusion matrix", [note])
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if n <= MAX_NUMBERED:
        for row, column in np.ndindex(n, n):
            text = f"{counts[row, column]}\n({shares[row, column]:.0%})"
            ink = "white" if shares[row, column] > 0.6 else INK
            axes.text(column, row, text, ha="center", va="center", size=SMALL, color=ink)
    short = [_short(name) for name in names]
    axes.set_xticks(range(n), short, rotation=45 if n > 3 else 0, ha="right" if n > 3 else "center")
    axes.set_yticks(range(n), short)
    named(axes, "called (class)", "true (class)")
    return figure


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def named(axes: "Axes", across: str, down: str) -> None:
    """Name both axes."""
    axes.set_xlabel(across, size=TEXT)
    axes.set_ylabel(down, size=TEXT)


def _square(title: str, notes: Sequence[str]) -> "tuple[Figure, Axes]":
    figure, axes = canvas(SIDE_IN, SIDE_IN, title, notes)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.grid(alpha=0.25)
    return figure, axes


def _drawable(curves: Sequence[Curve]) -> tuple[list[Curve], list[str]]:
    """Curves with both outcomes, the commonest if there are too many; what was left out."""
    both = [curve for curve in curves if 0 < curve.holds.sum() < len(curve.holds)]
    kept = sorted(both, key=lambda curve: -int(curve.holds.sum()))[: len(LINES)]
    kept = [curve for curve in both if any(curve is other for other in kept)]
    notes = []
    if len(both) < len(curves):
        notes.append(f"{len(curves) - len(both)} without both outcomes in this part: no curve.")
    if len(kept) < len(both):
        notes.append(f"The {len(kept)} commonest of {len(both)}.")
    return kept, notes


def roc(
    curves: Sequence[Curve], units: Sequence[str], seed: int, point: Rates | None = None
) -> "Figure":
    """Sensitivity over false positives; a single curve with a 95% band.

    Parameters
    ----------
    curves : sequence of Curve
        One for two classes (the positive one), else each class or label against the rest.
    units : sequence of str, length N
        What a resample takes whole: patients, else single images. They are not shown.
    seed : int
        Of the bootstrap.
    point : Rates or None
        Operating point, marked on the curve.

    References
    ----------
    Band: vertical averaging (Fawcett 2006, doi:10.1016/j.patrec.2005.10.010, section 8.1) over
    resamples of whole units, at each rate of false positives on its own.
    """
    kept, notes = _drawable(curves)
    if len(kept) == 1 == len(curves):
        notes.append("Band: 95% of resamples, at each rate of false positives on its own.")
    figure, axes = _square("ROC", notes)
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=":")
    for curve, (colour, style) in zip(kept, LINES, strict=False):
        across, up, _ = roc_curve(curve.holds, curve.probability)
        label = f"{_short(curve.name)} (AUC {auc(across, up):.3f})"
        axes.plot(across, up, color=colour, ls=style, lw=1.8, label=label)
        if len(curves) == 1:
            grid, low, high = _band(curve, units, seed)
            axes.fill_between(grid, low, high, color=colour, alpha=0.18, lw=0)
    if point is not None:
        place = (1 - point.specificity, point.sensitivity)
        axes.plot(
            *place, "o", color=LINES[1][0], ms=9, mew=1.5, mec="white", label="operating point"
        )
    named(axes, "false positive rate (1 - specificity)", "sensitivity")
    _legend(axes, "lower right")
    return figure


def _legend(axes: "Axes", where: Literal["lower left", "lower right", "upper left"]) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc=where, fontsize=SMALL, framealpha=0.9)


def _band(curve: Curve, units: Sequence[str], seed: int) -> tuple[Floats, Floats, Floats]:
    """Lower and upper sensitivity of the resamples at each of a grid of false positive rates."""
    order = np.argsort(-curve.probability, kind="stable")
    # Images of one probability are called together.
    last = np.append(np.diff(curve.probability[order]) != 0, True)
    grid, found = np.linspace(0, 1, 101), []
    for weights in resample(units, seed):
        drawn = weights[:, order]
        up = np.cumsum(drawn * curve.holds[order], axis=1)[:, last]
        across = np.cumsum(drawn * ~curve.holds[order], axis=1)[:, last]
        both = (up[:, -1] > 0) & (across[:, -1] > 0)
        for a, u in zip(across[both], up[both], strict=True):
            found.append(np.interp(grid, np.append(0, a / a[-1]), np.append(0, u / u[-1])))
    low, high = np.percentile(found, INTERVAL_PERCENTILES, axis=0)
    return grid, low, high


def precision_recall(curves: Sequence[Curve]) -> "Figure":
    """Precision over sensitivity of each class; what chance would give as a tick at the right."""
    kept, notes = _drawable(curves)
    notes = [*notes, "Short lines at the right edge: share of the class, the precision of chance."]
    figure, axes = _square("Precision and recall", notes)
    for curve, (colour, style) in zip(kept, LINES, strict=False):
        precision, recall, _ = precision_recall_curve(curve.holds, curve.probability)
        average = average_precision_score(curve.holds, curve.probability)
        label = f"{_short(curve.name)} (AP {average:.3f})"
        axes.step(recall, precision, where="post", color=colour, ls=style, lw=1.8, label=label)
        axes.plot([0.96, 1.01], [curve.holds.mean()] * 2, color=colour, lw=2.5)
    named(axes, "recall (sensitivity)", "precision (positive predictive value)")
    _legend(axes, "lower left")
    return figure


def calibration(probability: Floats, happened: Bools, of: str) -> "Figure":
    """How often what was predicted with a probability came true, and how often it was predicted.

    Parameters
    ----------
    probability, happened : ndarray, shape (N,)
        Of the positive class; or of the class that was called, and whether it was right.
    of : str
        What the probability is of.

    References
    ----------
    Reliability diagram: DeGroot and Fienberg 1983, doi:10.2307/2987588. Whiskers: Wilson 1927,
    doi:10.1080/01621459.1927.10502953.
    """
    figure, axes = canvas(SIDE_IN, SIDE_IN, "Calibration", [
        f"Ten bins of equal width; numbers and grey bars: images in each. Probability of {of}. "
        "Whiskers: 95% intervals of the shares, images taken as independent."
    ])  # fmt: skip
    number = np.minimum((probability * N_BINS).astype(int), N_BINS - 1)
    counts = np.bincount(number, minlength=N_BINS)
    full = np.flatnonzero(counts)
    mean = np.bincount(number, probability, N_BINS)[full] / counts[full]
    share = np.bincount(number, happened.astype(float), N_BINS)[full] / counts[full]
    low, high = _wilson(share, counts[full])
    below = axes.twinx()
    below.bar((np.arange(N_BINS) + 0.5) / N_BINS, counts, 0.9 / N_BINS, color="#dddddd")
    below.set(ylim=(0, 4 * counts.max()), yticks=[])
    axes.set_zorder(below.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls=":", label="perfect")
    axes.errorbar(mean, share, (share - low, high - share), color=LINES[0][0], marker="o", ms=5,
                  capsize=3, lw=1.4, label="this model")  # fmt: skip
    for at in full:
        place = ((at + 0.5) / N_BINS, counts[at])
        axes.annotate(f"{counts[at]}", place, xycoords=below.transData, ha="center", va="bottom",
                      size=SMALL, color=INK, zorder=5, bbox=HALO)  # fmt: skip
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.05))
    named(axes, "predicted probability (mean of bin)", "share that came true")
    _legend(axes, "upper left")
    return figure


def _wilson(share: Floats, n: Ints) -> tuple[Floats, Floats]:
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    reach = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # Rounding may put a share of 0 or 1 just outside of its own interval.
    return np.minimum(middle - reach, share), np.maximum(middle + reach, share)
