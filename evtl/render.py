"""Answers as text: tables, CSV, JSON, Markdown, and a recommendation in words."""

import csv
import io
import json
import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from evidence.errors import QueryRefusedError
from evidence.questions import Answer
from evidence.records import RunRecord
from evtl.page import unsteered, whole
from recommender.records import Choice, Cost, Disagreement, Recommendation

WIDTH = 96


class Format(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"


def answer(result: Answer, form: Format) -> str:
    """Rows of a query in the asked format; missing values are empty (JSON: null)."""
    return whole(_answer(result, form))


def _answer(result: Answer, form: Format) -> str:
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

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.hex()
        return None if isinstance(value, float) and not math.isfinite(value) else value

    names = result.columns
    rows = [{n: plain(v) for n, v in zip(names, row, strict=True)} for row in result.rows]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)


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


def recommendation(found: Recommendation, top: int) -> str:
    """The whole answer in words, at most `WIDTH` columns but for the table."""
    return "\n".join(
        line if "  " in line.strip() and not line.startswith("    ") else wrapped(line)
        for line in _paragraphs(found, top)
    )


def wrapped(line: str) -> str:
    """A line in lines of `WIDTH` columns, continued two further in."""
    text = printable(line).lstrip(" ")
    indent = " " * (len(line) - len(text))
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ",
        break_long_words=False, break_on_hyphens=False, replace_whitespace=False,
    )  # fmt: skip


def _paragraphs(found: Recommendation, top: int) -> Iterator[str]:
    profile, best, plan = found.profile, found.ranking[0], found.plan
    task = [profile.modality, profile.anatomy, f"{profile.n_images} images"]
    task += [f"{profile.n_classes} classes"] if profile.n_classes else []
    task += [profile.task] if profile.task == "regression" else []
    yield f"Question: {', '.join(word for word in task if word)}"
    yield f"\nRanking (best {min(top, len(found.ranking))} of {len(found.ranking)})"
    rows = [_ranked(choice) for choice in found.ranking[:top]]
    yield table(["", "backbone", "approach", "head", "score", *best.parts, "compute"], rows)
    yield (
        f"\nPlan: {best.backbone}, pretrained on ImageNet, {_words(best.approach)}, head "
        f"{best.head}, augmentation {plan.augmentation}, {plan.backbone.input_px} px"
    )
    yield f"Cost: {_cost(best.cost)}"
    yield "\nWhy"
    yield from _why(best)
    yield "\nWhat similar studies report (their authors' best, so optimistic)"
    yield f"  {_expected(found)}"
    yield f"\nCertainty: {found.certainty.level}"
    yield from (f"  - {reason}" for reason in found.certainty.reasons)
    if found.disagreements:
        yield "\nWhere the reviews disagree here"
        for item in found.disagreements:
            yield from _disagreement(item)
    if found.warnings:
        yield "\nMind"
        yield from (f"  - {text}" for text in found.warnings)


def _words(approach: str) -> str:
    names = {
        "feature_extractor": "frozen as feature extractor",
        "feature_extractor_hybrid": "frozen, classical classifier on its features",
        "fine_tuning_from_scratch": "full fine-tuning",
    }
    return names.get(approach, approach)


def _ranked(choice: Choice) -> list[str]:
    parts = [f"{value:+.2f}" for value in choice.parts.values()]
    score = f"{choice.score:.3f}"
    compute = f"{choice.cost.relative:g}x"
    row = [str(choice.rank), choice.backbone, choice.approach, choice.head, score]
    return [*row, *parts, compute]


def _cost(cost: Cost) -> str:
    text = (
        f"{cost.n_macs / 1e12:.1f} T multiply-accumulates, "
        f"{cost.relative:g} times the cheapest choice"
    )
    if cost.seconds is not None:
        memory = f" and {cost.memory_mb:g} MB" if cost.memory_mb is not None else ""
        spread = f", each within a factor {cost.spread:g}" if cost.spread is not None else ""
        runs = "1 run" if cost.n_runs == 1 else f"{cost.n_runs} runs"
        text += f"; about {cost.seconds:g} s{memory}, judged by {runs} recorded here{spread}"
    return text


def _why(best: Choice) -> Iterator[str]:
    for rule in best.rules:
        yield f"  rule {rule.id} (strength {rule.strength:g}): {rule.statement}"
        places = dict.fromkeys(f"{claim.review}, {claim.section}" for claim in rule.claims)
        yield f"    [{' | '.join(places)}]"
    for study in best.studies:
        yield f"  study {study.similarity:.2f} alike: {study.citation}"
        yield f"    [{study.locator}] used {study.used}"
    if not best.rules and not best.studies:
        yield "  no rule and no near study speaks for it; it ranks first by comparisons and cost"


def _expected(found: Recommendation) -> str:
    expected = found.expected
    if expected.metric is None:
        return "no close study reports a plain number"
    return (
        f"{expected.metric} {expected.low:g} to {expected.high:g}, median {expected.median:g}, "
        f"{expected.n_studies} studies"
    )


def _disagreement(item: Disagreement) -> Iterator[str]:
    yield f"  {item.topic}"
    yield from (f"    for     [{s.review}, {s.section}] {s.statement}" for s in item.supports)
    yield from (f"    against [{s.review}, {s.section}] {s.statement}" for s in item.opposes)


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


def runs(records: Sequence[RunRecord]) -> str:
    """Recorded runs, oldest first."""
    columns = ["run", "status", "task", "n", "backbone", "approach", "head", "test AUC", "seconds"]
    rows = []
    for run in records:
        auc = run.metrics.get("test", {}).get("auc", {}).get("value")
        task = " ".join(word for word in (run.modality, run.anatomy) if word)
        rows.append(
            [run.run_id, run.status, task, str(run.n_images), run.backbone, run.approach, run.head,
             _number(auc), f"{run.seconds:.0f}"]
        )  # fmt: skip
    return table(columns, rows)
