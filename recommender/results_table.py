"""Anyone's table of results, with the tasks of its data sets: two CSV files -> observations.

Results: ``dataset,backbone,approach,metric,value[,head][,initialisation]``. Tasks:
``dataset,modality,anatomy,n_images,n_classes,task``. Every bad line is listed, nothing is guessed.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, get_args

from evidence.errors import UnknownTermError
from evidence.vocabulary import ANATOMY, MODALITY, Approach, Head, Initialisation, Vocabulary
from recommender.candidates import approach_named
from recommender.configuration import Configuration, Observation, Task
from recommender.controlled import usable
from recommender.errors import RecommendationError
from recommender.metrics import direction
from recommender.plan import Way, how
from recommender.spelling import stem

RESULT_COLUMNS = ("dataset", "backbone", "approach", "metric", "value")
TASK_COLUMNS = ("dataset", "modality", "anatomy", "n_images", "n_classes", "task")
#: Largest number of images or classes.
MOST = 10**9
#: Bad lines that a message lists.
SHOWN = 20
#: Where the reader puts cells beyond the columns.
SURPLUS = "cells beyond the columns"
#: Head of an approach where the table names none.
DEFAULT_HEADS: Mapping[str, Head] = {
    "feature_extractor": "linear",
    "fine_tuning": "linear",
    "fine_tuning_from_scratch": "linear",
}

#: Weights that a training may begin with: the first where the table does not say.
INITIALISATIONS: tuple[Initialisation, ...] = ("pretrained", "random")
#: What a task may be: what the trainer carries out.
KINDS = ("classification", "regression")

#: A name as people write it -> name and family; None where it is of no family that is known.
Resolve = Callable[[str], tuple[str, str] | None]
#: Backbone as written -> its name and family.
Names = Mapping[str, tuple[str, str]]
#: A line of a file, and what is wrong with it.
Problem = tuple[int, str]


class WrittenResult(NamedTuple):
    """One line of the results, as it stands there."""

    line: int
    dataset: str
    backbone: str
    approach: str
    metric: str
    value: str
    head: str
    initialisation: str


@dataclass(frozen=True)
class ResultsTable:
    """Results by metric, and what of them was not understood.

    Attributes
    ----------
    observations : tuple of Observation
        Larger always better: values of a metric of which less is better are negative.
    written : dict of (data set, metric, Configuration) to tuple of str
        Backbone, approach and head as the line writes them.
    unknown : tuple of str
        Backbones of no family that is known.
    notes : tuple of str
        What was not understood, and how it was taken.
    """

    observations: tuple[Observation, ...]
    written: Mapping[tuple[str, str, Configuration], tuple[str, str, str]]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    def of_metric(self, metric: str | None) -> "ResultsTable":
        """The results of a metric on data sets that leave something to choose.

        Parameters
        ----------
        metric : str or None
            In any case; None for the one with most values.

        Raises
        ------
        RecommendationError
            The table does not hold it, or fewer than two data sets with two configurations.
        """
        found = sorted({one.metric for one in self.observations})
        counts = {name: sum(o.metric == name for o in self.observations) for name in found}
        most = max(found, key=lambda name: (counts[name], name == "auc"))
        chosen = most if metric is None else metric.strip().lower()
        if chosen not in counts:
            msg = f"--metric {metric!r}: the results hold {', '.join(found)}"
            raise RecommendationError(msg)
        rows = tuple(one for one in self.observations if one.metric == chosen)
        kept = usable(rows)
        names = {one.task.name for one in kept}
        if len(names) < 2:
            raise RecommendationError(_too_few(chosen, len({o.task.name for o in rows}), names))
        notes = (*self.notes, *_notes_on(chosen, sorted({o.task.name for o in rows} - names)))
        return replace(self, observations=kept, notes=notes)


def _too_few(metric: str, n_datasets: int, names: Collection[str]) -> str:
    return (
        f"insufficient evidence: of {n_datasets} data set(s) for {metric} {len(names)} leave(s) a "
        "choice between two configurations or more, and leaving one out needs at least two; add "
        "results of other configurations or data sets"
    )


def _notes_on(metric: str, alone: Sequence[str]) -> Iterator[str]:
    if direction(metric) is None:
        yield f"metric {metric!r} is not known: taken as one of which more is better"
    if alone:
        yield f"Left out, for a single configuration leaves nothing to choose: {', '.join(alone)}"


def read_results(results: Path, tasks: Path, resolve: Resolve) -> ResultsTable:
    """Read both files.

    Raises
    ------
    RecommendationError
        A file is missing or no such table; lists every bad line.
    """
    known, notes = _tasks(tasks)
    problems: list[Problem] = []
    lines = [_written(*row) for row in _rows(results, RESULT_COLUMNS, problems)]
    names = _names(lines, resolve)
    problems += _problems(lines, known, names, tasks)
    if problems:
        raise RecommendationError(_listed(results, problems))
    if not lines:
        msg = f"{results} holds no results below its header"
        raise RecommendationError(msg)
    meant = {line: _configuration(line, names) for line in lines}
    return ResultsTable(
        tuple(_observation(results.stem, line, known, one) for line, one in meant.items()),
        {
            (line.dataset, line.metric, one): (line.backbone, line.approach, line.head or one.head)
            for line, one in meant.items()
        },
        tuple(sorted({line.backbone for line, one in meant.items() if _is_stranger(one)})),
        notes,
    )


def _observation(
    table: str, line: WrittenResult, tasks: Mapping[str, Task], one: Configuration
) -> Observation:
    value = (direction(line.metric) or 1) * float(line.value)
    return Observation(table, tasks[line.dataset], one, line.metric, value)


def _rows(
    path: Path, columns: Sequence[str], problems: list[Problem]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line and its cells; one with more cells than columns is a problem."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restkey=SURPLUS, strict=True)
            expected = reader.fieldnames or ()
            missing = [name for name in columns if name not in expected]
            if missing:
                msg = (
                    f"{path}: column {missing[0]!r} is missing; found "
                    f"{', '.join(expected) or 'no header'}; needed {','.join(columns)}"
                )
                raise RecommendationError(msg)
            for row in reader:
                if surplus := row.pop(SURPLUS, ()):
                    problems.append((reader.line_num, _surplus(len(surplus), len(expected))))
                else:
                    yield reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise RecommendationError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} is no CSV in UTF-8: {error}"
        raise RecommendationError(msg) from error


def _surplus(more: int, expected: int) -> str:
    return (
        f"{expected + more} cells found, {expected} expected; write numbers with a decimal point "
        "(0.85) and quote a cell that holds a comma"
    )


def _written(number: int, row: Mapping[str, str]) -> WrittenResult:
    return WrittenResult(
        number, row["dataset"], row["backbone"], row["approach"], row["metric"].lower(),
        row["value"], row.get("head", ""), row.get("initialisation", "") or INITIALISATIONS[0],
    )  # fmt: skip


def _listed(path: Path, problems: Sequence[Problem]) -> str:
    more = len(problems) - SHOWN
    rest = [f"  and {more} more"] if more > 0 else []
    head = f"{path}: {len(problems)} bad line(s), nothing was evaluated:"
    shown = [f"  line {number}: {text}" for number, text in sorted(problems)[:SHOWN]]
    return "\n".join([head, *shown, *rest])


def _problems(
    lines: Sequence[WrittenResult], tasks: Mapping[str, Task], names: Names, path: Path
) -> Iterator[Problem]:
    first: dict[tuple[str, str, Configuration], int] = {}
    for line in lines:
        faults = [*_faults(line, tasks, path)]
        if not faults:
            one = _configuration(line, names)
            before = first.setdefault((line.dataset, line.metric, one), line.line)
            faults = [_twice(before, one)] if before != line.line else []
        yield from ((line.line, text) for text in faults)


def _faults(line: WrittenResult, tasks: Mapping[str, Task], path: Path) -> Iterator[str]:
    """What is wrong with a line by itself."""
    empty = [name for name in RESULT_COLUMNS if not getattr(line, name)]
    if empty:
        yield f"{empty[0]} is empty; leave the line out where nothing was measured"
        return
    if not _is_number(line.value):
        yield f"value {line.value!r} is no finite number"
    if line.dataset not in tasks:
        yield f"data set {line.dataset!r} has no line in {path.name}"
    if approach_named(line.approach) is None:
        allowed = ", ".join(get_args(Approach)[:4])
        yield f"approach {line.approach!r} is not known; allowed: {allowed}"
    if line.head and line.head not in get_args(Head):
        yield f"head {line.head!r} is not known; allowed: {', '.join(get_args(Head))}"
    if line.initialisation not in INITIALISATIONS:
        allowed = ", ".join(INITIALISATIONS)
        yield f"initialisation {line.initialisation!r} is not known; allowed: {allowed}"


def _twice(before: int, one: Configuration) -> str:
    return (
        f"the same data set, backbone, approach, metric and head as line {before}: {one.backbone}, "
        f"{how(one.approach, one.initialisation)}, {one.head}; give one value, e.g. the mean over "
        "seeds"
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _alone(name: str) -> str:
    """Family of a backbone of none: itself, so that strangers are not taken for relatives."""
    return f"? {name}"


def _is_stranger(one: Configuration) -> bool:
    return one.family == _alone(one.backbone)


def _names(lines: Sequence[WrittenResult], resolve: Resolve) -> Names:
    """Name and family of each backbone: one network has one name, however it is spelt.

    Spellings that differ in more than case and punctuation and meet within one data set stand
    for different weights (``resnet50.a1_in1k`` beside ``resnet50.tv_in1k``) and are kept apart.
    """
    texts = sorted({line.backbone for line in lines})
    found = {text: resolve(text) or (text, _alone(text)) for text in texts}
    network = {text: _stem(name) for text, (name, _) in found.items()}
    apart = _met(lines, network)
    one_name: dict[str, tuple[str, str]] = {}
    for text, (name, family) in found.items():
        spelling = _stem(text) if _stem(text) in apart else network[text]
        own = name if spelling == network[text] else text
        one_name.setdefault(spelling, (own, family))
        found[text] = one_name[spelling]
    return found


def _stem(text: str) -> str:
    """The spelling of a backbone; the text itself where it is made of punctuation."""
    return stem(text) or text


def _met(lines: Sequence[WrittenResult], network: Mapping[str, str]) -> set[str]:
    """Spellings that stand beside another of the same network on one data set."""
    beside: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in lines:
        beside[line.dataset, network[line.backbone]].add(_stem(line.backbone))
    return set().union(*(spellings for spellings in beside.values() if len(spellings) > 1))


def _configuration(line: WrittenResult, names: Names) -> Configuration:
    name, family = names[line.backbone]
    approach = approach_named(line.approach) or "unspecified"
    head = line.head or DEFAULT_HEADS.get(approach, "unspecified")
    way = Way(approach, head, line.initialisation)  # type: ignore[arg-type]
    return Configuration.of(name, family, way)


def _tasks(path: Path) -> tuple[dict[str, Task], tuple[str, ...]]:
    """Task of each data set, and notes on words that were not understood, each once."""
    problems: list[Problem] = []
    notes: list[str] = []
    found: dict[str, Task] = {}
    for number, row in _rows(path, TASK_COLUMNS, problems):
        name = row["dataset"]
        try:
            task = _task(name, row, notes)
        except RecommendationError as error:
            problems.append((number, str(error)))
            continue
        if not name or name in found:
            problems.append((number, f"data set {name!r} is empty or there twice"))
        found[name] = task
    if problems:
        raise RecommendationError(_listed(path, problems))
    return found, tuple(dict.fromkeys(notes))


def _task(name: str, row: Mapping[str, str], notes: list[str]) -> Task:
    return Task(
        name,
        _term(MODALITY, row["modality"], notes),
        _term(ANATOMY, row["anatomy"], notes),
        _count("n_images", row["n_images"], least=1),
        _count("n_classes", row["n_classes"], least=2),
        _kind(row["task"], notes),
    )


def _kind(text: str, notes: list[str]) -> str:
    word = text.lower() or KINDS[0]
    if word in KINDS:
        return word
    notes.append(f"task {text!r} is not one of {', '.join(KINDS)}: taken as {KINDS[0]}")
    return KINDS[0]


def _term(vocabulary: Vocabulary, text: str, notes: list[str]) -> str | None:
    """Key of a term; None for an empty cell or an unknown word, which is noted."""
    try:
        return vocabulary.resolve(text) if text else None
    except UnknownTermError:
        notes.append(f"{vocabulary.name} {text!r} is in no vocabulary: taken as not known")
        return None


def _count(name: str, text: str, least: int) -> int | None:
    """A whole number; None for an empty cell."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= MOST:
        msg = f"{name} {text!r} is no whole number from {least} to {MOST}"
        raise RecommendationError(msg)
    return int(text)
