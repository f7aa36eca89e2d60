"""The small notations of list cells in the corpus files.

===========  ==========================================================  ========================
cell         item                                                        example
===========  ==========================================================  ========================
arms         ``backbone[/approach[/initialisation[/head]]]``             ``VGG-16/none/random``
evaluations  ``metric=value``, ``metric>value``, ``metric=low..high``    ``auc=0.85..0.96``
counts       ``stage number unit``                                       ``test 150 images``
image sizes  ``widthxheight[xchannels]`` in pixels                       ``512x512x3``
===========  ==========================================================  ========================

Items are separated by ``;``. Rates are fractions in [0, 1].
"""

import re
from typing import NamedTuple, get_args

from evidence.vocabulary import RATES, Approach, CountStage, Head, Initialisation, Metric

STAGES = get_args(CountStage)


class ArmNotation(NamedTuple):
    """One arm as written; empty parts take the row's own value."""

    backbone: str
    approach: str
    initialisation: str
    head: str

    def __str__(self) -> str:
        return "/".join(self).rstrip("/")


class EvaluationNotation(NamedTuple):
    """One metric value; `value_high` only for a range, `notation` as it was written."""

    metric: str
    operator: str
    value: float
    value_high: float | None
    notation: str

    def __str__(self) -> str:
        return self.notation


class CountNotation(NamedTuple):
    """One count as written, e.g. 150 images of the test set."""

    stage: str
    number: int
    unit: str

    def __str__(self) -> str:
        return f"{self.stage} {self.number} {self.unit}"


class HardwareNotation(NamedTuple):
    """Devices as written, e.g. 2 GPU; no number where none is given."""

    number: int | None
    device: str

    def __str__(self) -> str:
        return self.device if self.number is None else f"{self.number} {self.device}"


class SizeNotation(NamedTuple):
    """One image size as written, in pixels."""

    width_px: int
    height_px: int
    n_channels: int | None

    def __str__(self) -> str:
        return "x".join(str(part) for part in self if part is not None)


def items(cell: str) -> tuple[str, ...]:
    """Split a list cell; an empty cell has no items."""
    return tuple(part.strip() for part in cell.split(";") if part.strip())


def parse_arm(item: str) -> ArmNotation:
    """Read one arm.

    Raises
    ------
    ValueError
        More than four parts, or a part outside its vocabulary.
    """
    parts = item.split("/")
    if len(parts) > 4:
        msg = "write backbone/approach/initialisation/head"
        raise ValueError(msg)
    arm = ArmNotation(*(parts + [""] * (4 - len(parts))))
    coded = (arm.approach, Approach), (arm.initialisation, Initialisation), (arm.head, Head)
    for word, vocabulary in coded:
        if word and word not in get_args(vocabulary):
            msg = f"{word!r} is none of {', '.join(get_args(vocabulary))}"
            raise ValueError(msg)
    return arm


def parse_evaluation(item: str) -> EvaluationNotation:
    """Read one metric value; ``=`` with two dots is a range.

    Raises
    ------
    ValueError
        Not in the notation, an unknown metric, a rate outside [0, 1] or an empty range.
    """
    number = r"(\d{1,12}(?:\.\d{1,15})?)"
    match = re.fullmatch(rf"(\w+)\s*([=>])\s*{number}(?:\.\.{number})?", item)
    if match is None:
        msg = "write metric=value, metric>value or metric=low..high"
        raise ValueError(msg)
    metric, operator, low, high = match.groups()
    if metric not in get_args(Metric):
        msg = f"metric {metric!r} is none of {', '.join(get_args(Metric))}"
        raise ValueError(msg)
    value, value_high = float(low), float(high) if high else None
    if metric in RATES and max(value, value_high or 0.0) > 1:
        msg = "rates are fractions between 0 and 1"
        raise ValueError(msg)
    if value_high is not None and (operator == ">" or value_high <= value):
        msg = "a range is metric=low..high with low < high"
        raise ValueError(msg)
    written = re.sub(r"\s", "", item)
    return EvaluationNotation(metric, "range" if high else operator, value, value_high, written)


def parse_count(item: str) -> CountNotation:
    """Read one count.

    Raises
    ------
    ValueError
        Not in the notation, or an unknown stage.
    """
    match = re.fullmatch(r"(\w+) (\d{1,18}) (\w{1,20})", item)
    if match is None or match[1] not in STAGES:
        msg = f"write stage number unit, with a stage of {', '.join(STAGES)}"
        raise ValueError(msg)
    return CountNotation(match[1], int(match[2]), match[3])


def parse_hardware(item: str) -> HardwareNotation:
    """Read devices with their number; ``or`` between two stays with the device."""
    match = re.fullmatch(r"([1-9]\d{0,5}) (\S.*)", item)
    return HardwareNotation(int(match[1]), match[2]) if match else HardwareNotation(None, item)


def parse_size(item: str) -> SizeNotation:
    """Read one image size.

    Raises
    ------
    ValueError
        Not in the notation, or a side of no pixels.
    """
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})(?:x(\d{1,4}))?", item)
    if match is None or any(part is not None and int(part) == 0 for part in match.groups()):
        msg = "write widthxheight or widthxheightxchannels, in pixels"
        raise ValueError(msg)
    width, height, channels = match.groups()
    return SizeNotation(int(width), int(height), int(channels) if channels else None)
