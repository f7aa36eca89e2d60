"""``report.html``: one file that shows what was trained, on which evidence, and how well it does.

It needs nothing beside itself: pictures and style are inside, there is no script, and it forbids
the browser to load anything. Every text is escaped, so that names of files and classes are only
names. Neither patients nor groups are named.
"""

import base64
import io
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from trainer.measures.bootstrap import Interval
from trainer.places import new_file
from trainer.reporting import plots, plots_of_training
from trainer.reporting.report_data import Drawn, Outcomes, ReportData
from trainer.reporting.wording import INTENDED, facts, interval, limits, of_maps, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Files named of each list; the rest is counted.
MAX_LISTED = 20
#: Quality of pictures of cases, by JPEG's own scale.
QUALITY = 90
_CROSSING = re.compile(
    r"(?P<test>.*) \((?P<kind>identical|near-duplicate|same group[^:]*): "
    r"(?P<other>.*)(?P<part> in \w+)\)"
)
KINDS = {
    "right": "Right, and most confident",
    "wrong": "Wrong, and most confident",
    "near": "Close calls",
}


class Shown(NamedTuple):
    """A picture as the page holds it: a data URI, and words for who cannot see it."""

    uri: str
    alt: str
    note: str = ""


def write_report(data: ReportData, path: Path) -> None:
    """Write the page; the same data give the same bytes, and the file is whole or not there.

    Raises
    ------
    TrainingError
        The file cannot be written.
    """
    page = render_report(data)
    with new_file(path) as draft:
        draft.write_text(page, encoding="utf-8")


def render_report(data: ReportData) -> str:
    """The page as text."""
    page = _environment().get_template("report.html")
    return page.render(
        data=data,
        facts=list(facts(data)),
        intended=INTENDED,
        limits=limits(data),
        parts=[(each.part, [_figure(*item) for item in _of_part(data, each)])
               for each in data.outcomes],
        training=[_figure(*item) for item in _of_training(data)],
        metrics=_metric_rows(data.result.metrics),
        classes={part: _metric_rows(found) for part, found in data.result.by_class.items()},
        crossing=[without_folders(each) for each in data.data.crossing] if data.data else [],
        cases=_cases(data),
        ideals=[_picture(each) for each in data.ideals],
        of_maps=of_maps(data.resemblance),
        listed=MAX_LISTED,
    )  # fmt: skip


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("trainer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"interval": interval, "written": written, "name": file_name}
    return environment


def file_name(file: str) -> str:
    """A file's own name: folders may be named after patients."""
    return PurePosixPath(file.replace("\\", "/")).name


def without_folders(text: str) -> str:
    """A file's own name; or those of both files of a ``trainer.preparing.leakage.Crossing``."""
    pair = _CROSSING.fullmatch(text)
    if pair is None:
        return file_name(text)
    return f"{file_name(pair['test'])} ({pair['kind']}: {file_name(pair['other'])}{pair['part']})"


def _metric_rows(columns: Mapping[str, Mapping[str, Interval]]) -> list[tuple[str, list[str]]]:
    """A row for each metric, a column for each part or class."""
    keys = dict.fromkeys(key for metrics in columns.values() for key in metrics)
    return [
        (written(key), [interval(found[key]) if key in found else "" for found in columns.values()])
        for key in keys
    ]


def _of_part(data: ReportData, part: Outcomes) -> Iterator[tuple[str, "Figure"]]:
    """Plots of one part, as its target asks for."""
    targets, predicted = part.targets, part.predictions
    if data.plan.target == "number":
        actual = targets.astype(np.float64)
        yield "agreement", plots_of_training.agreement(actual, predicted, data.unit)
        yield "differences", plots_of_training.bland_altman(actual, predicted, data.unit)
        return
    if data.plan.target != "multi_label":
        yield "confusion matrix", plots.confusion(targets, predicted.argmax(1), data.outputs)
    curves = curves_of(data, part)
    yield "ROC", plots.roc(curves, part.units, data.plan.seed, _point(data, part))
    yield "precision and recall", plots.precision_recall(curves)
    if len(curves) == 1:
        yield (
            "calibration",
            plots.calibration(
                curves[0].probability, curves[0].holds, f"the class {curves[0].name}"
            ),
        )
    elif data.plan.target == "multi_label":
        yield (
            "calibration",
            plots.calibration(predicted.ravel(), targets.ravel() > 0, "each label of each image"),
        )
    else:
        right = predicted.argmax(1) == targets
        yield "calibration", plots.calibration(predicted.max(1), right, "the class that was called")


def _point(data: ReportData, part: Outcomes) -> plots.Rates | None:
    """The operating point, which was measured on the test part."""
    point = data.result.operating_point
    if point is None or part.part != "test" or not point.metrics:
        return None
    sensitivity, specificity = (point.metrics[k].value for k in plots.Rates._fields)
    if sensitivity is None or specificity is None:
        return None
    return plots.Rates(sensitivity, specificity)


def curves_of(data: ReportData, part: Outcomes) -> list[plots.Curve]:
    """What is told from the rest: the positive class of two, else each class or label."""
    names, positive = data.outputs, data.result.positive_class
    several = part.targets.ndim == 2
    holds = part.targets > 0 if several else part.targets[:, None] == np.arange(len(names))
    if not several and positive in names and len(names) == 2:
        names_drawn: tuple[str, ...] = (str(positive),)
    else:
        names_drawn = names
    return [
        plots.Curve(name, holds[:, names.index(name)], part.predictions[:, names.index(name)])
        for name in names_drawn
    ]


def _of_training(data: ReportData) -> Iterator[tuple[str, "Figure"]]:
    if data.history:
        chosen = data.result.head_setting
        yield "history", plots_of_training.history(data.history, chosen)
    if data.ladder:
        yield "ladder", plots_of_training.ladder(data.ladder, data.ladder_measure)


def _figure(name: str, figure: "Figure") -> Shown:
    content = base64.b64encode(plots.to_png(figure)).decode()
    return Shown(f"data:image/png;base64,{content}", f"Plot: {name}")


def _picture(drawn: Drawn) -> Shown:
    stream = io.BytesIO()
    Image.fromarray(drawn.picture).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    content = base64.b64encode(stream.getvalue()).decode()
    return Shown(f"data:image/jpeg;base64,{content}", drawn.caption, drawn.note)


def _cases(data: ReportData) -> list[tuple[str, list[tuple[str, str, str, list[Shown]]]]]:
    """Of each kind its title and its cases: file, truth, what was said, pictures."""
    return [
        (
            title,
            [
                (file_name(case.file), case.truth, case.said, [_picture(d) for d in case.pictures])
                for case in data.cases
                if case.kind == kind
            ],
        )
        for kind, title in KINDS.items()
        if any(case.kind == kind for case in data.cases)
    ]
