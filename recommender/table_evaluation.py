"""What happens when advice is followed on data sets it has not seen: tables of measured values.

Each data set is left out in turn. The recommender sees the task, the other data sets of the table
and the store's evidence but what stands there of the same images; the constants see the other
data sets of the table only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import SerializerFunctionWrapHandler, model_serializer

from evidence.records import Record
from evidence.vocabulary import Initialisation
from recommender.configuration import Configuration, Observation, Task
from recommender.controlled import Settings, fit, groups, scores_of, usable
from recommender.fitting import PartsOf, fit_weights, foretold_better
from recommender.measures import in_top, interval, regret, weighted_tau
from recommender.metrics import direction
from recommender.ranking import DIGITS, stand
from recommender.spelling import same_name

Array = npt.NDArray[np.float64]
#: Configurations -> one number each; the highest is chosen.
Scores = Mapping[Configuration, float]
#: Data set and configuration -> backbone, approach and head as a table writes them there.
Spelled = Callable[[str, Configuration], tuple[str, str, str]]

#: Regret, top-3 rate and tau.
Judgement = tuple[float, float, float]

#: A table of at least this many origins says itself how far its tasks differ.
ENOUGH_ORIGINS = 4
TOP = 3


class ChosenConfiguration(Record):
    """A choice as the table writes it; of weights only random ones are told."""

    backbone: str
    approach: str
    head: str
    initialisation: Initialisation = "pretrained"

    @model_serializer(mode="wrap")
    def _told(self, plain: SerializerFunctionWrapHandler) -> dict[str, str]:
        found: dict[str, str] = plain(self)
        if self.initialisation != "random":
            found.pop("initialisation")
        return found


class DatasetOutcome(Record):
    """What the recommender chose on one left-out data set, and what that gave.

    Nothing is chosen where nothing is known that tells its configurations apart: the order of
    their names is no advice.

    Attributes
    ----------
    choice : ChosenConfiguration or None
        Of several that tie for the first place the first by name.
    value, regret, top3 : float or None
        Means over those that tie: any of them may be chosen. Values are those of the table;
        `regret` is how much worse `value` is than `best_value`, never negative.
    n_tied : int
        How many tie for the first place, the choice among them.
    """

    dataset: str
    choice: ChosenConfiguration | None = None
    value: float | None = None
    best_value: float
    regret: float | None = None
    top3: float | None = None
    tau: float | None = None
    n_tied: int = 1
    n_configurations: int


class MeanOutcome(Record):
    """Means over the data sets with their 95% bootstrap intervals over data sets."""

    regret: float
    top3: float
    tau: float
    regret_interval: tuple[float, float]
    top3_interval: tuple[float, float]
    tau_interval: tuple[float, float]


class TableEvaluation(Record):
    """Advice on one table, beside the constants.

    Attributes
    ----------
    less_is_better : bool
        Whether the best value is the smallest.
    means : dict of str to MeanOutcome
        ``recommender``, ``random``, ``most_popular``, ``best_fixed``, ``mean_rank``.
    unknown : tuple of str
        Backbones of no family that is known: they are judged by this table's other data sets.
    not_ranked : tuple of str
        Data set and backbone that nothing at all is known of, so that it was not ranked there.
    notes : tuple of str
        What of the table was not understood or left out.
    """

    schema_version: int = 1
    table: str
    metric: str
    less_is_better: bool = False
    n_datasets: int
    datasets: tuple[DatasetOutcome, ...]
    means: dict[str, MeanOutcome]
    unknown: tuple[str, ...] = ()
    not_ranked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ablation:
    """What the recommender is to do without, to see what that adds.

    Attributes
    ----------
    parts : frozenset of str
        Of `recommender.parts.PARTS`.
    similarity : bool
        Whether tasks may differ as far as they are unlike.
    store : bool
        Whether the store's other tables and runs count.
    """

    parts: frozenset[str] = frozenset()
    similarity: bool = True
    store: bool = True


#: Nothing is taken away.
WHOLE = Ablation()


@dataclass(frozen=True)
class Surroundings:
    """What does not depend on the table.

    Attributes
    ----------
    store : tuple of Observation
        Controlled results and runs.
    parts_of : callable
        What the reviews hold on a task.
    popularity : callable
        How common a configuration is in the reviews, whatever the task.
    price : callable
        Points of AUC that a configuration's computation counts, at most 0.
    """

    store: tuple[Observation, ...]
    parts_of: PartsOf
    popularity: Callable[[Configuration], float]
    price: Callable[[Configuration], float] = lambda _configuration: 0.0


@dataclass(frozen=True)
class _Fold:
    """One data set that is left out: its values, and what may be known of it."""

    task: Task
    values: Mapping[Configuration, float]
    others: tuple[Observation, ...]
    known: tuple[Observation, ...]


def evaluate_table(
    table: Sequence[Observation],
    around: Surroundings,
    ablation: Ablation = WHOLE,
    spelled: Spelled = lambda _dataset, one: (one.backbone, one.approach, one.head),
) -> TableEvaluation:
    """Leave each data set of a table out in turn.

    Parameters
    ----------
    table : sequence of Observation
        One table and metric, at most one value for each data set and configuration, and more
        than one for each data set.
    spelled : callable
        Backbone, approach and head of a configuration as the table writes them on a data set.
    """
    folds = [_fold(name, table, around, ablation) for name in _names(table)]
    answers = [_advice(fold, around, ablation) for fold in folds]
    sign = direction(table[0].metric) or 1
    outcomes = tuple(
        _outcome(fold, scores, spelled, sign) for fold, scores in zip(folds, answers, strict=True)
    )
    judged = {"recommender": [_followed(o, f) for o, f in zip(outcomes, folds, strict=True)]}
    for name, constant in CONSTANTS.items():
        judged[name] = [_judge(f.values, constant(f, around)) for f in folds]
    return TableEvaluation(
        table=table[0].table,
        metric=table[0].metric,
        less_is_better=sign < 0,
        n_datasets=len(folds),
        datasets=outcomes,
        means={name: _means(rows) for name, rows in judged.items()},
        not_ranked=tuple(
            f"{fold.task.name}: {spelled(fold.task.name, one)[0]}"
            for fold, scores in zip(folds, answers, strict=True)
            for one in fold.values
            if one not in scores
        ),
    )


def _names(table: Sequence[Observation]) -> tuple[str, ...]:
    return tuple(sorted({one.task.name for one in table}))


def _fold(
    name: str, table: Sequence[Observation], around: Surroundings, ablation: Ablation
) -> _Fold:
    own = [one for one in table if one.task.name == name]
    others = tuple(one for one in table if not same_name(one.task.name, name))
    stored = around.store if ablation.store else ()
    # The same images may stand in the store under another name.
    same = {one.task.source for one in stored if same_name(one.task.name, name)}
    same.add(own[0].task.source)
    elsewhere = [one for one in stored if one.task.source not in same]
    values = {one.configuration: one.value for one in sorted(own, key=lambda o: o.configuration)}
    known = (*others, *(elsewhere if _heard(values, others, elsewhere) else ()))
    return _Fold(own[0].task, values, others, usable(known))


def _heard(
    values: Mapping[Configuration, float],
    others: Sequence[Observation],
    elsewhere: Sequence[Observation],
) -> bool:
    """Whether the store's other tables count: few data sets, a new backbone, or they help."""
    few = len({one.task.source for one in others}) < ENOUGH_ORIGINS
    covered = {one.configuration.backbone for one in others}
    new = any(one.backbone not in covered for one in values)
    return few or new or foretold_better(others, elsewhere)


def _advice(fold: _Fold, around: Surroundings, ablation: Ablation) -> Scores:
    """Score of each configuration that anything is known of."""
    heard = {one.configuration.backbone for one in fold.known}
    families = {one.configuration.family for one in fold.known}
    ranked = [c for c in fold.values if c.backbone in heard or c.family in families]
    if not ranked:
        return {}
    settings = _settings(fold, ablation)
    weights = fit_weights(fold.known, around.parts_of, settings, ablation.parts)
    literature = around.parts_of(fold.task, ranked)
    name = fold.others[0].table if fold.others else ""
    standing = stand(fold.task, ranked, fold.known, literature, weights, table=name)
    prices = np.array([around.price(one) for one in ranked])
    total = standing.expected + prices
    total = np.round(total + standing.doubt(total), DIGITS)
    return dict(zip(ranked, total.tolist(), strict=True))


def _settings(fold: _Fold, ablation: Ablation) -> Settings:
    if not ablation.similarity:
        return Settings()
    origins = {one.task.source for one in fold.others}
    return fit(fold.others if len(origins) >= ENOUGH_ORIGINS else fold.known)


def _outcome(fold: _Fold, scores: Scores, spelled: Spelled, sign: int) -> DatasetOutcome:
    """Of those that tie for the first place, the first by name and what they give on average."""
    best = max(fold.values.values())
    found = DatasetOutcome(
        dataset=fold.task.name, best_value=sign * best, n_configurations=len(fold.values)
    )
    if _undecided(scores):
        return found
    first = sorted(one for one, score in scores.items() if score == max(scores.values()))
    backbone, approach, head = spelled(fold.task.name, first[0])
    # An exact mean, which is never above the best of what it is of.
    value = mean(fold.values[one] for one in first)
    _, top3, tau = _judge(fold.values, scores)
    chosen = {
        "choice": ChosenConfiguration(
            backbone=backbone, approach=approach, head=head, initialisation=first[0].initialisation
        ),
        "value": sign * value,
        "regret": best - value,
        "top3": top3,
        "tau": tau,
        "n_tied": len(first),
    }
    return found.model_copy(update=chosen)


def _undecided(scores: Scores) -> bool:
    """Nothing is known, or nothing that tells one configuration from another."""
    return not scores or (len(scores) > 1 and len(set(scores.values())) == 1)


def _complete(values: Mapping[Configuration, float], scores: Scores) -> list[float]:
    """A score for each value; what was not ranked stands below all that was."""
    lowest = min(scores.values(), default=0.0) - 1.0
    return [scores.get(one, lowest) for one in values]


def _judge(known: Mapping[Configuration, float], scores: Scores) -> Judgement:
    """Regret, top-3 rate and tau; means over choices that tie for the first place."""
    values, ranks = list(known.values()), _complete(known, scores)
    first = [n for n, score in enumerate(ranks) if score == max(ranks)]
    return (
        float(np.mean([regret(values, n) for n in first])),
        float(np.mean([in_top(values, n, TOP) for n in first])),
        weighted_tau(values, ranks),
    )


def _followed(one: DatasetOutcome, fold: _Fold) -> Judgement:
    """What the recommender's choice gave; where it made none, what chance gives."""
    if one.regret is None or one.top3 is None or one.tau is None:
        return _judge(fold.values, {})
    return one.regret, one.top3, one.tau


def _means(rows: Sequence[Judgement]) -> MeanOutcome:
    columns = dict(zip(("regret", "top3", "tau"), zip(*rows, strict=True), strict=True))
    found: dict[str, Any] = {name: float(np.mean(column)) for name, column in columns.items()}
    found |= {f"{name}_interval": interval(column) for name, column in columns.items()}
    return MeanOutcome(**found)


def _random(fold: _Fold, _around: Surroundings) -> Scores:
    """All the same: judged by its expectation."""
    return dict.fromkeys(fold.values, 0.0)


def _most_popular(fold: _Fold, around: Surroundings) -> Scores:
    return {one: around.popularity(one) for one in fold.values}


def _best_fixed(fold: _Fold, _around: Surroundings) -> Scores:
    """Mean value on the other data sets, each centred."""
    return _over_others(fold, lambda values: values - values.mean())


def _mean_rank(fold: _Fold, _around: Surroundings) -> Scores:
    return _over_others(fold, lambda values: scores_of(values.tolist()))


def _over_others(fold: _Fold, scale: Callable[[Array], Array]) -> Scores:
    """Mean over the other data sets of what a scale makes of their values."""
    found: dict[Configuration, list[float]] = {one: [] for one in fold.values}
    for rows in groups([one.task.name for one in fold.others]):
        inside = [fold.others[n] for n in rows]
        scaled = scale(np.array([one.value for one in inside]))
        for one, value in zip(inside, scaled.tolist(), strict=True):
            if one.configuration in found:
                found[one.configuration].append(value)
    return {one: float(np.round(np.mean(v), DIGITS)) for one, v in found.items() if v}


#: What the recommender is compared with.
CONSTANTS: Mapping[str, Callable[[_Fold, Surroundings], Scores]] = {
    "random": _random,
    "most_popular": _most_popular,
    "best_fixed": _best_fixed,
    "mean_rank": _mean_rank,
}
