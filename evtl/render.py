"""Answers as text: tables, CSV, JSON, Markdown, and a recommendation in words."""

import csv
import io
import json
import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from evidence.errors import QueryRefusedError
from evidence.questions import Answer
from evidence.records import RunRecord, ShippedRun
from evtl.page import unsteered, whole
from recommender.plan import how

WIDTH = 96


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"


def answer(result: Answer, form: Format) -> str:
    """Rows of a query in the asked format; missing values are empty (JSON: null)."""
    return whole(written(result, form))


def written(result: Answer, form: Format) -> str:
    """As `answer`, for a file or another program."""
    if form is Format.json:
        return _json(result)
    cells = [["" if value is None else str(value) for value in row] for row in result.rows]
    if form is Format.csv:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([result.columns, *cells])
        return text.getvalue().rstrip("\n")
    if form is Format.markdown:
        escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in cells]
        rule = ["---"] * len(result.columns)
        return "\n".join(f"| {' | '.join(row)} |" for row in [result.columns, rule, *escaped])
    return table(result.columns, cells)


def _json(result: Answer) -> str:
    """A list of objects; blobs in hexadecimal, infinities as null."""
    twice = [name for name, count in Counter(result.columns).items() if count > 1]
    if twice:
        msg = f"JSON needs a name for each column; two are called {twice[0]!r}: name them with AS"
        raise QueryRefusedError(msg)
    names = result.columns
    rows = [{n: plain(v) for n, v in zip(names, row, strict=True)} for row in result.rows]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """A value that JSON can hold: bytes in hexadecimal, infinities as None."""
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns under a rule; control characters are shown as blanks."""
    head, *flat = [[printable(cell) for cell in row] for row in (columns, *cells)]
    widths = [max(map(len, column)) for column in zip(head, *flat, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, rule, *flat]
    )


def printable(text: str) -> str:
    """A text in one line, without what would steer a terminal."""
    return unsteered(text).replace("\n", " ")


def wrapped(line: str) -> str:
    """A line in lines of `WIDTH` columns, continued two further in; it may begin with a blank."""
    if line.startswith("\n"):
        return "\n" + wrapped(line[1:])
    text = printable(line).lstrip(" ")
    indent = " " * (len(line) - len(text))
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ",
        break_long_words=False, break_on_hyphens=False, replace_whitespace=False,
    )  # fmt: skip


def metrics(values: dict[str, dict[str, Any]]) -> str:
    """Metrics per split with their 95% intervals."""
    rows = [
        [
            split,
            name,
            _number(found["value"]),
            f"{_number(found['low'])} to {_number(found['high'])}",
        ]
        for split, by_name in values.items()
        for name, found in by_name.items()
    ]
    return table(["part", "metric", "value", "95% interval"], rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _approach(run: RunRecord) -> str:
    return how(run.approach, run.initialisation or "pretrained")


def runs(records: Sequence[RunRecord]) -> str:
    """Recorded runs, oldest first."""
    columns = ["run", "status", "task", "n", "backbone", "approach", "head", "test AUC", "seconds"]
    rows = []
    for run in records:
        auc = run.metrics.get("test", {}).get("auc", {}).get("value")
        task = " ".join(word for word in (run.modality, run.anatomy) if word)
        rows.append(
            [run.run_id, run.status, task, str(run.n_images), run.backbone, _approach(run),
             run.head, _number(auc), f"{run.seconds:.0f}"]
        )  # fmt: skip
    return table(columns, rows)


def shipped_runs(found: Sequence[ShippedRun]) -> str:
    """Runs that ship with evtl."""
    columns = ["data set", "backbone", "approach", "weights", "head", "seed", "AUC",
               "95% interval", "seconds"]  # fmt: skip
    rows = [
        [run.dataset, run.backbone, _schedule(run), run.initialisation, run.head, str(run.seed),
         _number(run.auc), _interval(run.auc_low, run.auc_high), f"{run.seconds:.0f}"]
        for run in found
    ]  # fmt: skip
    return table(columns, rows)


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None else f"{_number(low)} to {_number(high)}"


def _schedule(run: ShippedRun) -> str:
    """The approach, with the blocks and epochs that were trained where there are some."""
    trained = [f"{run.n_blocks} blocks"] if run.n_blocks else []
    trained += [f"{run.epochs} epochs"] if run.epochs else []
    return f"{run.approach} ({', '.join(trained)})" if trained else run.approach
