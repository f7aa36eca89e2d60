"""Anyone's table of results, with the tasks of its data sets: two CSV files -> observations.

Results: ``dataset,backbone,approach,metric,value[,head]``. Tasks:
``dataset,modality,anatomy,n_images,n_classes,task``. Every bad line is listed, nothing is guessed.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

from evidence.errors import UnknownTermError
from evidence.vocabulary import ANATOMY, MODALITY, Approach, Head, Vocabulary
from recommender.candidates import approach_named
from recommender.configuration import Configuration, Observation, Task
from recommender.errors import RecommendationError

RESULT_COLUMNS = ("dataset", "backbone", "approach", "metric", "value")
TASK_COLUMNS = ("dataset", "modality", "anatomy", "n_images", "n_classes", "task")
#: Largest number of images or classes.
MOST = 10**9
#: Bad lines that a message lists.
SHOWN = 20
#: Metrics of which less is better, by the words in their names.
LESS_IS_BETTER = ("mae", "rmse", "mse", "loss", "error", "brier", "ece")
#: Head of an approach where the table names none.
DEFAULT_HEADS: Mapping[str, Head] = {
    "feature_extractor": "linear",
    "fine_tuning": "linear",
    "fine_tuning_from_scratch": "linear",
}

#: A name as people write it -> name and family; None where it is of no family that is known.
Resolve = Callable[[str], tuple[str, str] | None]


class WrittenResult(NamedTuple):
    """One line of the results, as it stands there."""

    line: int
    dataset: str
    backbone: str
    approach: str
    metric: str
    value: str
    head: str


@dataclass(frozen=True)
class ResultsTable:
    """Results by metric, and what of them was not understood.

    Attributes
    ----------
    observations : tuple of Observation
        Larger always better: values of a metric of which less is better are negative.
    written : dict of Configuration to tuple of str
        Backbone, approach and head as the table writes them.
    unknown : tuple of str
        Backbones of no family that is known.
    notes : tuple of str
        Words of the tasks that no vocabulary holds: taken as not known.
    """

    observations: tuple[Observation, ...]
    written: Mapping[Configuration, tuple[str, str, str]]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    def of_metric(self, metric: str | None) -> tuple[Observation, ...]:
        """Observations of a metric; None for the one with most values.

        Raises
        ------
        RecommendationError
            The table does not hold it, or fewer than two data sets.
        """
        found = sorted({one.metric for one in self.observations})
        counts = {name: sum(o.metric == name for o in self.observations) for name in found}
        chosen = metric or max(found, key=lambda name: (counts[name], name == "auc"))
        kept = tuple(one for one in self.observations if one.metric == chosen)
        if not kept:
            msg = f"--metric {chosen!r}: the results hold {', '.join(found)}"
            raise RecommendationError(msg)
        if len({one.task.name for one in kept}) < 2:
            msg = (
                f"the results hold a single data set for {chosen}: leaving one out needs at least "
                "two; add results of other data sets"
            )
            raise RecommendationError(msg)
        return kept


def read_results(results: Path, tasks: Path, resolve: Resolve) -> ResultsTable:
    """Read both files.

    Raises
    ------
    RecommendationError
        A file is missing or no such table; lists every bad line.
    """
    notes: list[str] = []
    known = _tasks(tasks, notes)
    lines = [_written(number, row) for number, row in _rows(results, RESULT_COLUMNS)]
    if not lines:
        msg = f"{results} holds no results below its header"
        raise RecommendationError(msg)
    problems = [*_problems(lines, known, tasks)]
    if problems:
        raise RecommendationError(_listed(results, problems))
    names = _names(lines, resolve)
    written: dict[Configuration, tuple[str, str, str]] = {}
    observations = []
    for line in lines:
        one = _configuration(line, names)
        written[one] = (line.backbone, line.approach, line.head or one.head)
        sign = -1.0 if _less_is_better(line.metric) else 1.0
        task = known[line.dataset]
        value = sign * float(line.value)
        observations.append(Observation(results.stem, task, one, line.metric, value))
    unknown = tuple(sorted({n for n, (_, family) in names.items() if family == _alone(n)}))
    return ResultsTable(tuple(observations), written, unknown, tuple(notes))


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                msg = (
                    f"{path}: column {missing[0]!r} is missing; found "
                    f"{', '.join(reader.fieldnames or ()) or 'no header'}; needed "
                    f"{','.join(columns)}"
                )
                raise RecommendationError(msg)
            for row in reader:
                yield reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise RecommendationError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} is no CSV in UTF-8: {error}"
        raise RecommendationError(msg) from error


def _written(number: int, row: Mapping[str, str]) -> WrittenResult:
    return WrittenResult(
        number, row["dataset"], row["backbone"], row["approach"], row["metric"].lower(),
        row["value"], row.get("head", ""),
    )  # fmt: skip


def _listed(path: Path, problems: Sequence[str]) -> str:
    more = len(problems) - SHOWN
    rest = [f"  and {more} more"] if more > 0 else []
    head = f"{path}: {len(problems)} bad line(s), nothing was evaluated:"
    return "\n".join([head, *(f"  {text}" for text in problems[:SHOWN]), *rest])


def _problems(
    lines: Sequence[WrittenResult], tasks: Mapping[str, Task], path: Path
) -> Iterator[str]:
    first: dict[tuple[str, ...], int] = {}
    for line in lines:
        where = f"line {line.line}"
        empty = [name for name in RESULT_COLUMNS if not getattr(line, name)]
        if empty:
            yield f"{where}: {empty[0]} is empty; leave the line out where nothing was measured"
            continue
        if not _is_number(line.value):
            yield f"{where}: value {line.value!r} is no finite number"
        if line.dataset not in tasks:
            yield f"{where}: data set {line.dataset!r} has no line in {path.name}"
        if approach_named(line.approach) is None:
            allowed = ", ".join(get_args(Approach)[:4])
            yield f"{where}: approach {line.approach!r} is not known; allowed: {allowed}"
        if line.head and line.head not in get_args(Head):
            allowed = ", ".join(get_args(Head))
            yield f"{where}: head {line.head!r} is not known; allowed: {allowed}"
        key = line[1:5] + line[6:]
        if key in first:
            yield (
                f"{where}: the same data set, backbone, approach, metric and head as line "
                f"{first[key]}; give one value, e.g. the mean over seeds"
            )
        first.setdefault(key, line.line)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _less_is_better(metric: str) -> bool:
    return any(word in metric for word in LESS_IS_BETTER)


def _alone(name: str) -> str:
    """Family of a backbone of none: itself, so that strangers are not taken for relatives."""
    return f"? {name}"


def _names(lines: Sequence[WrittenResult], resolve: Resolve) -> dict[str, tuple[str, str]]:
    """Name and family of each backbone; written apart where two spellings are one backbone."""
    found = {n: resolve(n) or (n, _alone(n)) for n in sorted({line.backbone for line in lines})}
    named = [name for name, _ in found.values()]
    return {
        text: (name if named.count(name) == 1 else text, family)
        for text, (name, family) in found.items()
    }


def _configuration(line: WrittenResult, names: Mapping[str, tuple[str, str]]) -> Configuration:
    name, family = names[line.backbone]
    approach = approach_named(line.approach) or "unspecified"
    head = line.head or DEFAULT_HEADS.get(approach, "unspecified")
    return Configuration(name, family, approach, head)  # type: ignore[arg-type]


def _tasks(path: Path, notes: list[str]) -> dict[str, Task]:
    problems: list[str] = []
    found: dict[str, Task] = {}
    for number, row in _rows(path, TASK_COLUMNS):
        name = row["dataset"]
        try:
            task = _task(name, row, notes)
        except RecommendationError as error:
            problems.append(f"line {number}: {error}")
            continue
        if not name or name in found:
            problems.append(f"line {number}: data set {name!r} is empty or there twice")
        found[name] = task
    if problems:
        raise RecommendationError(_listed(path, problems))
    return found


def _task(name: str, row: Mapping[str, str], notes: list[str]) -> Task:
    return Task(
        name,
        _term(MODALITY, row["modality"], notes),
        _term(ANATOMY, row["anatomy"], notes),
        _count("n_images", row["n_images"], least=1),
        _count("n_classes", row["n_classes"], least=2),
        "regression" if row["task"].lower() == "regression" else "classification",
    )


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
