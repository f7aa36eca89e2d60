"""Numbers of an answer -> where they are drawn; templates make SVG of it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from recommender.records import Choice, Expected


class Segment(NamedTuple):
    """A part of a score: from `x`, so wide, in percent of the drawing's width."""

    part: str
    x: float
    width: float


class Bar(NamedTuple):
    """The parts of one score, the good to the right of zero and the bad to the left of it."""

    segments: tuple[Segment, ...]
    score_x: float


class Bars(NamedTuple):
    """Bars of several scores on one scale; `zero` is where they begin, in percent."""

    zero: float
    bars: tuple[Bar, ...]


def score_bars(choices: Sequence[Choice], parts: Sequence[str]) -> Bars:
    """Bars of these parts of each choice's score."""
    values = [[(name, choice.parts[name]) for name in parts] for choice in choices]
    least = min((sum(min(v, 0.0) for _, v in row) for row in values), default=0.0)
    most = max((sum(max(v, 0.0) for _, v in row) for row in values), default=0.0)
    unit = 100 / ((most - least) or 1.0)
    bars = (
        Bar(_segments(row, least, unit), round((choice.score - least) * unit, 2))
        for row, choice in zip(values, choices, strict=True)
    )
    return Bars(round(-least * unit, 2), tuple(bars))


def _segments(row: Sequence[tuple[str, float]], least: float, unit: float) -> tuple[Segment, ...]:
    """Each side stacked outwards from zero, in the order of the parts."""
    found, right, left = [], 0.0, 0.0
    for name, value in row:
        begin = right if value >= 0 else left + value
        right, left = right + max(value, 0.0), left + min(value, 0.0)
        found.append(Segment(name, round((begin - least) * unit, 2), round(abs(value) * unit, 2)))
    return tuple(found)


class Tick(NamedTuple):
    """A mark on an axis."""

    x: float
    text: str


class Interval(NamedTuple):
    """An interval on an axis of rates, in units of the drawing.

    Attributes
    ----------
    low, median, high : Tick
    axis : tuple of Tick
        The first and last are its ends.
    """

    low: Tick
    median: Tick
    high: Tick
    axis: tuple[Tick, ...]


#: Where an axis begins and how long it is, in units of the drawing.
LEFT, LENGTH = 20.0, 320.0


def interval(expected: Expected) -> Interval | None:
    """The expected interval, on an axis that ends at 1; None where nothing is expected."""
    low, median, high = expected.low, expected.median, expected.high
    if low is None or median is None or high is None:
        return None
    begin = min(math.floor(low * 10 - 0.5), 9) / 10
    n_steps = round((1 - begin) * 10)
    every = 1 if n_steps <= 5 else 2

    def tick(value: float, text: str) -> Tick:
        return Tick(round(LEFT + LENGTH * (value - begin) / (1 - begin), 1), text)

    marks = [1 - step / 10 for step in range(0, n_steps + 1, every)]
    return Interval(
        low=tick(low, f"{low:.2f}"),
        median=tick(median, f"{median:.2f}"),
        high=tick(high, f"{high:.2f}"),
        axis=tuple(tick(value, f"{value:.1f}") for value in reversed(marks)),
    )
