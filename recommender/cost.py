"""What training a configuration takes: operations counted, seconds and memory learned from runs."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import fmean
from typing import Literal, NamedTuple

from evidence.records import Backbone, RunRecord, ShippedRun
from evidence.vocabulary import Approach
from recommender.plan import EPOCHS, TEST_FRACTION

#: What a prediction was learned from: our own runs; those that ship with evtl, on another machine;
#: or these, times what our own runs of other kinds took beside them.
Source = Literal["own", "shipped", "shipped_at_own_pace"]
Run = RunRecord | ShippedRun
#: Kind of training -> size and measured value of each run.
Points = dict[str, list[tuple[float, float]]]

#: A backward pass computes gradients for inputs and for weights: twice the forward pass.
PASSES_TRAINED = 3
#: Nothing is computed backwards below the last blocks, which hold 0.38 of the operations (median of
#: 40 networks of ours, from 0.04 to all).
PASSES_LAST_BLOCKS = 1.75
#: Numbers kept of a trained parameter: itself, its gradient, the two moments of AdamW.
NUMBERS_TRAINED = 4
#: Below this share of its largest value a determinant is that of runs of one size only.
_SINGULAR = 1e-9


def is_frozen(approach: Approach) -> bool:
    """Whether an approach sees every image once and trains a head alone."""
    return approach.startswith("feature_extractor")


def kind_of(approach: Approach) -> str:
    """Trainings of one kind take alike: what head is put on frozen features hardly matters."""
    return "frozen" if is_frozen(approach) else approach


def training_macs(
    backbone: Backbone, approach: Approach, n_images: int, epochs: int = EPOCHS
) -> int:
    """Multiply-accumulates of one training: every image once if frozen, else every epoch."""
    return round(n_images * image_macs(backbone, approach, epochs))


def image_macs(backbone: Backbone, approach: Approach, epochs: int = EPOCHS) -> float:
    """Multiply-accumulates of one training for each of its images."""
    if backbone.n_macs is None:
        msg = f"{backbone.name} has no counted operations"
        raise ValueError(msg)
    if is_frozen(approach):
        return backbone.n_macs
    passes = PASSES_LAST_BLOCKS if approach == "fine_tuning" else PASSES_TRAINED
    return backbone.n_macs * (1 - TEST_FRACTION) * epochs * passes


def held_bytes(backbone: Backbone, approach: Approach, n_images: int) -> int:
    """Bytes of what is held while training: every image's pixels, and the parameters."""
    of_image, of_all = held_shares(backbone, approach)
    return n_images * of_image + of_all


def held_shares(backbone: Backbone, approach: Approach) -> tuple[int, int]:
    """Bytes that are held for each image, and for the parameters."""
    if backbone.n_parameters is None or backbone.input_px is None:
        msg = f"{backbone.name} has no counted parameters"
        raise ValueError(msg)
    numbers = 1 if is_frozen(approach) else NUMBERS_TRAINED
    return 3 * backbone.input_px**2, 4 * numbers * backbone.n_parameters


class Estimate(NamedTuple):
    """A prediction, and how far it can be trusted.

    Attributes
    ----------
    value : float
        In the unit of what was measured.
    n_runs : int
        Runs that it rests on.
    spread : float or None
        Every run lay within this factor of what the others predict for it; None for one run.
    source : str
        What runs these are.
    """

    value: float
    n_runs: int
    spread: float | None
    source: Source = "own"


@dataclass(frozen=True)
class Line:
    """What a training of size zero takes, and how that grows; neither is negative."""

    start: float
    slope: float
    n_runs: int
    spread: float | None
    source: Source = "own"

    def at(self, size: float) -> Estimate:
        """Prediction for one size."""
        return Estimate(self.start + self.slope * size, self.n_runs, self.spread, self.source)

    def at_pace(self, pace: float) -> "Line":
        """The line of shipped runs on a machine where all takes so many times as much."""
        return replace(
            self, start=pace * self.start, slope=pace * self.slope, source="shipped_at_own_pace"
        )


@dataclass(frozen=True)
class Learned:
    """What recorded runs say of trainings on the device used last.

    Kinds of training (`kind_of`) are apart, because most of a frozen training is not training.
    """

    seconds_by_kind: Mapping[str, Line]
    memory_by_kind: Mapping[str, Line]

    def seconds(
        self, backbone: Backbone, approach: Approach, n_images: int, epochs: int = EPOCHS
    ) -> Estimate | None:
        """Wall time of a training; None where no run was alike."""
        line = self.seconds_by_kind.get(kind_of(approach))
        if line is None:
            return None
        return line.at(training_macs(backbone, approach, n_images, epochs))

    def memory_mb(self, backbone: Backbone, approach: Approach, n_images: int) -> Estimate | None:
        """Most memory that a training takes, in 10^6 bytes; None where no run was alike."""
        line = self.memory_by_kind.get(kind_of(approach))
        return None if line is None else line.at(held_bytes(backbone, approach, n_images))


def learn(
    runs: Iterable[RunRecord],
    backbones: Mapping[str, Backbone],
    shipped: Iterable[ShippedRun] = (),
) -> Learned:
    """Learn from our own finished runs on the device of the last of them, in any order.

    Parameters
    ----------
    backbones : mapping
        Name -> backbone; runs of others, or of those without counted operations, say nothing.
    shipped : iterable of ShippedRun
        Stand in for kinds of training of which there is no run of our own.
    """
    own, others = _counted(_of_last_device(runs), backbones), _counted(_alike(shipped), backbones)
    return Learned(
        _lines(_points(own, _macs, _seconds), _points(others, _macs, _seconds)),
        _lines(_points(own, _held, _memory), _points(others, _held, _memory)),
    )


def _of_last_device(runs: Iterable[RunRecord]) -> list[RunRecord]:
    finished = [run for run in runs if run.status == "finished"]
    last = max(finished, key=lambda run: (run.started_at, run.run_id), default=None)
    return [run for run in finished if last is not None and run.device == last.device]


def _alike(runs: Iterable[ShippedRun]) -> list[ShippedRun]:
    """Those on the device that most of them ran on."""
    known = list(runs)
    counts = Counter(run.device for run in known)
    most = min(counts, key=lambda device: (-counts[device], device), default=None)
    return [run for run in known if run.device == most]


def _counted(runs: Sequence[Run], backbones: Mapping[str, Backbone]) -> list[tuple[Run, Backbone]]:
    return [
        (run, backbones[run.backbone])
        for run in runs
        if run.backbone in backbones and backbones[run.backbone].library
        # Frozen with epochs: up a ladder, which is several trainings.
        if not (is_frozen(run.approach) and run.epochs)
    ]


def _macs(run: Run, backbone: Backbone) -> int:
    # Records of before do not say their epochs; nearly all had the default.
    return training_macs(backbone, run.approach, run.n_images, run.epochs or EPOCHS)


def _held(run: Run, backbone: Backbone) -> int:
    return held_bytes(backbone, run.approach, run.n_images)


def _seconds(run: Run) -> float | None:
    # Of the shipped runs those of one core: their wall clock ran while others worked beside them.
    return run.cpu_s if isinstance(run, ShippedRun) else run.seconds


def _memory(run: Run) -> float | None:
    return run.peak_memory_mb


def _points(
    runs: Sequence[tuple[Run, Backbone]],
    size: Callable[[Run, Backbone], int],
    measured: Callable[[Run], float | None],
) -> Points:
    found: Points = {}
    for run, backbone in runs:
        value = measured(run)
        if value is not None and value > 0:
            point = (float(size(run, backbone)), value)
            found.setdefault(kind_of(run.approach), []).append(point)
    return found


def _lines(own: Points, shipped: Points) -> dict[str, Line]:
    """A line for each kind; of kinds without own runs that of the shipped, at the pace of ours."""
    others = {kind: replace(fit(sorted(p)), source="shipped") for kind, p in shipped.items()}
    ratios = [
        math.log(value / others[kind].at(size).value)
        for kind in own.keys() & others.keys()
        for size, value in own[kind]
    ]
    if ratios:
        pace = math.exp(fmean(ratios))
        others = {kind: line.at_pace(pace) for kind, line in others.items()}
    return others | {kind: fit(sorted(points)) for kind, points in own.items()}


def fit(points: Sequence[tuple[float, float]]) -> Line:
    """Line through measured values that is nearest to them in proportion.

    Least squares of the relative errors with both coefficients at least 0 (Lawson and Hanson 1974,
    Solving Least Squares Problems, ch. 23). From runs of one size only, what is taken is in
    proportion to the size.

    Parameters
    ----------
    points : sequence of (size, value)
        At least one; all positive.
    """
    unit = max(size for size, _ in points)
    rows = [_Sums.of(size / unit, value) for size, value in points]
    before = [*accumulate(rows, _Sums.plus, initial=_Sums())]
    after = [*accumulate(reversed(rows), _Sums.plus, initial=_Sums())][-2::-1]
    start, slope = before[-1].solved()
    # Each run against the line of all others; taking it from the total would lose digits.
    others = [some.plus(rest) for some, rest in zip(before, after, strict=False)]
    factors = [line.factor(row) for line, row in zip(others, rows, strict=True) if line.size]
    return Line(start, slope / unit, len(rows), max(factors, default=None))


class _Sums(NamedTuple):
    """Sums over runs of what the normal equations need; a row is ``(1 / value, size / value)``."""

    one: float = 0.0
    cross: float = 0.0
    size: float = 0.0
    to_one: float = 0.0
    to_size: float = 0.0

    @classmethod
    def of(cls, size: float, value: float) -> "_Sums":
        one, scaled = 1 / value, size / value
        return cls(one * one, one * scaled, scaled * scaled, one, scaled)

    def plus(self, more: "_Sums") -> "_Sums":
        return _Sums(*(a + b for a, b in zip(self, more, strict=True)))

    def solved(self) -> tuple[float, float]:
        determinant = self.one * self.size - self.cross**2
        if determinant <= _SINGULAR * self.one * self.size:
            return 0.0, self.to_size / self.size
        start = (self.to_one * self.size - self.to_size * self.cross) / determinant
        slope = (self.to_size * self.one - self.to_one * self.cross) / determinant
        if start >= 0 and slope >= 0:
            return start, slope
        # One of them would be negative: the better of the two lines that go without it.
        constant, proportional = self.to_one**2 / self.one, self.to_size**2 / self.size
        if constant > proportional:
            return self.to_one / self.one, 0.0
        return 0.0, self.to_size / self.size

    def factor(self, row: "_Sums") -> float:
        """By which factor the run of `row` lies off the line of these sums, at least 1."""
        start, slope = self.solved()
        ratio = start * row.to_one + slope * row.to_size
        return max(ratio, 1 / ratio)
