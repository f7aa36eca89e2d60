"""Two runs on the same test images: how far apart they are, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from evidence.records import Record
from recommender.plan import Target, read_plan
from trainer.errors import TrainingError
from trainer.measures.bootstrap import INTERVAL_PERCENTILES, N_RESAMPLES, resample
from trainer.measures.delong import paired_delong
from trainer.measures.predictions_file import PREDICTIONS_FILE, Predicted, read_predictions
from trainer.metrics import measure_weighted
from trainer.reading.private import numbered
from trainer.runs import RunFolder, RunResult
from trainer.targets import Encoded, Labels

#: Decimals of values and of p.
N_DECIMALS = 6
TESTED = "test"
LEARNED = frozenset({"train", "validation"})


class Difference(Record):
    """One metric of both runs.

    Attributes
    ----------
    test : str
        ``bootstrap`` of whole groups, or ``delong``.
    difference : float or None
        Second minus first, with its 95% interval.
    p : float or None
        Two-sided, of no difference.
    """

    metric: str
    test: Literal["bootstrap", "delong"]
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None


class ComparedRun(Record):
    """What one of the runs was."""

    folder: str
    run_id: str
    backbone: str
    approach: str
    head: str


class Comparison(Record):
    """Two runs on the test images of both.

    Attributes
    ----------
    n_images, n_groups : int
        Test images of both, and their groups.
    n_left_out : int
        Test images of only one of them.
    """

    schema_version: Literal[1] = 1
    first: ComparedRun
    second: ComparedRun
    target: Target
    n_images: int
    n_groups: int
    n_left_out: int
    n_resamples: int = N_RESAMPLES
    differences: tuple[Difference, ...]


class _Run:
    """A finished run and its predictions."""

    def __init__(self, folder: Path) -> None:
        self.result: RunResult = RunFolder(folder).read_result()
        if self.result.status != "finished":
            msg = f"{folder}: the run did not finish ({self.result.error or 'no reason kept'})"
            raise TrainingError(msg)
        self.folder = folder
        self.target = read_plan(folder / "plan.json").target
        kept = self.result.digests.get("predictions", "")
        self.predicted = read_predictions(folder / PREDICTIONS_FILE, kept)

    def where(self, parts: frozenset[str]) -> list[int]:
        """Numbers of the images in some parts."""
        return [number for number, part in enumerate(self.predicted.parts) if part in parts]

    def describe(self) -> ComparedRun:
        return ComparedRun(
            folder=str(self.folder),
            run_id=self.result.run_id,
            backbone=self.result.backbone,
            approach=self.result.approach,
            head=self.result.head,
        )


def compare_runs(first: Path, second: Path, seed: int = 0) -> Comparison:
    """Compare two run folders on the test images that both have.

    Parameters
    ----------
    seed : int
        Of the bootstrap.

    Raises
    ------
    TrainingError
        A folder is no finished run; they learned different things; they share no test image; the
        images or their labels differ; or one was trained on test images of the other.
    """
    runs = _Run(first), _Run(second)
    _refuse_other_tasks(*runs)
    _refuse_leaks(*runs)
    one, other, n_left_out = _shared(*runs)
    labels = one.means(runs[0].target)
    return Comparison(
        first=runs[0].describe(),
        second=runs[1].describe(),
        target=labels.target,
        n_images=len(one.files),
        n_groups=len(set(one.groups)),
        n_left_out=n_left_out,
        differences=compare_predictions(one, other, labels, seed),
    )


def _refuse_other_tasks(first: _Run, second: _Run) -> None:
    tasks = [f"{run.target} ({', '.join(run.predicted.names)})" for run in (first, second)]
    if tasks[0] != tasks[1]:
        msg = f"the runs learned {tasks[0]} and {tasks[1]}; only runs of the same can be compared"
        raise TrainingError(msg)


def _refuse_leaks(first: _Run, second: _Run) -> None:
    """A run that has seen the images that the other is measured on knows their labels."""
    for tested, learned in ((first, second), (second, first)):
        known = _alike(tested, learned, learned.predicted.pick(learned.where(LEARNED)).files)
        test = tested.predicted.pick(tested.where(frozenset({TESTED}))).files
        if leaked := [file for file in test if file in known]:
            msg = (
                f"{len(leaked)} of {len(test)} test images of {tested.folder} are, or share "
                f"a group with, images that {learned.folder} was trained or chosen on, the first "
                f"{leaked[0]}: train both with the same split (the same images and seed)"
            )
            raise TrainingError(msg)


def _alike(one: _Run, other: _Run, files: Sequence[str]) -> set[str]:
    """Some files and all others of their groups, as either run groups them by its own names."""
    found, asked = set[str](), set(files)
    for run in (one, other):
        pairs = list(zip(run.predicted.files, run.predicted.groups, strict=True))
        groups = {group for file, group in pairs if file in asked}
        found |= {file for file, group in pairs if group in groups}
    return found


def _shared(first: _Run, second: _Run) -> tuple[Predicted, Predicted, int]:
    """Test images of both in the same order, and how many only one has."""
    numbers = [
        {run.predicted.files[number]: number for number in run.where(frozenset({TESTED}))}
        for run in (first, second)
    ]
    files = sorted(set(numbers[0]) & set(numbers[1]))
    if not files:
        msg = f"{first.folder} and {second.folder} share no test image; compare runs on the same"
        raise TrainingError(msg)
    one, other = (
        _renamed(run.predicted.pick([by_file[file] for file in files]))
        for run, by_file in zip((first, second), numbers, strict=True)
    )
    _refuse_other_images(one, other)
    return one, other, len(set(numbers[0]) ^ set(numbers[1]))


def _renamed(predicted: Predicted) -> Predicted:
    """Groups by numbers that are the same in both runs if the groups are."""
    return replace(predicted, groups=numbered(predicted.groups))


def _refuse_other_images(one: Predicted, other: Predicted) -> None:
    """Names alone do not make two images the same: label and group must agree too."""
    for what in ("labels", "groups"):
        pairs = zip(getattr(one, what), getattr(other, what), strict=True)
        if apart := [file for file, (a, b) in zip(one.files, pairs, strict=True) if a != b]:
            msg = (
                f"{len(apart)} test images have other {what} in the other run, the first "
                f"{apart[0]}: the runs are of different data"
            )
            raise TrainingError(msg)


def compare_predictions(
    one: Predicted, other: Predicted, labels: Labels, seed: int
) -> tuple[Difference, ...]:
    """Every metric of two models on the same images in the same order, second minus first.

    Both are measured on the same resamples of whole groups. The p is twice the smaller share of
    resamples in which the difference is not on its side of zero (at least 1 of 1001): the level
    at which the percentile interval would just touch zero.

    References
    ----------
    Efron and Tibshirani 1993, doi:10.1201/9780429246593, Section 15.4 and Chapter 13.
    """
    targets = labels.encode(one.labels)
    values = [_values(targets, model, labels, np.ones((1, len(targets)))) for model in (one, other)]
    drawn: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in values[0]}
    for weights in resample(one.groups, seed):
        pair = [_values(targets, model, labels, weights) for model in (one, other)]
        for name, differences in drawn.items():
            differences.append(pair[1][name] - pair[0][name])
    found = [
        _bootstrapped(name, float(values[0][name][0]), float(values[1][name][0]), np.concatenate(d))
        for name, d in drawn.items()
    ]
    return (*_delong(targets, one, other, labels), *found)


def _values(
    targets: Encoded, model: Predicted, labels: Labels, weights: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[np.float64]]:
    return measure_weighted(targets, model.predictions, labels, weights).overall


def _bootstrapped(
    name: str, first: float, second: float, drawn: npt.NDArray[np.float64]
) -> Difference:
    defined = drawn[~np.isnan(drawn)]
    low = high = p = math.nan
    if len(defined) and not math.isnan(second - first):
        low, high = np.percentile(defined, INTERVAL_PERCENTILES)
        beyond = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
        p = min(1.0, 2 * (beyond + 1) / (len(defined) + 1))
    return _difference(name, "bootstrap", (first, second), (second - first, low, high, p))


def _delong(
    targets: Encoded, one: Predicted, other: Predicted, labels: Labels
) -> tuple[Difference, ...]:
    """The test of DeLong, for two classes that are both there."""
    classes = targets.astype(np.int64)
    if labels.target != "classes" or len(labels.names) != 2 or len(np.unique(classes)) != 2:
        return ()
    found = paired_delong(classes, one.predictions, other.predictions, one.groups)
    areas = tuple(labels.score(classes, model.predictions) for model in (one, other))
    return (_difference("auc", "delong", areas, found),)


def _difference(
    name: str,
    test: Literal["bootstrap", "delong"],
    values: Sequence[float],
    found: Sequence[float | None],
) -> Difference:
    numbers = [
        None if number is None or math.isnan(number) else round(float(number), N_DECIMALS)
        for number in (*values, *found)
    ]
    first, second, difference, low, high, p = numbers
    return Difference(
        metric=name, test=test, first=first, second=second,
        difference=difference, low=low, high=high, p=p,
    )  # fmt: skip
