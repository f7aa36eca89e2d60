"""Filters of the templates of runs: states, stages, durations and files as people read them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from evtl.run_records import Result, Snapshot
from evtl.web.wanting import in_form_words

#: Characters of a reason in a list.
SHORT = 160
#: What is said of a stage that has ended while the next does not tell of itself yet.
DONE = "done, what follows is under way"
#: What people call a stage.
STAGES = {
    "": "Not begun yet",
    "start": "Starting",
    "images": "Reading images",
    "features": "Extracting features",
    "training": "Training",
    "copies": "Making changed copies",
    "splits": "Further splits",
    "report": "Drawing the report",
}
_FILES = {
    "model.safetensors": "the network, and its head where that is a linear layer",
    "head.skops": "the classifier on its features",
    "model.onnx": "images in, probabilities out, for other software; made when first asked for, "
    "which takes a minute",
    "MODEL_CARD.md": "what the model is for, and how good it is",
    "report.html": "all of it to look at",
    "plan.json": "carry it out again: evtl train DATA --plan plan.json",
    "result.json": "every number of this page",
    "history.jsonl": "a line per epoch, or per setting that was tried",
}
_WORDS = {
    **{name: name.upper() for name in ("auc", "rmse", "mae", "ppv", "npv", "mcc")},
    "f1": "F1", "brier": "Brier score", "ece": "calibration error",
}  # fmt: skip
#: The first of them that was measured is what a run is looked at for.
_FIRST = ("auc", "rmse", "accuracy")


class Headline(NamedTuple):
    """A metric with its value and the ends of its interval."""

    name: str
    value: float | None
    low: float | None
    high: float | None


def told(now: Snapshot) -> str:
    """What a run that is not over is doing, as a sentence."""
    if now.state == "waiting":
        return f"It waits, number {now.place} in the queue." if now.place else "It waits."
    said = {"running": "It runs.", "cancelling": "It is being cancelled."}
    return said.get(now.state, "Its process ended; it will be gone on with.")


def stage(name: str) -> str:
    """A stage as a person calls it."""
    return STAGES.get(name, name.replace("_", " "))


def left(now: Snapshot) -> str:
    """How much of a training is left."""
    if now.left_s is None:
        return ""
    return f"{'at least' if now.left_is_least else 'about'} {duration(now.left_s)} left"


def counted(now: Snapshot) -> str:
    """How far a stage is."""
    if not now.total:
        return ""
    return DONE if now.done >= now.total else f"{now.done:,} of {now.total:,}"


def duration(seconds: float) -> str:
    """A time as a person says it: seconds to a minute and a half, minutes to an hour and a half."""
    if round(seconds) < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def instant(text: str) -> str:
    """An instant to the minute, in UTC."""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
    except ValueError:
        return text[:16] or "-"


def why(now: Snapshot) -> str:
    """Why a run failed."""
    return in_form_words(now.reason) or "It failed; its log says why."


def shortened(text: str) -> str:
    """The beginning of a long reason."""
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


def metric(name: str) -> str:
    """A metric as people write it."""
    return _WORDS.get(name, name.replace("_", " "))


def metric_names(metrics: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Every metric of any part, in their order."""
    return list(dict.fromkeys(name for values in metrics.values() for name in values))


def test_first(metrics: Mapping[str, object]) -> list[str]:
    """Parts of the images, those that nothing was chosen on before the others."""
    return sorted(metrics, key=lambda part: part != "test")


def headline(result: Result) -> Headline | None:
    """What a run is looked at for; None where it was not measured."""
    values = result.metrics.get("test", {})
    name = next((name for name in _FIRST if name in values), None)
    return Headline(name, **values[name].model_dump()) if name else None


def about_file(name: str) -> str:
    """What a file of a run is."""
    return _FILES.get(name, "")


RUN_FILTERS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        told, why, stage, left, counted, duration, instant, shortened, metric, metric_names,
        test_first, headline, about_file,
    )
}  # fmt: skip
