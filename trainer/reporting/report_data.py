"""What a report and a model card are made of; what is not known is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from evidence.records import Record
from recommender.plan import TrainingPlan
from recommender.rules import load_rules
from trainer.preparing.data_summary import DataSummary
from trainer.runs import RunResult
from trainer.tuning.ladder import Step


class Reference(Record):
    """A rule or a study on which the plan rests: its key, what it says, where it stands."""

    key: str
    text: str
    source: str = ""


@dataclass(frozen=True)
class Outcomes:
    """What the model said of the images of one part.

    Attributes
    ----------
    part : str
        ``test``, ``validation`` or another name.
    targets : ndarray, shape (N,) or (N, C)
        Classes, 0 and 1 for several labels, or numbers.
    predictions : ndarray, shape (N, C) or (N,)
        Probabilities, or numbers.
    units : tuple of str
        What a resample takes whole, of length N: patients, else single images. Never shown.
    """

    part: str
    targets: npt.NDArray[Any]
    predictions: npt.NDArray[np.float64]
    units: tuple[str, ...]


class Drawn(NamedTuple):
    """A picture ``(H, W, 3)`` of 8 bits, what it shows, and what does not fit."""

    caption: str
    picture: npt.NDArray[np.uint8]
    note: str = ""


@dataclass(frozen=True)
class ShownCase:
    """One image with its maps; `kind` is ``right``, ``wrong`` or ``near``."""

    kind: str
    file: str
    truth: str
    said: str
    pictures: tuple[Drawn, ...]


@dataclass(frozen=True)
class ReportData:
    """All that a report may show; only plan and result are needed.

    Attributes
    ----------
    names : tuple of str
        Classes, labels or grades in the order of the predictions; empty for those of the result.
    unit : str
        Of a number that is learned.
    history : tuple of mapping
        Lines of ``history.jsonl``.
    ladder : tuple of Step
        Steps of the ladder, and `ladder_measure` that they were compared by.
    rules, studies : tuple of Reference
        What the plan names as its evidence. Rules that are not given are looked up in those that
        ship with evtl; of studies that are not given the keys are shown.
    resemblance : float or None
        Of the maps to those of shuffled weights (`trainer.explain.resemblance_to_shuffled`).
    comparisons : tuple of str
        Sentences on other runs or repeats.
    limits : tuple of str
        Sentences on what the report does not show, beside those that always hold.
    environment : dict of str to str
        Beside the versions of the result.
    licence : str
        Of the weights, for the model card.
    """

    plan: TrainingPlan
    result: RunResult
    names: tuple[str, ...] = ()
    unit: str = "unit of the labels"
    data: DataSummary | None = None
    outcomes: tuple[Outcomes, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    ladder: tuple[Step, ...] = ()
    ladder_measure: str = "cross-validated AUC"
    cases: tuple[ShownCase, ...] = ()
    ideals: tuple[Drawn, ...] = ()
    resemblance: float | None = None
    rules: tuple[Reference, ...] = ()
    studies: tuple[Reference, ...] = ()
    comparisons: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what is predicted."""
        return self.names or self.result.classes

    @property
    def rule_list(self) -> tuple[Reference, ...]:
        """The rules of the plan; in the words that ship with evtl where none are given."""
        return self.rules or tuple(map(_shipped, self.plan.evidence.rules))

    @property
    def study_list(self) -> tuple[Reference, ...]:
        """The studies of the plan, cited where that is known."""
        return self.studies or tuple(Reference(key=k, text="") for k in self.plan.evidence.studies)


def _shipped(key: str) -> Reference:
    """A rule by its key, with the claims that it rests on."""
    for rule in load_rules():
        if rule.id == key:
            source = f"claims {', '.join(rule.claims)}"
            return Reference(key=key, text=rule.statement, source=source)
    return Reference(key=key, text="")
