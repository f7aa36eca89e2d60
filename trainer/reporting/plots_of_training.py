"""Plots of how a model came about, and of the numbers that a model predicts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MaxNLocator

from evidence.figures import MUTED, SMALL, TEXT, canvas, needed
from trainer.reporting.plots import LINES, SIDE_IN, Floats, Z, named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainer.tuning.ladder import Step

#: Width in inches of the plots of a training.
WIDE_IN = 6.4


def history(lines: Sequence[Mapping[str, Any]], chosen: str = "") -> "Figure":
    """What was measured while training: per epoch, or per setting of a head that was tried.

    Parameters
    ----------
    lines : sequence of mapping
        Of ``history.jsonl``: with ``epoch``, or with ``setting``. Keys with ``loss`` are drawn
        below each other; ``validation_`` keys of other measures above.
    chosen : str
        The setting that was taken.

    Raises
    ------
    EvidenceError
        There are no lines.
    """
    needed(lines)
    if "setting" in lines[0]:
        return _settings(lines, chosen)
    scores = [key for key in lines[0] if key.startswith("validation_") and "loss" not in key]
    losses = [key for key in lines[0] if "loss" in key]
    panels = [keys for keys in (scores, losses) if keys]
    figure, first = canvas(WIDE_IN, 2.2 * len(panels) + 0.4, "History", [])
    first.remove()
    for number, keys in enumerate(panels, 1):
        axes = figure.add_subplot(len(panels), 1, number)
        _curves(axes, lines, keys)
        axes.set_ylabel("loss (per image)" if "loss" in keys[0] else _words(keys[0]), size=TEXT)
    axes.set_xlabel("epoch", size=TEXT)
    return figure


def _curves(axes: "Axes", lines: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Each key over the number of the line; epochs are counted through all stages."""
    for key, (colour, style) in zip(keys, LINES, strict=False):
        at = [number for number, line in enumerate(lines, 1) if line.get(key) is not None]
        values = [float(lines[number - 1][key]) for number in at]
        axes.plot(at, values, color=colour, ls=style, marker="o", ms=3.5, label=_words(key))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=TEXT)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=SMALL, framealpha=0.9)


def _words(key: str) -> str:
    return key.replace("_", " ").replace("auc", "AUC").replace("rmse", "RMSE")


def _settings(lines: Sequence[Mapping[str, Any]], chosen: str) -> "Figure":
    """Settings of a head in the order tried, the chosen one filled and named."""
    key = next(key for key in lines[0] if key != "setting")
    names, values = [str(line["setting"]) for line in lines], [float(line[key]) for line in lines]
    note = f"Filled: {chosen}, which was taken." if chosen in names else ""
    figure, axes = canvas(
        WIDE_IN, 2.8, "Settings of the head that were tried", filter(None, [note])
    )
    colour = LINES[0][0]
    axes.plot(names, values, color=colour, marker="o", ms=7, mfc="white", lw=1)
    if chosen in names:
        axes.plot([chosen], [values[names.index(chosen)]], color=colour, marker="o", ms=9)
    axes.grid(alpha=0.25)
    named(axes, "setting", _words(key))
    return figure


def ladder(steps: "Sequence[Step]", measure: str) -> "Figure":
    """Each step of a ladder from frozen to fully trained, and up to where it paid.

    A step without a score has no point.

    Raises
    ------
    EvidenceError
        There are no steps.
    """
    needed(steps)
    note = "Whiskers: 95% intervals. Filled: the steps that paid; the last of them was trained."
    figure, axes = canvas(WIDE_IN, 3.2, "Ladder", [note])
    for at, step in enumerate(steps):
        if step.value is not None:
            _rung(axes, at, step, step.value)
    axes.set_xticks(range(len(steps)), [step.name for step in steps])
    axes.margins(x=0.15)
    axes.grid(alpha=0.25, axis="y")
    named(axes, "trained part of the network", measure)
    return figure


def _rung(axes: "Axes", at: int, step: "Step", value: float) -> None:
    low = value if step.low is None else step.low
    high = value if step.high is None else step.high
    bar = ([max(value - low, 0)], [max(high - value, 0)])
    colour = LINES[0][0] if step.kept else MUTED
    axes.errorbar([at], [value], bar, color=colour, marker="o", ms=8, capsize=4,
                  mfc=colour if step.kept else "white")  # fmt: skip
    axes.annotate(f"{value:.3f}", (at, value), (8, 0), textcoords="offset points",
                  va="center", size=SMALL)  # fmt: skip


def agreement(actual: Floats, predicted: Floats, unit: str) -> "Figure":
    """Predicted over true numbers, with the line of identity."""
    figure, axes = canvas(SIDE_IN, SIDE_IN, "Predicted and true", ["Dotted: identity."])
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    axes.plot(ends, ends, color=MUTED, lw=0.9, ls=":")
    axes.scatter(actual, predicted, s=16, color=LINES[0][0], alpha=0.55, lw=0)
    axes.grid(alpha=0.25)
    named(axes, f"true ({unit})", f"predicted ({unit})")
    return figure


def bland_altman(actual: Floats, predicted: Floats, unit: str) -> "Figure":
    """Differences over means, with bias and limits of agreement.

    References
    ----------
    Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8.
    """
    mean, difference = (actual + predicted) / 2, predicted - actual
    bias = float(difference.mean())
    reach = Z * float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    note = (
        "Middle line: mean difference; dashed: 95% limits of agreement, if differences are normal."
    )
    figure, axes = canvas(SIDE_IN, SIDE_IN, "Bland and Altman", [note])
    axes.scatter(mean, difference, s=16, color=LINES[0][0], alpha=0.55, lw=0)
    for value, style in ((bias, "-"), (bias - reach, "--"), (bias + reach, "--")):
        axes.axhline(value, color=LINES[1][0], ls=style, lw=1.2)
        axes.annotate(f"{value:.3g}", (1, value), (2, 2), xycoords=("axes fraction", "data"),
                      textcoords="offset points", size=SMALL)  # fmt: skip
    axes.axhline(0, color=MUTED, lw=0.8, ls=":")
    named(axes, f"mean of predicted and true ({unit})", f"predicted - true ({unit})")
    return figure
