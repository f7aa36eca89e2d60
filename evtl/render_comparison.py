"""Two runs beside each other, as text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evtl.render import table, wrapped

if TYPE_CHECKING:
    from trainer.measures.comparison import ComparedRun, Comparison, Difference

#: Metrics of which less is better.
LESS_IS_BETTER = frozenset({"brier", "log_loss", "ece", "mae", "rmse"})


def comparison(found: "Comparison") -> str:
    """Which runs, on what, the table of differences, and how to read it."""
    return "\n".join(_paragraphs(found))


def _paragraphs(found: "Comparison") -> Iterator[str]:
    yield wrapped(f"first   {_run(found.first)}")
    yield wrapped(f"second  {_run(found.second)}")
    yield ""
    yield table(
        ["metric", "first", "second", "second - first", "95% interval", "p", "test"],
        [_cells(row) for row in found.differences],
    )
    yield ""
    left_out = f" {found.n_left_out} that only one of them has were left out."
    yield wrapped(
        f"{found.n_images} test images of both runs in {found.n_groups} groups."
        + (left_out if found.n_left_out else "")
    )
    yield wrapped(
        "The interval holds the differences that these images do not contradict; p is the chance "
        "of one at least so large if the two models did not differ. Both are about these two "
        "trained models, not about training them again with another seed or split, and each row "
        "stands alone: of many, some differ by chance."
    )
    less = [row.metric for row in found.differences if row.metric in LESS_IS_BETTER]
    if less:
        yield wrapped(f"Less is better of {', '.join(less)}; of all others, more.")
    yield wrapped(
        f"bootstrap: {found.n_resamples} resamples of whole groups, the same for both runs."
        + (" delong: for clusters (Obuchowski 1997)." if _has_delong(found) else "")
    )


def _has_delong(found: "Comparison") -> bool:
    return any(row.test == "delong" for row in found.differences)


def _run(run: "ComparedRun") -> str:
    return f"{run.folder}: {run.backbone}, {run.approach}, {run.head}"


def _cells(row: "Difference") -> list[str]:
    between = "not defined"
    if row.low is not None and row.high is not None:
        between = f"{row.low:+.4g} to {row.high:+.4g}"
    apart = "not defined" if row.difference is None else f"{row.difference:+.4g}"
    return [row.metric, _told(row.first), _told(row.second), apart, between, _p(row.p), row.test]


def _told(number: float | None) -> str:
    return "not defined" if number is None else f"{number:.4g}"


def _p(p: float | None) -> str:
    if p is None:
        return "not defined"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
